/**
 * Root file system archives. They are treated as hostile input, and passed to the Docker Engine as
 * plain tar.
 *
 * Only tar and gzip are accepted. We unpack gzip ourselves, so that nothing can grow past the
 * limits inside the engine.
 */
import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type Dockerode from 'dockerode'
import { archivePacking, headOf } from '../images/content.ts'
import { type FileLimits, openPublished } from '../images/published-file.ts'
import type { Clock } from '../lib/clock.ts'
import { digestOf } from '../lib/digest.ts'
import { refused, unavailable } from '../model/errors.ts'
import { IMAGE_LABEL, IMAGE_REPOSITORY } from '../model/names.ts'
import { gunzip } from './gunzip.ts'
import { finished } from './progress.ts'

export interface ArchiveFile {
  readonly path: string
  /** `sha256:…` of the file itself. */
  readonly digest: string
  readonly compressed: boolean
}

/** Tag of an imported archive, derived from its content. */
export function archiveTag(digest: string): string {
  return `${IMAGE_REPOSITORY}:${digest.slice('sha256:'.length)}`
}

/**
 * Inspects and hashes the file. Refuses a file that may not be imported. The limit in bytes also
 * applies to the unpacked content, which stops a gzip bomb.
 */
export async function readArchive(
  path: string,
  limits: FileLimits,
  signal: AbortSignal,
): Promise<ArchiveFile> {
  await using file = await openPublished(path, limits)
  const packing = archivePacking(await headOf(file))
  if (packing === null)
    throw refused(
      'InvalidParameterValue',
      `file://${path} is neither a tar archive nor a gzip-compressed one`,
    )
  return { path, digest: await digestOf(file, signal), compressed: packing === 'gzip' }
}

/**
 * Imports the archive under `archiveTag`, and calls `progress` with the unpacked bytes so far.
 * Rejects with `unavailable` when the file has changed since it was hashed, and with `refused` when
 * it unpacks to too much or is damaged.
 */
export async function importArchive(
  docker: Dockerode,
  archive: ArchiveFile,
  limits: FileLimits & { readonly clock: Pick<Clock, 'after'> },
  progress: (unpackedBytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { maxBytes } = limits
  const file = await openPublished(archive.path, limits)
  try {
    const hash = createHash('sha256')
    const counted = limited(archive.path, maxBytes, progress)
    // Neither the reading side nor the engine notices by itself that the other has given up; it
    // would wait for ever.
    const broken = new AbortController()
    const abortSignal = AbortSignal.any([signal, broken.signal])
    const fed = pipeline(
      file.createReadStream({ start: 0, autoClose: false }),
      passThrough((chunk) => hash.update(chunk)),
      archive.compressed
        ? gunzip(`file://${archive.path}`, limits.clock, abortSignal)
        : passThrough(() => undefined),
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
    if (broken.signal.aborted) throw broken.signal.reason
    if (`sha256:${hash.digest('hex')}` === archive.digest) return
    await docker.getImage(archiveTag(archive.digest)).remove({ force: true })
    throw unavailable(`file://${archive.path} changed while it was being imported`)
  } finally {
    await file.close()
  }
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
