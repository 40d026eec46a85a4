/**
 * The image cache: images of virtual machines on this host's disk, by their content.
 *
 * `sha256-<hex>` is a disk, `sha256-<hex>-kernel` a kernel with its initramfs. Each is a directory
 * with the files, read-only, and with `image.json`, which describes them. A complete image appears
 * by one rename. Before that it is written in `<key>.partial`, and the next request for the same
 * image continues it.
 *
 * The cache has a limit, and leaves some of the file system free. To make room it evicts the images
 * that were used least recently (by the mtime of the directory). It never evicts an image that an
 * instance uses, one that is being fetched, or one that was just used. If evicting all others would
 * not make enough room, it evicts none.
 */
import { chmod, lstat, mkdir, open, readdir, readFile, rename, utimes } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { noSpace } from '../host/files/space.ts'
import type { Clock } from '../lib/clock.ts'
import { freeBytes } from '../lib/disk-space.ts'
import { syncPath } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { below, removeTree } from '../lib/paths.ts'
import { createQueue } from '../lib/queue.ts'
import { bug, refused, unavailable } from '../model/errors.ts'
import { MIB, mib } from '../model/sizes.ts'

const factsSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('disk'),
    format: z.enum(['qcow2', 'raw']),
    virtualBytes: z.int().positive(),
    bytes: z.int().positive(),
  }),
  z.strictObject({ kind: z.literal('kernel'), bytes: z.int().positive() }),
])
/** What is stored with an image. `bytes` is the total size of its files. */
export type ImageFacts = z.infer<typeof factsSchema>
type Kind = ImageFacts['kind']

export interface CachedImage {
  /** `sha256:…` */
  readonly digest: string
  readonly facts: ImageFacts
  /** The directory of its files: `disk`, or `kernel` and `initrd`. */
  readonly dir: string
}

/** An image that is being fetched. Unless it is installed or discarded, its files stay. */
export interface PartialImage extends Disposable {
  readonly dir: string
  /**
   * Resolves when its files may have this total size. Errors: `refused` when the size does not fit
   * into an empty cache, `unavailable` when there is no room now.
   */
  reserve(bytes: number): Promise<void>
  /** Turns it into an image. The content of its files must be on the disk. */
  install(digest: string, facts: ImageFacts): Promise<CachedImage>
  discard(): Promise<void>
}

interface ImageCache {
  /** The complete image of this kind and digest. Null when there is none. Counts as a use. */
  find(kind: Kind, digest: string): Promise<CachedImage | null>
  /**
   * The partial image of this key (letters and digits), with what was fetched earlier. Only one
   * caller at a time.
   */
  begin(key: string): Promise<PartialImage>
}

interface CacheOptions {
  readonly dir: string
  /** Limit of the whole cache. */
  readonly maxBytes: number
  /** The digests that instances on this host use. */
  readonly inUse: () => Promise<ReadonlySet<string>>
  /** Called with the digest of an evicted image. */
  readonly evicted: (digest: string) => void
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** What the directories themselves do not show. */
interface Claims {
  /** Reserved bytes of each partial image, by directory name. */
  readonly reserved: ReadonlyMap<string, number>
  /** Whether the image in this directory was just used. */
  isRecent(name: string): boolean
}

/** A directory of the cache. */
interface Entry {
  readonly name: string
  /** Null for a partial image. */
  readonly digest: string | null
  readonly bytes: number
  readonly usedAtMs: number
}

/** The files of an image in its directory, in the order of its digest. */
export const IMAGE_FILES = { disk: ['disk'], kernel: ['kernel', 'initrd'] } as const
const FACTS_FILE = 'image.json'
const FACTS_MAX_BYTES = 4096
const IMAGE = /^sha256-(?<hex>[0-9a-f]{64})(?:-kernel)?$/
/**
 * For how long an image is kept after a use. By then the instance that is made from it is in
 * `inUse`.
 */
const RECENT_MS = 10 * 60 * 1000
/** For how long an unfinished partial image is kept. */
const PARTIAL_KEPT_MS = 24 * 3600 * 1000
/** Always left free on the file system. */
const DISK_RESERVE_BYTES = 64 * MIB

/** The cache in `options.dir`, which is created when needed. Only one daemon may use it. */
export function createImageCache(options: CacheOptions): ImageCache {
  const { dir, clock } = options
  /** Monotonic times by directory name. */
  const givenOutAt = new Map<string, number>()
  const reserved = new Map<string, number>()
  const makeRoom = createRoomMaker(options, {
    reserved,
    isRecent: (name) =>
      clock.monotonic() - (givenOutAt.get(name) ?? Number.NEGATIVE_INFINITY) < RECENT_MS,
  })
  const inTurn = createQueue()

  async function find(kind: Kind, digest: string): Promise<CachedImage | null> {
    const name = nameOf(kind, digest)
    const path = below(dir, name)
    // Noted first, so that it is not evicted while it is read.
    givenOutAt.set(name, clock.monotonic())
    const facts = await readComplete(path, kind)
    if (facts === null) {
      givenOutAt.delete(name)
      return null
    }
    await markUsed(path, clock)
    return { digest, facts, dir: path }
  }

  async function install(partial: string, digest: string, facts: ImageFacts): Promise<CachedImage> {
    await complete(partial, facts)
    const there = await find(facts.kind, digest)
    const target = below(dir, nameOf(facts.kind, digest))
    // A directory with this name is not a complete image, and useless.
    await removeTree(dir, basename(there === null ? target : partial))
    if (there !== null) return there
    await rename(partial, target)
    await syncPath(dir)
    const made = await find(facts.kind, digest)
    if (made === null) throw bug('an image is not found where it was put', { target })
    return made
  }

  return {
    find,
    async begin(key) {
      const name = `${key}.partial`
      const path = below(dir, name)
      await mkdir(path, { recursive: true, mode: 0o755 })
      reserved.set(name, 0)
      return {
        dir: path,
        reserve: (bytes) =>
          inTurn(async () => {
            const before = reserved.get(name) ?? 0
            reserved.set(name, bytes)
            await makeRoom().catch((error: unknown) => {
              reserved.set(name, before)
              throw error
            })
          }),
        install: (digest, facts) => inTurn(() => install(path, digest, facts)),
        discard: () => removeTree(dir, name),
        [Symbol.dispose]: () => reserved.delete(name),
      }
    },
  }
}

function nameOf(kind: Kind, digest: string): string {
  return `${digest.replace(':', '-')}${kind === 'kernel' ? '-kernel' : ''}`
}

function digestOfName(name: string): string | null {
  const hex = IMAGE.exec(name)?.groups?.['hex']
  return hex === undefined ? null : `sha256:${hex}`
}

/** Makes it the most recently used one. */
async function markUsed(path: string, clock: Clock): Promise<void> {
  const seconds = clock.now() / 1000
  await utimes(path, seconds, seconds)
}

/** The description in `image.json`. Null unless the files match it. */
async function readComplete(path: string, kind: Kind): Promise<ImageFacts | null> {
  try {
    const { size } = await lstat(below(path, FACTS_FILE))
    if (size > FACTS_MAX_BYTES) return null
    const facts = factsSchema.parse(JSON.parse(await readFile(below(path, FACTS_FILE), 'utf8')))
    const stats = await Promise.all(IMAGE_FILES[kind].map((file) => lstat(below(path, file))))
    const bytes = stats.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)
    return facts.kind === kind && facts.bytes === bytes ? facts : null
  } catch {
    return null
  }
}

/** Removes other files, makes the image's files read-only, and syncs everything to the disk. */
async function complete(dir: string, facts: ImageFacts): Promise<void> {
  const files: readonly string[] = IMAGE_FILES[facts.kind]
  for (const name of await readdir(dir)) if (!files.includes(name)) await removeTree(dir, name)
  // The users that QEMU runs as may read it.
  await chmod(dir, 0o755)
  await using file = await open(below(dir, FACTS_FILE), 'w')
  await file.writeFile(JSON.stringify(facts))
  await file.sync()
  for (const name of [...files, FACTS_FILE]) await chmod(below(dir, name), 0o444)
  await syncPath(dir)
}

/**
 * A function that makes room for everything that is reserved. Only one call at a time. Errors:
 * those of `PartialImage.reserve`.
 */
function createRoomMaker(options: CacheOptions, claims: Claims): () => Promise<void> {
  const { dir, maxBytes, clock, log, metrics } = options
  const size = metrics.gauge(
    'atoll_image_cache_bytes',
    'Size of the image cache, with what is being fetched',
  )
  const evictions = metrics.counter('atoll_image_evictions_total', 'Images removed to make room')
  const sizeToBe = ({ name, bytes }: Entry) => Math.max(bytes, claims.reserved.get(name) ?? 0)
  const expired = ({ digest, usedAtMs }: Entry) =>
    digest === null && clock.now() - usedAtMs > PARTIAL_KEPT_MS

  /** What may be removed: partial images first, then the least recently used. */
  async function removable(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const inUse = await options.inUse()
    for (const { name, digest } of entries)
      if (digest !== null && inUse.has(digest)) await markUsed(below(dir, name), clock)
    const rank = ({ digest, usedAtMs }: Entry) => (digest === null ? 0 : usedAtMs)
    return entries
      .filter(({ name }) => !claims.reserved.has(name) && !claims.isRecent(name))
      .filter(({ digest }) => digest === null || !inUse.has(digest))
      .sort((a, b) => rank(a) - rank(b))
  }

  async function remove({ name, digest, bytes }: Entry): Promise<void> {
    await removeTree(dir, name)
    log.info({ name, bytes }, digest === null ? 'partial image removed' : 'image evicted')
    if (digest === null) return
    evictions.inc()
    options.evicted(digest)
  }

  return async () => {
    const largest = Math.max(0, ...claims.reserved.values())
    if (largest > maxBytes) throw tooLarge(largest, maxBytes)
    const entries = await entriesOf(dir)
    const used = entries.reduce((sum, entry) => sum + sizeToBe(entry), 0)
    const toCome = entries.reduce((sum, entry) => sum + sizeToBe(entry) - entry.bytes, 0)
    const missing = async () => toCome + DISK_RESERVE_BYTES - (await freeBytes(dir))
    const over = used - maxBytes
    const short = await missing()
    const needed = Math.max(over, short)
    const candidates = needed > 0 ? await removable(entries) : entries.filter(expired)
    const most = candidates.reduce((sum, entry) => sum + entry.bytes, 0)
    if (over > most) throw noRoom(used, maxBytes)
    if (short > most) throw noSpace(dir, short)
    let freed = 0
    for (const entry of candidates) {
      if (freed >= needed && !expired(entry)) continue
      await remove(entry)
      freed += entry.bytes
    }
    size.set(used - freed)
    // Removing a file that shares its blocks with another one frees nothing.
    const still = short > 0 ? await missing() : 0
    if (still > 0) throw noSpace(dir, still)
  }
}

async function entriesOf(dir: string): Promise<readonly Entry[]> {
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
      const digest = digestOfName(name)
      const [directory, ...rest] = stats.map((stat) => stat ?? { size: 0, mtimeMs: 0 })
      const written = Math.max(directory?.mtimeMs ?? 0, ...rest.map(({ mtimeMs }) => mtimeMs))
      return {
        name,
        digest,
        bytes: rest.reduce((sum, stat) => sum + stat.size, 0),
        usedAtMs: digest === null ? written : (directory?.mtimeMs ?? 0),
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
