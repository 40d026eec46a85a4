/** Free space of file systems. */
import { statfs } from 'node:fs/promises'
import { MIB } from '../model/sizes.ts'

/**
 * Once space was short, this share of the reserve must be free in addition, so that the state does
 * not flap.
 */
const MORE_AGAIN = 0.1

/**
 * Bytes that an unprivileged user may still write on the directory's file system (statfs(2),
 * `f_bavail`).
 */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** Size in bytes of the file system that the directory is on. */
export async function totalBytes(directory: string): Promise<number> {
  const { blocks, bsize } = await statfs(directory)
  return blocks * bsize
}

/**
 * A function that says which of the directories lies on a file system with less than `reserveMiB`
 * free; null when none does. One that cannot be looked at is passed over. `free` is `freeBytes`,
 * unless told otherwise.
 */
export function createDiskWatch(
  reserveMiB: number,
  free: (directory: string) => Promise<number> = freeBytes,
): (directories: readonly string[]) => Promise<string | null> {
  let neededMiB = reserveMiB
  return async (directories) => {
    for (const directory of directories) {
      const bytes = await free(directory).catch(() => null)
      if (bytes === null || bytes >= neededMiB * MIB) continue
      neededMiB = reserveMiB + reserveMiB * MORE_AGAIN
      return `disk: ${directory} has ${Math.floor(bytes / MIB)} MiB free, less than the reserve of ${reserveMiB} MiB`
    }
    neededMiB = reserveMiB
    return null
  }
}
