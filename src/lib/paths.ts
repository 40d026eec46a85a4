/**
 * Builds paths from names that come from elsewhere (records, labels, directories, files), and
 * removes directories.
 *
 * `below` is the only way to put such a name into a path. Each name is one step down, so the result
 * is always below its root. `removeTree` is the only way to remove a directory.
 */
import { readFile, realpath, rm } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { hasCode } from './errno.ts'

/** Longest name in a directory, in bytes (NAME_MAX, limits.h). */
const NAME_MAX_BYTES = 255
/** The kernel's list of the mounts that this process sees (proc_pid_mountinfo(5)). */
const MOUNTS = '/proc/self/mountinfo'

/**
 * The path from `root`, which is absolute, one step down for each name. Throws RangeError for an
 * invalid name.
 */
export function below(root: string, ...names: readonly string[]): string {
  if (!isAbsolute(root)) throw new RangeError(`not an absolute path: ${JSON.stringify(root)}`)
  for (const name of names)
    if (!isName(name)) throw new RangeError(`not a file name: ${JSON.stringify(name.slice(0, 99))}`)
  return join(root, ...names)
}

function isName(name: string): boolean {
  const isStep = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)
  return isStep && Buffer.byteLength(name) <= NAME_MAX_BYTES
}

/**
 * Removes `below(root, ...names)` and everything in it. Does nothing if it does not exist. Links
 * are removed and never followed. Throws without removing anything when a directory of the path is
 * a link, when something is mounted there, or when no name is given.
 */
export async function removeTree(root: string, ...names: readonly string[]): Promise<void> {
  if (names.length === 0) throw new RangeError(`removeTree needs a name below the root: ${root}`)
  const path = below(root, ...names)
  const parent = await realpath(dirname(path)).catch(noSuchPath)
  if (parent === null) return
  if (parent !== dirname(join(await realpath(root), ...names)))
    throw new Error(`${dirname(path)} is a link to ${parent}: nothing was removed`)
  const place = join(parent, names.at(-1) ?? '')
  const mounted = mountsIn(await readFile(MOUNTS, 'utf8'), place)
  if (mounted !== undefined)
    throw new Error(`a file system is mounted at ${mounted}: nothing was removed`)
  await rm(path, { recursive: true, force: true })
}

function noSuchPath(error: unknown): null {
  if (hasCode(error, 'ENOENT')) return null
  throw error
}

/** A mount point at or below `path`. Undefined if there is none. */
function mountsIn(mountinfo: string, path: string): string | undefined {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((point) =>
      // Spaces, tabs, line feeds and backslashes are written as octal numbers.
      point.replace(/\\([0-7]{3})/g, (_all, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      ),
    )
    .find((point) => point === path || point.startsWith(`${path}/`))
}
