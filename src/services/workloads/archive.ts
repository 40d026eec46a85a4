/**
 * Root file system archives: read as the hostile input they are, and handed to the Docker Engine as plain tar.
 *
 * Only regular files under the allowed directories are read (symbolic links are resolved first); only tar and gzip are
 * accepted, and we unpack gzip ourselves, so that nothing can expand past the limits inside the engine.
 */
import { createHash } from 'node:crypto'
import { constants, type FileHandle, open, realpath } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type Dockerode from 'dockerode'
import { messageOf, refused, unavailable } from '../../model/errors.ts'
import { IMAGE_LABEL, IMAGE_REPOSITORY } from '../../model/names.ts'
import { finished } from './docker-progress.ts'

const GZIP_MAGIC = 0x1f8b
/** "ustar" at this offset marks POSIX and GNU tar (tar(5)). */
const USTAR_OFFSET = 257
const HEAD_BYTES = 512

/** What archives are accepted. */
export interface ArchiveLimits {
  /** They lie in or below one of these. */
  readonly directories: readonly string[]
  /** Largest size, of the file and of what it unpacks to (which also ends a gzip bomb). */
  readonly maxBytes: number
}

export interface ArchiveFile {
  readonly path: string
  /** `sha256:…` of the file as it is. */
  readonly digest: string
  readonly compressed: boolean
}

/** Tag under which an imported archive is kept: it names the content. */
export function archiveTag(digest: string): string {
  return `${IMAGE_REPOSITORY}:${digest.slice('sha256:'.length)}`
}

/** Looks at the file and hashes it; refused when it is not one that may be imported. */
export async function readArchive(
  path: string,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<ArchiveFile> {
  const real = await realPathOf(path, limits.directories)
  const file = await openRegular(real, path, limits.maxBytes)
  try {
    const head = Buffer.alloc(HEAD_BYTES)
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0)
    const compressed = isCompressed(head.subarray(0, bytesRead), path)
    const digest = await hashOf(file, signal)
    return { path: real, digest, compressed }
  } finally {
    await file.close()
  }
}

async function realPathOf(path: string, directories: readonly string[]): Promise<string> {
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

async function openRegular(real: string, path: string, maxBytes: number): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(real, flags).catch((error: unknown) => {
    throw refused('InvalidParameterValue', `file://${path} cannot be read: ${messageOf(error)}`)
  })
  const stat = await file.stat()
  if (stat.isFile() && stat.size <= maxBytes) return file
  await file.close()
  throw refused(
    'InvalidParameterValue',
    `file://${path} is not a regular file of at most ${maxBytes} bytes (setting images.maxGiB)`,
  )
}

function isCompressed(head: Buffer, path: string): boolean {
  if (head.length >= 2 && head.readUInt16BE(0) === GZIP_MAGIC) return true
  if (head.toString('latin1', USTAR_OFFSET, USTAR_OFFSET + 5) === 'ustar') return false
  throw refused(
    'InvalidParameterValue',
    `file://${path} is neither a tar archive nor a gzip-compressed one`,
  )
}

async function hashOf(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const stream = file.createReadStream({ start: 0, autoClose: false, signal })
  for await (const chunk of stream) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

/**
 * Imports the archive under `archiveTag` and calls `progress` with the unpacked bytes so far. Rejects `unavailable` when the
 * file changed since it was hashed, `refused` when it unpacks to too much or is damaged.
 */
export async function importArchive(
  docker: Dockerode,
  archive: ArchiveFile,
  maxBytes: number,
  progress: (unpackedBytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const file = await openRegular(archive.path, archive.path, maxBytes)
  try {
    const hash = createHash('sha256')
    const tar = archive.compressed ? createGunzip() : passThrough(() => undefined)
    const counted = limited(archive.path, maxBytes, progress)
    // Neither the file's side nor the engine's sees by itself that the other has given up: it would wait for ever.
    const broken = new AbortController()
    const abortSignal = AbortSignal.any([signal, broken.signal])
    const fed = pipeline(
      file.createReadStream({ start: 0, autoClose: false }),
      passThrough((chunk) => hash.update(chunk)),
      tar,
      counted,
      { signal: abortSignal },
    )
    const [repo, tag] = archiveTag(archive.digest).split(':')
    const changes = [`LABEL ${IMAGE_LABEL}=${archive.digest}`]
    const imported = docker
      .importImage(counted, { repo, tag, changes, abortSignal })
      .then((stream) => finished(stream, () => undefined, abortSignal))
    const giveUp = (error: unknown) => broken.abort(error)
    await Promise.all([fed.catch(giveUp), imported.catch(giveUp)])
    signal.throwIfAborted()
    if (broken.signal.aborted) throw damaged(archive.path, broken.signal.reason)
    if (`sha256:${hash.digest('hex')}` === archive.digest) return
    await docker.getImage(archiveTag(archive.digest)).remove({ force: true })
    throw unavailable(`file://${archive.path} changed while it was being imported`)
  } finally {
    await file.close()
  }
}

function damaged(path: string, reason: unknown): unknown {
  const code = reason instanceof Error ? Reflect.get(reason, 'code') : undefined
  return typeof code === 'string' && code.startsWith('Z_')
    ? refused('InvalidParameterValue', `file://${path} is damaged: ${messageOf(reason)}`)
    : reason
}

function passThrough(see: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      see(chunk)
      done(null, chunk)
    },
  })
}

function limited(
  path: string,
  maxBytes: number,
  progress: (unpackedBytes: number) => void,
): Transform {
  let unpackedBytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      unpackedBytes += chunk.length
      if (unpackedBytes > maxBytes) {
        const limit = `file://${path} unpacks to more than ${maxBytes} bytes (setting images.maxGiB)`
        done(refused('InvalidParameterValue', limit))
        return
      }
      progress(unpackedBytes)
      done(null, chunk)
    },
  })
}
