/**
 * Image files on this host, read as the hostile input they are: only regular files under the allowed directories, by their names and
 * by what these resolve to, so that nobody learns or boots through an image what the host has elsewhere.
 */
import { createHash, type Hash } from 'node:crypto'
import { constants, type FileHandle, open, realpath } from 'node:fs/promises'
import { messageOf, refused } from '../../model/errors.ts'

/** What image files are accepted. */
export interface FileLimits {
  /** They lie in or below one of these. */
  readonly directories: readonly string[]
  /** Largest size. */
  readonly maxBytes: number
}

/** The path behind all symbolic links. Errors: `refused` when it cannot be read or is not in an allowed directory. */
export async function realPathOf(path: string, directories: readonly string[]): Promise<string> {
  // By its name first: nobody learns through an image which files the host has elsewhere.
  if (!isBelow(path, directories)) throw notAllowed(path, directories)
  const real = await realpath(path).catch((error: unknown) => {
    throw refused('InvalidParameterValue', `file://${path} cannot be read: ${messageOf(error)}`)
  })
  const allowed = await Promise.all(directories.map((dir) => realpath(dir).catch(() => dir)))
  if (isBelow(real, allowed)) return real
  throw notAllowed(path, directories)
}

function isBelow(path: string, directories: readonly string[]): boolean {
  return directories.some((dir) => path.startsWith(`${dir.replace(/\/+$/, '')}/`))
}

function notAllowed(path: string, directories: readonly string[]): Error {
  return refused(
    'InvalidParameterValue',
    `file://${path} is not under an allowed image directory (${directories.join(', ')}); ` +
      'move it there or add its directory to the setting images.directories',
  )
}

/** Opens `real`, which is called `path` in messages, for reading. Errors: `refused` when it is not a regular file of at most `maxBytes`. */
export async function openRegular(
  real: string,
  path: string,
  maxBytes: number,
): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(real, flags).catch((error: unknown) => {
    throw refused('InvalidParameterValue', `file://${path} cannot be read: ${messageOf(error)}`)
  })
  const stat = await file.stat()
  // A directory on the way may have become a symbolic link since it was resolved.
  const opened = await realpath(`/proc/self/fd/${file.fd}`).catch(() => null)
  if (stat.isFile() && stat.size <= maxBytes && opened === real) return file
  await file.close()
  throw refused(
    'InvalidParameterValue',
    `file://${path} is not a regular file of at most ${maxBytes} bytes (setting images.maxGiB)`,
  )
}

/** `sha256:…` of an open file from its first byte on. */
export async function digestOf(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await hashInto(hash, file, Number.POSITIVE_INFINITY, signal)
  return `sha256:${hash.digest('hex')}`
}

/** Adds the first `bytes` of an open file, or all there are, to the hash. */
export async function hashInto(
  hash: Hash,
  file: FileHandle,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  if (bytes <= 0) return
  const stream = file.createReadStream({ start: 0, end: bytes - 1, autoClose: false, signal })
  for await (const chunk of stream) hash.update(chunk)
}
