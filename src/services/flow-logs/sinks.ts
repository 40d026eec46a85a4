/**
 * Where lines of flow logs go: files of this host, which are limited in size, or objects of an S3
 * service, named as EC2 names them
 * (https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html).
 */
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { hasCode } from '../../lib/errno.ts'
import { below } from '../../lib/paths.ts'
import { unavailable } from '../../model/errors.ts'
import type { FlowLogWant } from '../../model/flow-log.ts'
import type { NicLines } from './intervals.ts'

/** Older parts of one file that are kept: `.1` is the newest. */
const PARTS_KEPT = 3
const FILE_MODE = 0o640
const DIRECTORY_MODE = 0o750

export interface FlowLogSettings {
  /** The directory of files. */
  readonly directory: string
  /** Of one file, before it is set aside. */
  readonly fileBytes: number
  /** Of all files and set-aside files of this host; then no more is written. */
  readonly totalBytes: number
  readonly region: string
}

/** Stores an object. */
export type PutObject = (bucket: string, key: string, body: Buffer) => Promise<void>

/** Lines of one flow log and one interval, which ended at `at` (milliseconds since the epoch). */
export interface Batch {
  readonly log: FlowLogWant
  readonly nics: readonly NicLines[]
  readonly at: number
}

/** Writes batches. Errors: `unavailable`, the file system's, or those of `put`. */
export function createSink(
  settings: FlowLogSettings,
  put: PutObject | null,
): (batch: Batch) => Promise<void> {
  return async (batch) => {
    const { destination } = batch.log
    if (destination.kind === 's3') await writeObjects(batch, destination, settings, put)
    else await writeFiles(batch, destination.group, settings)
  }
}

async function writeFiles(
  { log, nics }: Batch,
  group: string,
  settings: FlowLogSettings,
): Promise<void> {
  if ((await sizeOf(settings.directory)) > settings.totalBytes)
    throw unavailable(
      `flow logs take more than flowLogs.totalMiB in ${settings.directory}: remove old ones`,
    )
  const traffic = log.trafficType.toLowerCase()
  for (const { owner, lines } of nics) {
    if (lines.length === 0) continue
    const path = below(settings.directory, ...group.split('/'), `${owner.nic}-${traffic}`)
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE })
    await rotate(path, settings.fileBytes)
    await appendFile(path, `${lines.join('\n')}\n`, { mode: FILE_MODE })
  }
}

/** Sets the file aside when it is large, and removes the oldest part. */
async function rotate(path: string, limit: number): Promise<void> {
  const size = await sizeOfFile(path)
  if (size < limit) return
  await rm(`${path}.${PARTS_KEPT}`, { force: true })
  for (let part = PARTS_KEPT - 1; part >= 1; part--)
    await rename(`${path}.${part}`, `${path}.${part + 1}`).catch(ignoreMissing)
  await rename(path, `${path}.1`)
}

async function sizeOfFile(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    ignoreMissing(error)
    return 0
  }
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      ignoreMissing(error)
      return []
    },
  )
  let sum = 0
  for (const entry of entries)
    if (entry.isFile()) sum += await sizeOfFile(join(entry.parentPath, entry.name))
  return sum
}

function ignoreMissing(error: unknown): void {
  if (!hasCode(error, 'ENOENT')) throw error
}

/** One object for each account, of all NICs of this host. */
async function writeObjects(
  { log, nics, at }: Batch,
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  { region }: FlowLogSettings,
  put: PutObject | null,
): Promise<void> {
  if (put === null)
    throw unavailable(`this host's configuration names no S3 service (setting images.s3)`)
  const time = new Date(at).toISOString()
  const [year, month, day] = time.slice(0, 10).split('-')
  const minute = time.slice(0, 16).replaceAll(/[-:]/g, '')
  for (const [account, own] of Map.groupBy(nics, ({ owner }) => owner.account)) {
    const lines = own.flatMap((one) => one.lines)
    if (lines.length === 0) continue
    const text = `${log.fields.join(' ')}\n${lines.join('\n')}\n`
    // EC2's keys end with a hash, too: several hosts write at the same minute.
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 8)
    const folder = ['AWSLogs', account, 'vpcflowlogs', region, year, month, day].join('/')
    const name = `${account}_vpcflowlogs_${region}_${log.id}_${minute}Z_${hash}.log.gz`
    const key = `${prefix === '' ? '' : `${prefix}/`}${folder}/${name}`
    await put(bucket, key, await promisify(gzip)(text))
  }
}
