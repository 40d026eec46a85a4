/** Free space of file systems. */
import { statfs } from 'node:fs/promises'
import { MIB } from '../model/sizes.ts'

/**
 * After a shortage, this share of the reserve must be free in addition, so that the state does not
 * flap.
 */
const MORE_AGAIN = 0.1

/**
 * Bytes that an unprivileged user can still write on the directory's file system (statfs(2),
 * `f_bavail`).
 */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** Size of the directory's file system in bytes. */
export async function totalBytes(directory: string): Promise<number> {
  const { blocks, bsize } = await statfs(directory)
  return blocks * bsize
}

/**
 * A function that names a directory whose file system has less than `reserveMiB` free, or returns
 * null. A directory that cannot be checked is skipped. `free` replaces `freeBytes`.
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
