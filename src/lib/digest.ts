/** SHA-256 digests of files. */
import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/** The `sha256:…` digest of an open file, read from its start. */
export async function digestOf(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await hashInto(hash, file, Number.POSITIVE_INFINITY, signal)
  return `sha256:${hash.digest('hex')}`
}

/** Adds the first `bytes` of an open file to the hash, or all of it. */
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
