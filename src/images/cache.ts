/**
 * Images of virtual machines on this host's disk, by their content: `sha256-<hex>` for a disk,
 * `sha256-<hex>-kernel` for a kernel with its initramfs, each a directory with the files,
 * read-only, and with `image.json` that says what they are. They appear there whole, in one step;
 * before that they grow in `<key>.partial`, which whoever is asked for the same next goes on with.
 *
 * The mtime of a directory is when the image was needed last.
 */
import { chmod, lstat, mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { syncPath } from '../lib/files.ts'
import { below, removeTree } from '../lib/paths.ts'
import { createQueue } from '../lib/queue.ts'
import { bug } from '../model/errors.ts'
import { createRoomMaker, markNeeded, type RoomOptions } from './cache-room.ts'

const factsSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('disk'),
    format: z.enum(['qcow2', 'raw']),
    virtualBytes: z.int().positive(),
    bytes: z.int().positive(),
  }),
  z.strictObject({ kind: z.literal('kernel'), bytes: z.int().positive() }),
])
/** What is known of an image; `bytes` is the size of its files together. */
export type ImageFacts = z.infer<typeof factsSchema>
type Kind = ImageFacts['kind']

export interface CachedImage {
  /** `sha256:…` */
  readonly digest: string
  readonly facts: ImageFacts
  /** Where its files are: `disk`, or `kernel` and `initrd`. */
  readonly dir: string
}

interface ImageCache {
  /**
   * The image of this kind with this digest, from now on the one that was needed last; null when it
   * is not here whole.
   */
  find(kind: Kind, digest: string): Promise<CachedImage | null>
  /**
   * Where the image of this key (letters and digits) grows, with what was begun there earlier. One
   * at a time.
   */
  begin(key: string): Promise<Growing>
}

/**
 * An image that is being fetched. Disposed of without `install` or `discard`, it stays for whoever
 * goes on with it.
 */
export interface Growing extends Disposable {
  readonly dir: string
  /**
   * Resolves when its files may be `bytes` large together. Errors: `refused` and `unavailable` with
   * what is in the way.
   */
  need(bytes: number): Promise<void>
  /** Makes it an image. The content of its files is on the disk already. */
  install(digest: string, facts: ImageFacts): Promise<CachedImage>
  discard(): Promise<void>
}

/** The files of an image in its directory, in the order of its digest. */
export const IMAGE_FILES = { disk: ['disk'], kernel: ['kernel', 'initrd'] } as const
const FACTS_FILE = 'image.json'
const FACTS_MAX_BYTES = 4096
const IMAGE = /^sha256-(?<hex>[0-9a-f]{64})(?:-kernel)?$/
/**
 * What was given out is not evicted for so long: until then the instance that is made of it is
 * known to be.
 */
const JUST_NEEDED_MS = 10 * 60 * 1000

/** The cache in `options.dir`, which is made when it is needed. One daemon at a time uses it. */
export function createImageCache(options: RoomOptions): ImageCache {
  const { dir, clock } = options
  /** Monotonic times by directory name. */
  const neededAt = new Map<string, number>()
  const growing = new Map<string, number>()
  const makeRoom = createRoomMaker(options, {
    growing,
    justNeeded: (name) =>
      clock.monotonic() - (neededAt.get(name) ?? Number.NEGATIVE_INFINITY) < JUST_NEEDED_MS,
    digestOf: (name) => {
      const hex = IMAGE.exec(name)?.groups?.['hex']
      return hex === undefined ? null : `sha256:${hex}`
    },
  })
  const alone = createQueue()

  async function find(kind: Kind, digest: string): Promise<CachedImage | null> {
    const name = nameOf(kind, digest)
    const path = below(dir, name)
    // First, so that it is not evicted while we look at it.
    neededAt.set(name, clock.monotonic())
    const facts = await readWhole(path, kind)
    if (facts === null) {
      neededAt.delete(name)
      return null
    }
    await markNeeded(path, clock)
    return { digest, facts, dir: path }
  }

  async function install(place: string, digest: string, facts: ImageFacts): Promise<CachedImage> {
    await seal(place, facts)
    const there = await find(facts.kind, digest)
    const target = below(dir, nameOf(facts.kind, digest))
    // What is there and not whole is nobody's any more.
    await removeTree(dir, basename(there === null ? target : place))
    if (there !== null) return there
    await rename(place, target)
    await syncPath(dir)
    const made = await find(facts.kind, digest)
    if (made === null) throw bug('an image is not found where it was put', { target })
    return made
  }

  return {
    find,
    async begin(key) {
      const name = `${key}.partial`
      const place = below(dir, name)
      await mkdir(place, { recursive: true, mode: 0o755 })
      growing.set(name, 0)
      return {
        dir: place,
        need: (bytes) =>
          alone(async () => {
            const before = growing.get(name) ?? 0
            growing.set(name, bytes)
            await makeRoom().catch((error: unknown) => {
              growing.set(name, before)
              throw error
            })
          }),
        install: (digest, facts) => alone(() => install(place, digest, facts)),
        discard: () => removeTree(dir, name),
        [Symbol.dispose]: () => growing.delete(name),
      }
    },
  }
}

function nameOf(kind: Kind, digest: string): string {
  return `${digest.replace(':', '-')}${kind === 'kernel' ? '-kernel' : ''}`
}

/** What the directory says of itself, when that is so. */
async function readWhole(path: string, kind: Kind): Promise<ImageFacts | null> {
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

/** Removes what is not the image's, makes the rest read-only, and has it on the disk. */
async function seal(place: string, facts: ImageFacts): Promise<void> {
  const files: readonly string[] = IMAGE_FILES[facts.kind]
  for (const name of await readdir(place)) if (!files.includes(name)) await removeTree(place, name)
  // Whoever runs the guests may read what is in it.
  await chmod(place, 0o755)
  await using file = await open(below(place, FACTS_FILE), 'w')
  await file.writeFile(JSON.stringify(facts))
  await file.sync()
  for (const name of [...files, FACTS_FILE]) await chmod(below(place, name), 0o444)
  await syncPath(place)
}
