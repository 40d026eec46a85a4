/**
 * Published image files of this host, which `file:///` locations name.
 *
 * A client may only name a published file: a regular file in or below a published directory,
 * readable for every user of this machine, with no symbolic link that leads outside, and without a
 * second name elsewhere. The daemon is root, so it must check for itself what an unprivileged user
 * would be refused.
 *
 * A client only learns whether a file is published. The message is the same for every reason, and
 * the log has the reason.
 */
import { constants, copyFile, type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AtollError, messageOf, refused } from '../model/errors.ts'
import { KIB } from '../model/sizes.ts'
import type { Source } from './source.ts'

/** Limits of image files. */
export interface FileLimits {
  /** The published directories. */
  readonly directories: readonly string[]
  /** Largest size. */
  readonly maxBytes: number
}

const OTHERS_READ = 0o004
const OTHERS_SEARCH = 0o001
const READ_BYTES = 256 * KIB

/**
 * Opens a published file for reading. Never blocks, even on special files. Errors: `refused` with
 * the same sentence for everything that is not published, or because it is larger than `maxBytes`.
 */
export async function openPublished(path: string, limits: FileLimits): Promise<FileHandle> {
  const real = await publishedPath(path, limits.directories)
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(real, flags).catch((error: unknown) => {
    throw notPublished(path, messageOf(error))
  })
  try {
    const stat = await file.stat()
    const why = objection(stat)
    if (why !== null) throw notPublished(path, why)
    // A directory of the path may have become a symbolic link since it was resolved.
    const opened = await realpath(`/proc/self/fd/${file.fd}`).catch(() => null)
    if (opened !== real) throw notPublished(path, 'it was moved while it was being opened')
    if (stat.size > limits.maxBytes)
      throw refused(
        'InvalidParameterValue',
        `file://${path} is larger than ${limits.maxBytes} bytes (setting images.maxGiB)`,
      )
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** A published file as a source. */
export function createFileSource(path: string, limits: FileLimits): Source {
  const openFile = () => openPublished(path, limits)
  return {
    name: `file://${path}`,
    verb: 'Copying',
    isOutside: false,
    async open(from, signal) {
      const file = await openFile()
      const { size, mtimeNs, ino } = await file.stat({ bigint: true })
      const validator = `${ino}-${size}-${mtimeNs}`
      const offset = from?.validator === validator ? from.offset : 0
      const body = file.createReadStream({ start: offset, signal, highWaterMark: READ_BYTES })
      // If it aborts before anybody reads it, an error without a listener would end the daemon.
      body.on('error', () => undefined)
      return { offset, totalBytes: Number(size), validator, body }
    },
    async clone(target) {
      await using file = await openFile()
      // By its descriptor, because another file may be at the path by now. FICLONE:
      // ioctl_ficlonerange(2).
      const from = `/proc/self/fd/${file.fd}`
      try {
        await copyFile(from, target, constants.COPYFILE_FICLONE_FORCE)
        return true
      } catch {
        return false
      }
    },
  }
}

/** The path with symbolic links resolved. None of them may lead out of the directories. */
async function publishedPath(path: string, directories: readonly string[]): Promise<string> {
  // Checked by name first, so that a client learns nothing about files elsewhere.
  if (!isBelow(path, directories)) throw notPublished(path, 'it is not in images.directories')
  const real = await realpath(path).catch((error: unknown) => {
    throw notPublished(path, messageOf(error))
  })
  const roots = await Promise.all(directories.map((dir) => realpath(dir).catch(() => dir)))
  if (!isBelow(real, roots)) throw notPublished(path, `it leads to ${real}`)
  for (let at = dirname(real); !roots.includes(at); at = dirname(at))
    if (((await lstat(at)).mode & OTHERS_SEARCH) === 0)
      throw notPublished(path, `other users may not enter ${at}`)
  // Checked before opening, because opening a device can have side effects.
  const why = objection(await lstat(real))
  if (why === null) return real
  throw notPublished(path, why)
}

/** Why a file in a published directory is not published. Null when it is. */
function objection(stat: {
  readonly mode: number
  readonly nlink: number
  isFile(): boolean
}): string | null {
  if (!stat.isFile()) return 'it is not a regular file'
  if ((stat.mode & OTHERS_READ) === 0) return 'other users may not read it (chmod o+r)'
  // A second name may be in a directory that others may not enter, and users may link files of
  // others (fs.protected_hardlinks).
  return stat.nlink === 1 ? null : 'it has other names (hard links)'
}

function isBelow(path: string, directories: readonly string[]): boolean {
  return directories.some((dir) => path.startsWith(`${dir.replace(/\/+$/, '')}/`))
}

function notPublished(path: string, why: string): AtollError {
  return new AtollError(
    'refused',
    'InvalidParameterValue',
    `file://${path} is not a published image of this host; its operator can make it one: atoll image publish FILE`,
    { detail: { path, why } },
  )
}
