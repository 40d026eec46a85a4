/** Free space of file systems. */
import { statfs } from 'node:fs/promises'

const MIB = 1024 * 1024

/** Bytes that an unprivileged user may still write on the directory's file system (statfs(2), `f_bavail`). */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/**
 * Says which of the directories lies on a file system with less than `reserveMiB` free;
 * null when none does. One that cannot be looked at is passed over.
 */
export async function diskShortage(
  directories: readonly string[],
  reserveMiB: number,
): Promise<string | null> {
  for (const directory of directories) {
    const free = await freeBytes(directory).catch(() => null)
    if (free === null) continue
    const freeMiB = Math.floor(free / MIB)
    if (freeMiB < reserveMiB)
      return `disk: ${freeMiB} MiB are free in ${directory}, ${reserveMiB} are kept`
  }
  return null
}
