/** SHA-256 digests of files. */
import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

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
