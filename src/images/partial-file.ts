/**
 * A partly fetched file, the hash of that part, and what is known of the whole (`<file>.json`).
 *
 * The record contains the boot id of this machine. A killed daemon loses nothing that it wrote. But
 * after a power failure it is unknown how much reached the disk, and the file is fetched again from
 * the start.
 */
import type { Hash } from 'node:crypto'
import { constants, type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import { hashInto } from '../lib/digest.ts'
import { readRecord, writeRecord } from '../lib/files.ts'
import { bug, refused } from '../model/errors.ts'
import type { Opened, Position } from './source.ts'

const stateSchema = z.strictObject({
  source: z.string(),
  boot: z.string(),
  validator: z.string(),
  totalBytes: z.int().nonnegative().nullable(),
})
type State = z.infer<typeof stateSchema>

export interface Part extends AsyncDisposable {
  bytes(): number
  /** Size of the whole file, as the source announced it. */
  totalBytes(): number | null
  /** The hash of `before` and of the part. */
  hash(): Hash
  /** Where to continue. Null: at the start. */
  position(): Position | null
  /** Prepares for the opened content. Returns whether the part had to be discarded. */
  begin(opened: Opened): Promise<boolean>
  append(chunk: Uint8Array): Promise<void>
  /** Resolves when all of it is on the disk. */
  sync(): Promise<void>
}

/** The path of the record for the part at `path`. */
function stateFileOf(path: string): string {
  return `${path}.json`
}

/** Opens the part at `path` of the content of `source`, or creates it. */
export async function openPart(
  path: string,
  source: string,
  before: Hash,
  signal: AbortSignal,
): Promise<Part> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  try {
    const found = await readRecord(stateFileOf(path), stateSchema)
    const known = found?.source === source && found.boot === boot ? found : null
    const bytes = await trim(file, known)
    const hash = before.copy()
    await hashInto(hash, file, bytes, signal)
    return partOf({ path, source, boot, file, before, known, bytes, hash })
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Always at least one byte shorter than the whole, so that the source is asked whether the content
 * has changed.
 */
async function trim(file: FileHandle, known: State | null): Promise<number> {
  const { size } = await file.stat()
  const total = known?.totalBytes ?? Number.POSITIVE_INFINITY
  const bytes = known === null ? 0 : Math.max(0, Math.min(size, total - 1))
  await file.truncate(bytes)
  return bytes
}

interface Begun {
  readonly path: string
  readonly source: string
  readonly boot: string
  readonly file: FileHandle
  readonly before: Hash
  readonly known: State | null
  readonly bytes: number
  readonly hash: Hash
}

function partOf({ path, source, boot, file, before, known, ...begun }: Begun): Part {
  let { bytes, hash } = begun
  let validator = known?.validator ?? null
  let totalBytes = known?.totalBytes ?? null
  return {
    bytes: () => bytes,
    totalBytes: () => totalBytes,
    hash: () => hash,
    position: () => (validator === null || bytes === 0 ? null : { offset: bytes, validator }),
    async begin(opened) {
      if (opened.offset === bytes && bytes > 0 && opened.validator === validator) {
        if (opened.totalBytes !== null && totalBytes !== null && opened.totalBytes !== totalBytes)
          throw refused('InvalidParameterValue', `${source} cannot say how long it is`)
        totalBytes ??= opened.totalBytes
        return false
      }
      if (opened.offset !== 0)
        throw bug('content begins neither at its start nor at the requested offset', { source })
      const restarted = bytes > 0
      await file.truncate(0)
      bytes = 0
      hash = before.copy()
      validator = opened.validator
      totalBytes = opened.totalBytes
      if (validator === null) await rm(stateFileOf(path), { force: true })
      else await writeRecord(stateFileOf(path), { source, boot, validator, totalBytes })
      return restarted
    },
    async append(chunk) {
      for (let done = 0; done < chunk.length; ) {
        const rest = chunk.length - done
        const { bytesWritten } = await file.write(chunk, done, rest, bytes + done)
        done += bytesWritten
      }
      hash.update(chunk)
      bytes += chunk.length
    },
    sync: () => file.sync(),
    [Symbol.asyncDispose]: () => file.close(),
  }
}
