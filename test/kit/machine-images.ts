/**
 * Images of virtual machines for tests: a host's published directory, its cache, and a clock that
 * can be moved.
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import {
  createMachineImages,
  type MachineImages,
  type MachineImagesOptions,
} from '../../src/images/machine-images.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createKeptImages } from '../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { formatId, ID_BYTES } from '../../src/model/ids.ts'
import { MIB } from '../../src/model/sizes.ts'
import type { ImageWant } from '../../src/model/want.ts'
import type { ImageStatus } from '../../src/plan/workloads.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { fastClock } from './fast-clock.ts'
import { outboundTo } from './outbound.ts'

/** The longest that an image takes. */
export const SETTLE_MS = 30_000

export interface ImageFixture {
  readonly dir: string
  /** Where files are published. */
  readonly published: string
  readonly cacheDir: string
  /** Digests that instances are made from. */
  inUse: ReadonlySet<string>
  /** So much later it is: mtimes of files and ages move with it. */
  laterMs: number
  /** A daemon's images, of at most 16 MiB, in a cache of 64 MiB. */
  open(more?: Partial<MachineImagesOptions>): MachineImages & AsyncDisposable
  /** Publishes a file; its location. */
  put(name: string, content: Buffer): Promise<string>
  remove(): Promise<void>
}

/**
 * A new image fixture for each test of the file that calls this, and time enough for disks and
 * connections. Returns what gives the current one.
 */
export function imageFixtureOfEachTest(): () => ImageFixture {
  vi.setConfig({ testTimeout: 2 * SETTLE_MS })
  let fixture: ImageFixture | undefined
  beforeEach(async () => {
    fixture = await createImageFixture()
  })
  afterEach(() => fixture?.remove())
  return () => {
    if (fixture === undefined) throw new Error('no test runs')
    return fixture
  }
}

/**
 * An empty one. Pauses are a twentieth as long; silence is as long as it is, because this machine
 * may be slow.
 */
export async function createImageFixture(): Promise<ImageFixture> {
  const fast = fastClock(20)
  const dir = await mkdtemp(join(tmpdir(), 'atoll-machine-images-'))
  const published = join(dir, 'published')
  const cacheDir = join(dir, 'state', 'image-cache')
  await mkdir(published)
  const clock: Clock = {
    now: () => fast.now() + fixture.laterMs,
    monotonic: () => performance.now() + fixture.laterMs,
    sleep: fast.sleep,
    after: fast.after,
  }
  const fixture: ImageFixture = {
    ...{ dir, published, cacheDir, inUse: new Set(), laterMs: 0 },
    open(more = {}) {
      const images = createMachineImages({
        kept: createKeptImages(dir),
        cacheDir,
        directories: [published],
        maxBytes: 16 * MIB,
        cacheBytes: 64 * MIB,
        inUse: async () => fixture.inUse,
        s3: null,
        clock,
        log: silentLog,
        metrics: createMetrics(),
        outbound: outboundTo('127.0.0.1'),
        ...more,
      })
      return { ...images, [Symbol.asyncDispose]: () => images.close() }
    },
    async put(name, content) {
      await writeFile(join(published, name), content)
      return `file://${join(published, name)}`
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  }
  return fixture
}

/** What an instance wants: an image of this account at the location. */
export function image(location: string, digest: string | null = null, n = 1): ImageWant {
  return {
    id: formatId('ami', Buffer.alloc(ID_BYTES, n)),
    location,
    digest,
    driver: FIRST_DRIVERS.machine,
  }
}

/** What becomes of looking it up. */
export async function settled(images: MachineImages, want: ImageWant): Promise<ImageStatus> {
  const deadline = AbortSignal.timeout(SETTLE_MS)
  const news = Promise.withResolvers<void>()
  let wake = news.resolve
  const end = images.watch(() => wake())
  try {
    for (let next = news.promise; ; ) {
      const look = images.look(want)
      if (look.kind !== 'working') return look
      await Promise.race([next, once(deadline, 'abort')])
      if (deadline.aborted) throw new Error(`still working: ${look.message}`)
      const more = Promise.withResolvers<void>()
      wake = more.resolve
      next = more.promise
    }
  } finally {
    end()
  }
}

/** The failure's sentence. */
export async function failure(
  images: MachineImages,
  location: string,
  digest: string | null = null,
) {
  const look = await settled(images, image(location, digest))
  expect(look).toMatchObject({ kind: 'failed' })
  return look.kind === 'failed' ? look.message : ''
}

/** The content that was kept for this location, and its digest. */
export async function kept(images: MachineImages, location: string, digest: string | null = null) {
  const look = await settled(images, image(location, digest))
  if (look.kind !== 'ready') throw new Error(JSON.stringify(look))
  const details = await images.details(look.digest, location)
  if (details.kind !== 'disk') throw new Error('no disk')
  return { content: await readFile(details.path), details, digest: look.digest }
}

/** The digest of all the parts together. */
export function sha256(...parts: readonly Buffer[]): string {
  return `sha256:${createHash('sha256').update(Buffer.concat(parts)).digest('hex')}`
}

/** A raw disk of noise, behind a boot sector. */
export function noise(bytes: number): Buffer {
  return booted(Buffer.concat([Buffer.alloc(512), randomBytes(bytes - 512)]))
}

/** With the signature of a boot sector. */
export function booted(disk: Buffer): Buffer {
  disk.writeUInt16LE(0xaa55, 510)
  return disk
}
