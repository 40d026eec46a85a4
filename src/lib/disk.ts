/** Free space of file systems. */
import { statfs } from 'node:fs/promises'

const MIB = 1024 * 1024

/**
 * Says which of the directories lies on a file system with less than `reserveMiB` free for unprivileged users (statfs(2), `f_bavail`);
 * null when none does. One that cannot be looked at is passed over.
 */
export async function diskShortage(
  directories: readonly string[],
  reserveMiB: number,
): Promise<string | null> {
  for (const directory of directories) {
    const free = await statfs(directory).catch(() => null)
    if (free === null) continue
    const freeMiB = Math.floor((free.bavail * free.bsize) / MIB)
    if (freeMiB < reserveMiB)
      return `disk: ${freeMiB} MiB are free in ${directory}, ${reserveMiB} are kept`
  }
  return null
}
