/**
 * Room in the image cache: under its own limit and on the file system, by removing what was not
 * needed for longest.
 *
 * What an instance is made from never goes, nor what is growing or was just needed. Nothing goes in
 * vain: when all that may go is not enough, it stays.
 */
import { lstat, readdir, utimes } from 'node:fs/promises'
import { noSpace } from '../host/files/space.ts'
import type { Clock } from '../lib/clock.ts'
import { freeBytes } from '../lib/disk-space.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { below, removeTree } from '../lib/paths.ts'
import { refused, unavailable } from '../model/errors.ts'
import { MIB, mib } from '../model/sizes.ts'

export interface RoomOptions {
  readonly dir: string
  /** Of everything in it. */
  readonly maxBytes: number
  /** Digests that instances on this host are made from. */
  readonly inUse: () => Promise<ReadonlySet<string>>
  /** Called with the digest of what is no longer there. */
  readonly evicted: (digest: string) => void
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** What the cache knows of its directories that they do not show. */
interface Claims {
  /** Sizes that were promised to what is growing, by directory name. */
  readonly growing: ReadonlyMap<string, number>
  /** Whether an image may be about to be used. */
  justNeeded(name: string): boolean
  /** The digest in the name of an image's directory; null for everything else. */
  digestOf(name: string): string | null
}

/** A leftover that nobody went on with for so long is removed. */
const LEFTOVER_KEPT_MS = 24 * 3600 * 1000
/** Always left free on the file system. */
const DISK_RESERVE_BYTES = 64 * MIB

/** One directory of the cache. */
interface Entry {
  readonly name: string
  /** Null for an image that is not whole yet. */
  readonly digest: string | null
  readonly bytes: number
  readonly neededAtMs: number
}

/**
 * A function that makes room for all that is growing. Not to be called again before it is done.
 * Errors: `refused` when something would not even fit into an empty cache, `unavailable` when there
 * is no room now.
 */
export function createRoomMaker(options: RoomOptions, claims: Claims): () => Promise<void> {
  const { dir, maxBytes, clock, log, metrics } = options
  const size = metrics.gauge(
    'atoll_image_cache_bytes',
    'Size of the image cache, with what is being fetched',
  )
  const evictions = metrics.counter('atoll_image_evictions_total', 'Images removed to make room')
  const promised = ({ name, bytes }: Entry) => Math.max(bytes, claims.growing.get(name) ?? 0)
  const expired = ({ digest, neededAtMs }: Entry) =>
    digest === null && clock.now() - neededAtMs > LEFTOVER_KEPT_MS

  /** What may go: what was begun and left first, then by when it was needed last. */
  async function spareOf(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const inUse = await options.inUse()
    for (const { name, digest } of entries)
      if (digest !== null && inUse.has(digest)) await markNeeded(below(dir, name), clock)
    const rank = ({ digest, neededAtMs }: Entry) => (digest === null ? 0 : neededAtMs)
    return entries
      .filter(({ name }) => !claims.growing.has(name) && !claims.justNeeded(name))
      .filter(({ digest }) => digest === null || !inUse.has(digest))
      .sort((a, b) => rank(a) - rank(b))
  }

  async function remove({ name, digest, bytes }: Entry): Promise<void> {
    await removeTree(dir, name)
    log.info({ name, bytes }, digest === null ? 'leftover of an image removed' : 'image evicted')
    if (digest === null) return
    evictions.inc()
    options.evicted(digest)
  }

  return async () => {
    const largest = Math.max(0, ...claims.growing.values())
    if (largest > maxBytes) throw tooLarge(largest, maxBytes)
    const entries = await entriesOf(dir, claims)
    const used = entries.reduce((sum, entry) => sum + promised(entry), 0)
    const toCome = entries.reduce((sum, entry) => sum + promised(entry) - entry.bytes, 0)
    const missing = async () => toCome + DISK_RESERVE_BYTES - (await freeBytes(dir))
    const over = used - maxBytes
    const short = await missing()
    const enough = Math.max(over, short)
    const spare = enough > 0 ? await spareOf(entries) : entries.filter(expired)
    const most = spare.reduce((sum, entry) => sum + entry.bytes, 0)
    if (over > most) throw noRoom(used, maxBytes)
    if (short > most) throw noSpace(dir, short)
    let freed = 0
    for (const entry of spare) {
      if (freed >= enough && !expired(entry)) continue
      await remove(entry)
      freed += entry.bytes
    }
    size.set(used - freed)
    // A file that shares its blocks with another gives none of them back.
    const still = short > 0 ? await missing() : 0
    if (still > 0) throw noSpace(dir, still)
  }
}

/** Makes it the one that was needed last. */
export async function markNeeded(path: string, clock: Clock): Promise<void> {
  const seconds = clock.now() / 1000
  await utimes(path, seconds, seconds)
}

async function entriesOf(dir: string, { digestOf }: Claims): Promise<readonly Entry[]> {
  const names = await readdir(dir)
  return Promise.all(
    names.map(async (name) => {
      const path = below(dir, name)
      const files = await readdir(path).catch(() => [])
      const stats = await Promise.all(
        [path, ...files.map((file) => below(path, file))].map((one) =>
          lstat(one).catch(() => null),
        ),
      )
      const digest = digestOf(name)
      const [directory, ...rest] = stats.map((stat) => stat ?? { size: 0, mtimeMs: 0 })
      const written = Math.max(directory?.mtimeMs ?? 0, ...rest.map(({ mtimeMs }) => mtimeMs))
      return {
        name,
        digest,
        bytes: rest.reduce((sum, stat) => sum + stat.size, 0),
        neededAtMs: digest === null ? written : (directory?.mtimeMs ?? 0),
      }
    }),
  )
}

function tooLarge(bytes: number, maxBytes: number): Error {
  return refused(
    'InvalidParameterValue',
    `an image of ${mib(bytes)} does not fit into the image cache of ${mib(maxBytes)} (setting images.cacheGiB)`,
  )
}

function noRoom(used: number, maxBytes: number): Error {
  return unavailable(
    `the image cache of ${mib(maxBytes)} would have to hold ${mib(used)}, and everything in it is in use; ` +
      'raise the setting images.cacheGiB or terminate instances',
  )
}
