/** Writes an image as a raw file, in the jail: it comes from a stranger. */
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { needSpace } from '../../host/files/space.ts'
import { jailPath, letJailRead, letJailWrite, runJailed } from '../../host/processes/jail.ts'
import { failureOf, type Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import { GIB, KIB } from '../../model/sizes.ts'
import type { DiskBase } from './disk.ts'

const SECONDS = 3600
/** A program that neither reads nor writes for this long hangs. */
const IDLE_MS = 300_000
const MEMORY_BYTES = 2 * GIB
/** Of the raw file, with its holes. */
const FILE_BYTES = 64 * KIB * GIB
/** Of a sector. What is allocated is counted in these (stat(2), `st_blocks`). */
const SECTOR_BYTES = 512
const MS = 1000

/**
 * Holes stay holes. A file that is there is written anew. Errors: `unavailable`, those of the file
 * system.
 */
export async function writeRaw(
  { path, format }: Pick<DiskBase, 'path' | 'format'>,
  target: string,
  run: Runner,
): Promise<void> {
  await using from = await open(path)
  const { blocks } = await from.stat()
  await needSpace(dirname(target), blocks * SECTOR_BYTES)
  await letJailRead(from)
  await using into = await open(target, 'w', 0o600)
  const source = { driver: format, file: { driver: 'file', filename: jailPath(0) } }
  const args = ['convert', '-q', '-O', 'raw', `json:${JSON.stringify(source)}`, jailPath(1)]
  const limits = { seconds: SECONDS, memoryBytes: MEMORY_BYTES, fileBytes: FILE_BYTES }
  const order = { program: 'qemu-img', args, files: [from.fd, into.fd], limits }
  const options = { timeoutMs: SECONDS * MS, idleMs: IDLE_MS }
  const ran = await letJailWrite(into, () => runJailed(run, order, options))
  if (ran.exitCode !== 0)
    throw unavailable(`the image could not be written as raw: qemu-img: ${failureOf(ran)}`)
}
