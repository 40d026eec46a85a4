/**
 * Where lines of flow logs go: files of this host, which are limited in size, or objects of an S3
 * service, named as EC2 names them
 * (https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html).
 *
 * What cannot be written whole is not written: a file gets its old end back, and an object that is
 * stored once more has the same key. So a piece that is tried again is there once.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Clock } from '../../lib/clock.ts'
import { hasCode } from '../../lib/errno.ts'
import { below } from '../../lib/paths.ts'
import { createIntervalCheck } from '../../lib/throttle.ts'
import { unavailable } from '../../model/errors.ts'
import {
  type FlowLogWant,
  isPermitted,
  logDirectory,
  type PermittedBucket,
} from '../../model/flow-log.ts'
import type { AccountId } from '../../model/ids.ts'
import type { NicLines } from './intervals.ts'

/** Older parts of one file that are kept: `.1` is the newest. */
const PARTS_KEPT = 3
const FILE_MODE = 0o640
const DIRECTORY_MODE = 0o750
/** Longer than any line. */
const TAIL_BYTES = 8192
const LINE_FEED = 10
/** How long sizes of files are believed. The operator may remove some. */
const SIZES_MS = 30_000

export interface FlowLogSettings {
  /** The directory of files. */
  readonly directory: string
  /** Of one file, before it is set aside. */
  readonly fileBytes: number
  /** Of all files and set-aside files of this host; then no more is written. */
  readonly totalBytes: number
  /** Of those of one account; then no more is written for it. */
  readonly accountBytes: number
  /** Where objects may be stored (`isPermitted`). */
  readonly buckets: readonly PermittedBucket[] | null
}

/** Stores an object. It gives up when the signal aborts. */
export type PutObject = (
  bucket: string,
  key: string,
  body: Buffer,
  signal: AbortSignal,
) => Promise<void>

/** Lines of one flow log and one interval, which ended at `at` (milliseconds since the epoch). */
export interface Batch {
  readonly log: FlowLogWant
  readonly nics: readonly NicLines[]
  readonly at: number
}

/** What is written as a whole or not at all. */
export interface Piece {
  readonly account: AccountId
  readonly text: string
  readonly records: number
  readonly to:
    | { readonly kind: 'file'; readonly path: readonly string[] }
    | { readonly kind: 'object'; readonly bucket: string; readonly key: string }
}

/** The pieces of a batch: a file for each NIC, or an object for each account. */
export function piecesOf({ log, nics, at }: Batch, region: string): readonly Piece[] {
  const { destination, fields, trafficType } = log
  const full = nics.filter(({ lines }) => lines.length > 0)
  if (destination.kind === 'files') {
    const group = logDirectory(destination.group).split('/')
    return full.map(({ owner: { account, nic }, lines }) => ({
      ...{ account, text: `${lines.join('\n')}\n`, records: lines.length },
      to: { kind: 'file', path: [account, ...group, `${nic}-${trafficType.toLowerCase()}`] },
    }))
  }
  const { bucket, prefix } = destination
  return [...Map.groupBy(full, ({ owner }) => owner.account)].map(([account, own]) => {
    const lines = own.flatMap((one) => one.lines)
    const text = `${fields.join(' ')}\n${lines.join('\n')}\n`
    const key = objectKey(prefix, account, { region, log: log.id, at, text })
    return { account, text, records: lines.length, to: { kind: 'object', bucket, key } }
  })
}

function objectKey(
  prefix: string,
  account: AccountId,
  of: { readonly region: string; readonly log: string; readonly at: number; readonly text: string },
): string {
  const time = new Date(of.at).toISOString()
  const [year, month, day] = time.slice(0, 10).split('-')
  const minute = time.slice(0, 16).replaceAll(/[-:]/g, '')
  // EC2's keys end with a hash, too: several hosts write at the same minute.
  const hash = createHash('sha256').update(of.text).digest('hex').slice(0, 8)
  const folder = ['AWSLogs', account, 'vpcflowlogs', of.region, year, month, day].join('/')
  const name = `${account}_vpcflowlogs_${of.region}_${of.log}_${minute}Z_${hash}.log.gz`
  return `${prefix === '' ? '' : `${prefix}/`}${folder}/${name}`
}

/** Writes a piece. Errors: `unavailable`, the file system's, or those of `put`. */
export type Sink = (piece: Piece, signal: AbortSignal) => Promise<void>

/** To files with these settings, and to the service of `put`; null: there is none. */
export function createSink(
  settings: FlowLogSettings,
  put: PutObject | null,
  clock: Pick<Clock, 'monotonic'>,
): Sink {
  const usage = createUsage(settings, clock)
  return async ({ account, text, to }, signal) => {
    if (to.kind === 'file') {
      const bytes = Buffer.from(text)
      await usage.require(account, bytes.length)
      const path = below(settings.directory, ...to.path)
      await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE })
      await rotate(path, settings.fileBytes)
      await append(path, bytes)
      return
    }
    // The record may be older than the setting.
    if (!isPermitted({ bucket: to.bucket, prefix: to.key }, account, settings.buckets))
      throw unavailable(
        `the setting flowLogs.buckets does not let flow logs of account ${account} go to ${to.bucket}`,
      )
    if (put === null)
      throw unavailable(`this host's configuration names no S3 service (setting images.s3)`)
    await put(to.bucket, to.key, await promisify(gzip)(text), signal)
  }
}

/**
 * Adds to a file, or leaves it as it was. A line that a killed daemon left without its end is
 * removed.
 */
async function append(path: string, bytes: Buffer): Promise<void> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants
  const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, FILE_MODE)
  try {
    const end = await endOfLines(file)
    try {
      for (let done = 0; done < bytes.length; )
        done += (await file.write(bytes, done, bytes.length - done, end + done)).bytesWritten
    } catch (error) {
      await file.truncate(end)
      throw error
    }
  } finally {
    await file.close()
  }
}

/** Where the last whole line ends; the file ends there, too, then. */
async function endOfLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat()
  const from = Math.max(0, size - TAIL_BYTES)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
  const end = from + buffer.subarray(0, bytesRead).lastIndexOf(LINE_FEED) + 1
  if (end < size) await file.truncate(end)
  return end
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

/** What the files take, of all and of each account. */
function createUsage(
  { directory, totalBytes, accountBytes }: FlowLogSettings,
  clock: Pick<Clock, 'monotonic'>,
) {
  let known: Awaited<ReturnType<typeof sizesIn>> = { total: 0, accounts: new Map() }
  const isDue = createIntervalCheck(clock, SIZES_MS)
  return {
    /** Counts what is to be written. Errors: `unavailable` when there is no room for it. */
    async require(account: AccountId, bytes: number): Promise<void> {
      if (isDue()) known = await sizesIn(directory)
      const own = (known.accounts.get(account) ?? 0) + bytes
      const full = (setting: string) =>
        unavailable(`flow logs take more than flowLogs.${setting} in ${directory}: remove old ones`)
      if (own > accountBytes) throw full('accountMiB')
      if (known.total + bytes > totalBytes) throw full('totalMiB')
      known.total += bytes
      known.accounts.set(account, own)
    },
  }
}

/** The sizes of all files in a directory, by the first step of their paths. */
async function sizesIn(directory: string) {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      ignoreMissing(error)
      return []
    },
  )
  const sizes = { total: 0, accounts: new Map<string, number>() }
  for (const entry of found) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const size = await sizeOfFile(path)
    const [account = ''] = path.slice(directory.length + 1).split('/')
    sizes.total += size
    sizes.accounts.set(account, (sizes.accounts.get(account) ?? 0) + size)
  }
  return sizes
}

async function sizeOfFile(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    ignoreMissing(error)
    return 0
  }
}

function ignoreMissing(error: unknown): void {
  if (!hasCode(error, 'ENOENT')) throw error
}
