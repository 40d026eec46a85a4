/** Images of virtual machines: from files and from a web server that misbehaves, into a cache that is too small. */

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createMachineImages,
  type MachineImages,
  type MachineImagesOptions,
} from '../../../src/images/machine-images.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import type { Log } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { createKeptImages } from '../../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { explain } from '../../../src/model/errors.ts'
import { formatId, ID_BYTES, parseAccountId } from '../../../src/model/ids.ts'
import type { ImageWant } from '../../../src/model/want.ts'
import type { ImageLook } from '../../../src/plan/workloads.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { type FileServer, serveFile, startFileServer } from '../../kit/file-server.ts'
import { hurriedClock } from '../../kit/hurried.ts'
import { bzImage, cpio } from '../../kit/image-contents.ts'
import { outboundTo } from '../../kit/outbound.ts'

const MIB = 1024 * 1024
const HOUR_MS = 3_600_000
const SETTLE_MS = 30_000
/** Pauses are a twentieth as long; half a minute of silence is half a minute, because this machine may be slow. */
const hurried = hurriedClock(20)
/** Where somebody must fall silent, half a minute is a second: a request of ours must have arrived within it. */
const impatient = hurriedClock(30)

/** They wait for disks and connections. */
vi.setConfig({ testTimeout: 2 * SETTLE_MS })

let dir: string
let shelf: string
let cacheDir: string
let inUse: Set<string>
let laterMs: number
/** Some time later: mtimes of files and ages move with `laterMs`. */
const clock: Clock = {
  now: () => hurried.now() + laterMs,
  monotonic: () => performance.now() + laterMs,
  sleep: hurried.sleep,
  after: hurried.after,
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-machine-images-'))
  shelf = join(dir, 'shelf')
  cacheDir = join(dir, 'state', 'image-cache')
  await mkdir(shelf)
  inUse = new Set()
  laterMs = 0
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function open(more: Partial<MachineImagesOptions> = {}): MachineImages & AsyncDisposable {
  const images = createMachineImages({
    kept: createKeptImages(dir),
    cacheDir,
    directories: [shelf],
    maxBytes: 16 * MIB,
    cacheBytes: 64 * MIB,
    inUse: async () => inUse,
    s3: null,
    clock,
    log: silentLog,
    metrics: createMetrics(),
    outbound: outboundTo('127.0.0.1'),
    ...more,
  })
  return { ...images, [Symbol.asyncDispose]: () => images.close() }
}

function image(location: string, digest: string | null = null, n = 1): ImageWant {
  return {
    id: formatId('ami', Buffer.alloc(ID_BYTES, n)),
    location,
    digest,
    driver: FIRST_DRIVERS.machine,
  }
}

async function settled(images: MachineImages, want: ImageWant): Promise<ImageLook> {
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
async function failure(images: MachineImages, location: string, digest: string | null = null) {
  const look = await settled(images, image(location, digest))
  expect(look).toMatchObject({ kind: 'failed' })
  return look.kind === 'failed' ? look.message : ''
}

/** The content that was kept for this location, and its digest. */
async function kept(images: MachineImages, location: string, digest: string | null = null) {
  const look = await settled(images, image(location, digest))
  if (look.kind !== 'ready') throw new Error(JSON.stringify(look))
  const details = await images.details(look.digest, location)
  if (details.kind !== 'disk') throw new Error('no disk')
  return { content: await readFile(details.path), details, digest: look.digest }
}

function sha256(...parts: readonly Buffer[]): string {
  return `sha256:${createHash('sha256').update(Buffer.concat(parts)).digest('hex')}`
}

/** A raw disk of noise, behind a boot sector. */
function noise(bytes: number): Buffer {
  return booted(Buffer.concat([Buffer.alloc(512), randomBytes(bytes - 512)]))
}

/** With the signature of a boot sector. */
function booted(disk: Buffer): Buffer {
  disk.writeUInt16LE(0xaa55, 510)
  return disk
}

async function put(name: string, content: Buffer): Promise<string> {
  await writeFile(join(shelf, name), content)
  return `file://${join(shelf, name)}`
}

describe('files', () => {
  test('a raw disk is copied, pinned, read-only, and found by a fresh daemon without its source', async () => {
    const content = noise(MIB)
    const location = await put('a.img', content)
    {
      await using images = open()
      const { details, ...got } = await kept(images, location)
      expect(got).toEqual({ content, digest: sha256(content) })
      expect(details).toMatchObject({ format: 'raw', virtualBytes: MIB, architecture: 'x86_64' })
      expect((await stat(details.path)).mode & 0o777).toBe(0o444)
    }
    await rm(join(shelf, 'a.img'))
    await using images = open()
    expect((await kept(images, location, sha256(content))).content).toEqual(content)
    expect(await readdir(cacheDir)).toEqual([sha256(content).replace(':', '-')])
  })

  test('a kernel and its initramfs are pinned together', async () => {
    const kernel = bzImage()
    const initrd = cpio(777)
    const [k, i] = [await put('vmlinuz', kernel), await put('initrd', initrd)]
    await using images = open()
    const location = `kernel=${k},initrd=${i}#machine=microvm`
    const look = await settled(images, image(location))
    expect(look).toMatchObject({ kind: 'ready', digest: sha256(kernel, initrd) })
    const details = await images.details(sha256(kernel, initrd), location)
    if (details.kind !== 'kernel') throw new Error('no kernel')
    expect(details.options.machine).toBe('microvm')
    expect(await readFile(details.kernelPath)).toEqual(kernel)
    expect(await readFile(details.initrdPath)).toEqual(initrd)
    // The same bytes as a disk are another image.
    await expect(
      images.details(sha256(kernel, initrd), k.replace('vmlinuz', 'x.img')),
    ).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test.each([
    ['no kernel', Buffer.alloc(4096), cpio(200), /neither a bzImage nor an ELF/],
    ['no initramfs', bzImage(), randomBytes(10), /is no initramfs/],
    ['an empty initramfs', bzImage(), Buffer.alloc(0), /is no initramfs/],
  ])('%s', async (_what, kernel, initrd, message) => {
    const [k, i] = [await put('vmlinuz', kernel), await put('initrd', initrd)]
    await using images = open()
    expect(await failure(images, `kernel=${k},initrd=${i}`)).toMatch(message)
    expect(await readdir(cacheDir)).toEqual([])
  })

  test('nothing outside of the directories, by name or by symbolic link, and nothing but files', async () => {
    await writeFile(join(dir, 'secret.img'), noise(1024))
    await symlink(join(dir, 'secret.img'), join(shelf, 'link.img'))
    await symlink(dir, join(shelf, 'way'))
    await mkdir(join(shelf, 'directory.img'))
    await using images = open()
    for (const name of ['secret.img', 'shelf/link.img', 'shelf/way/secret.img'])
      expect(await failure(images, `file://${dir}/${name}`)).toMatch(/is not a published image/)
    for (const name of ['directory.img', 'none.img'])
      expect(await failure(images, `file://${shelf}/${name}`)).toMatch(/is not a published image/)
    expect(await failure(images, 's3://bucket/key.img')).toMatch(/images\.s3/)
    expect(await failure(images, 'docker://web')).toMatch(/not a virtual machine's/)
  })

  test('both digests must hold, and a file that has another leaves nothing behind', async () => {
    const content = noise(4096)
    const location = await put('a.img', content)
    const right = sha256(content)
    const wrong = sha256(Buffer.from('wrong'))
    const asking = (digest: string) => `${location}#sha256=${digest.slice('sha256:'.length)}`
    await using images = open()
    for (const [want, digest] of [
      [asking(wrong), null],
      [location, wrong],
    ] as const) {
      const message = await failure(images, want, digest)
      expect(message).not.toContain(right)
      expect(message).toContain(wrong)
    }
    expect(await failure(images, asking(right), wrong)).toMatch(/asks for .* is pinned/)
    expect(await readdir(cacheDir)).toEqual([])
    expect((await kept(images, asking(right), right)).digest).toBe(right)
  })

  test('a file larger than the limit', async () => {
    const location = await put('a.img', noise(MIB))
    await using images = open({ maxBytes: MIB - 1 })
    expect(await failure(images, location)).toMatch(/images\.maxGiB/)
  })
})

describe('a web server', () => {
  const content = noise(3 * MIB)
  const tag = '"one"'

  test('that breaks off again and again is gone on with', async () => {
    await using server = await startFileServer((request, response, before) =>
      serveFile(request, response, { content, tag }, before < 4 ? { cutAfter: 600_000 } : {}),
    )
    await using images = open()
    expect((await kept(images, server.url)).content).toEqual(content)
    const [first, ...rest] = server.ranges
    expect(first).toBeNull()
    expect(rest).toHaveLength(4)
    const starts = rest.map((range) => Number(range?.replace(/\D/g, '') ?? 0))
    // What had arrived and was not read yet when the connection broke may be lost, even all of it: it stands still, and never goes back.
    expect(starts.every((start, n) => start >= (starts[n - 1] ?? 0))).toBe(true)
  })

  test('that breaks off anywhere, and changes the file anywhere, gives the last content whole', async () => {
    const script = fc.array(
      fc.record({
        cutAfter: fc.nat(3000),
        change: fc.boolean(),
        tagged: fc.boolean(),
        heedless: fc.boolean(),
      }),
      { maxLength: 4 },
    )
    await fc.assert(
      fc.asyncProperty(script, async (steps) => {
        let version = 0
        const versions = [0, 1, 2, 3, 4].map((n) => booted(Buffer.alloc(2048 + 512 * n, n)))
        const served = (tagged: boolean) => ({
          content: versions[version] ?? Buffer.alloc(0),
          tag: tagged ? `"${version}"` : null,
        })
        await using server = await startFileServer((request, response, before) => {
          const step = steps[before]
          serveFile(request, response, served(step?.tagged ?? true), step ?? {})
          if (step?.change === true && version < 3) version += 1
        })
        await using images = open({
          cacheDir: join(dir, `cache-${randomBytes(8).toString('hex')}`),
        })
        const got = (await kept(images, server.url)).content
        // Whole, and of one version: nothing of an older one in it.
        expect(versions.some((one) => one.equals(got))).toBe(true)
        expect(got.length).toBeGreaterThan(0)
      }),
      { numRuns: 25 },
    )
  })

  test('that was left by one daemon is gone on with by the next', async () => {
    const half = content.length / 2
    let held: ServerResponse | undefined
    await using server = await startFileServer((request, response, before) => {
      if (before > 0) return serveFile(request, response, { content, tag })
      held = response
      response.writeHead(200, { etag: tag, 'content-length': content.length })
      response.write(content.subarray(0, half))
    })
    {
      await using images = open()
      await untilFile(join(cacheDir), half, images, image(server.url))
    }
    await vi.waitUntil(() => held?.destroyed)
    await using images = open()
    expect((await kept(images, server.url)).content).toEqual(content)
    expect(server.ranges).toEqual([null, `bytes=${half}-`])
  })

  test('tells how far it is', async () => {
    await using server = await startFileServer((_request, response) => {
      response.writeHead(200, { etag: tag, 'content-length': content.length })
      response.write(content.subarray(0, 2 * MIB))
    })
    await using images = open()
    await untilFile(cacheDir, 2 * MIB, images, image(server.url))
    expect(images.look(image(server.url))).toEqual({
      kind: 'working',
      message: 'Downloading: 66 % of 3 MiB',
    })
  })

  test('that does not say how long the file is', async () => {
    await using server = await startFileServer((_request, response) => {
      response.write(content.subarray(0, MIB))
      response.end(content.subarray(MIB))
    })
    await using images = open()
    expect((await kept(images, server.url)).content).toEqual(content)
  })

  test.each<readonly [string, number | null, RegExp, (response: ServerResponse) => void]>([
    [
      'sends less than it says',
      6,
      /aborted|ended after/,
      (response) => {
        response.writeHead(200, { 'content-length': 2 * 4096 })
        response.write(Buffer.alloc(4096), () => response.destroy())
      },
    ],
    [
      'says that it is too long',
      1,
      /images\.maxGiB/,
      (response) => {
        response.writeHead(200, { 'content-length': 17 * MIB })
        response.flushHeaders()
      },
    ],
    [
      'sends too much',
      1,
      /images\.maxGiB/,
      (response) => {
        const more = (): void => {
          while (response.write(Buffer.alloc(MIB)));
          response.once('drain', more)
        }
        more()
      },
    ],
    [
      'falls silent',
      // It begins anew each time instead of going on where it was, which is put up with three times.
      5,
      /silent for 30 seconds/,
      (response) => {
        response.writeHead(200, { 'content-length': 4096, etag: tag })
        response.write(Buffer.alloc(1024))
      },
    ],
    ['says nothing at all', null, /silent for 30 seconds|not begun in time/, () => undefined],
    [
      'redirects for ever',
      36,
      /redirects more than 5 times/,
      (response) => {
        response.writeHead(302, { location: '/image.img' }).end()
      },
    ],
    [
      'redirects to a file',
      6,
      /redirects to file:/,
      (response) => {
        response.writeHead(302, { location: 'file:///etc/shadow' }).end()
      },
    ],
    [
      'redirects to nowhere',
      6,
      /where to/,
      (response) => {
        response.writeHead(302).end()
      },
    ],
    [
      'redirects with a password',
      6,
      /password/,
      (response) => {
        response.writeHead(302, { location: 'http://a:b@127.0.0.1/x.img' }).end()
      },
    ],
    [
      'packs what it sends',
      6,
      /encoded \(gzip\)/,
      (response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(512))
      },
    ],
    [
      'does not have it',
      6,
      /status 404/,
      (response) => {
        response.writeHead(404).end('<html>')
      },
    ],
    [
      'is overloaded',
      6,
      /status 503/,
      (response) => {
        response.writeHead(503).end()
      },
    ],
    [
      'sends nothing',
      1,
      /is empty/,
      (response) => {
        response.end()
      },
    ],
    [
      'sends an error page',
      1,
      /is a web page/,
      (response) => {
        response.end(`<!DOCTYPE html>${' '.repeat(512)}`)
      },
    ],
  ])('that %s', async (_what, requests, why, answer) => {
    await using server = await startFileServer((_request, response) => answer(response))
    const { log, reasons } = reasonsLog()
    const clocks = why.source.includes('silent') ? { clock: impatient } : {}
    await using images = open({ log, ...clocks })
    const message = await failure(images, server.url)
    // What it says of itself when it has sent something is told; all else is for the log.
    if (/maxGiB|web page|empty/.test(why.source)) expect(message).toMatch(why)
    else expect(message).toBe(`${server.url} cannot be fetched from this host`)
    expect(reasons()).toMatch(why)
    if (requests !== null) expect(server.ranges).toHaveLength(requests)
  })

  test('that cannot be reached', async () => {
    const server: FileServer = await startFileServer(() => undefined)
    await server[Symbol.asyncDispose]()
    const { log, reasons } = reasonsLog()
    await using images = open({ log })
    expect(await failure(images, server.url)).toBe(`${server.url} cannot be fetched from this host`)
    expect(reasons()).toMatch(/ECONNREFUSED/)
  })

  test('that sends a byte now and then is given up, and others of the account wait no longer than that', async () => {
    await using slow = await startFileServer((_request, response) => {
      response.writeHead(200, { 'content-length': MIB, etag: tag })
      const timer = setInterval(() => response.write('x'), 100)
      response.on('close', () => clearInterval(timer))
    })
    await using good = await startFileServer((request, response) =>
      serveFile(request, response, { content, tag }),
    )
    const { log, reasons } = reasonsLog()
    await using images = open({ log, clock: hurriedClock(60) })
    const wants = [1, 2, 3].map((n) => image(`${slow.url}?${n}`, null, n))
    for (const want of wants) images.look(want)
    const other = { ...image(good.url, null, 9), account: parseAccountId('123456789012') }
    // Another account's is not behind them.
    expect(await settled(images, other)).toMatchObject({ kind: 'ready' })
    for (const want of wants) expect(await settled(images, want)).toMatchObject({ kind: 'failed' })
    expect(reasons()).toMatch(/less than 491520 bytes in a minute|silent/)
  })
})

/** A log that keeps why images failed. */
function reasonsLog() {
  const errors: unknown[] = []
  const log: Log = {
    ...silentLog,
    warn: (fields) => errors.push(Reflect.get(fields, 'error')),
  }
  return { log, reasons: () => errors.map((error) => explain(error)).join('\n') }
}

/** Waits until a partial file of so many bytes is there. */
async function untilFile(root: string, bytes: number, images: MachineImages, want: ImageWant) {
  const deadline = AbortSignal.timeout(SETTLE_MS)
  for (;;) {
    deadline.throwIfAborted()
    const look = images.look(want)
    if (look.kind !== 'working') throw new Error(JSON.stringify(look))
    for (const name of await readdir(root).catch(() => []))
      if ((await stat(join(root, name, 'disk')).catch(() => null))?.size === bytes) return
    await hurried.sleep(200)
  }
}

describe('the cache', () => {
  /** Puts four images of 1 MiB in place, an hour apart, into a cache for four. */
  async function filled(more: Partial<MachineImagesOptions> = {}) {
    const images = open({ cacheBytes: 4 * MIB + 4096, ...more })
    const contents = [1, 2, 3, 4].map(() => noise(MIB))
    const locations: string[] = []
    for (const [n, content] of contents.entries()) {
      const location = await put(`${n}.img`, content)
      locations.push(location)
      await kept(images, location)
      laterMs += HOUR_MS
    }
    return { images, locations, digests: contents.map((content) => sha256(content)) }
  }
  const present = async () =>
    (await readdir(cacheDir))
      .filter((name) => !name.endsWith('.partial'))
      .map((name) => name.replace('-', ':'))
      .sort()

  test('gives up what was not needed for longest', async () => {
    const { images, locations, digests } = await filled()
    await using _end = images
    await images.details(digests[0] ?? '', locations[0] ?? '')
    const fifth = noise(MIB)
    laterMs += HOUR_MS
    await kept(images, await put('5.img', fifth))
    expect(await present()).toEqual([digests[0], digests[2], digests[3], sha256(fifth)].sort())
    // What is gone is known to be gone.
    await expect(images.details(digests[1] ?? '', locations[1] ?? '')).rejects.toMatchObject({
      kind: 'unavailable',
    })
    expect(images.look(image(locations[1] ?? ''))).toMatchObject({ kind: 'working' })
    await settled(images, image(locations[1] ?? ''))
  })

  test('never gives up what is in use', async () => {
    const { images, digests } = await filled()
    await using _end = images
    inUse = new Set([digests[0] ?? '', digests[1] ?? ''])
    const fifth = noise(MIB)
    await kept(images, await put('5.img', fifth))
    expect(await present()).toEqual([digests[0], digests[1], digests[3], sha256(fifth)].sort())
    inUse = new Set([...digests, sha256(fifth)])
    laterMs += HOUR_MS
    const before = await present()
    expect(await failure(images, await put('6.img', noise(MIB)))).toMatch(
      /everything in it is in use.*images\.cacheGiB/,
    )
    expect(await present()).toEqual(before)
  })

  test('never gives up what was just given out', async () => {
    const { images, locations, digests } = await filled()
    await using _end = images
    for (const [n, digest] of digests.entries()) await images.details(digest, locations[n] ?? '')
    expect(await failure(images, await put('5.img', noise(MIB)))).toMatch(
      /everything in it is in use/,
    )
    expect(await present()).toEqual([...digests].sort())
  })

  test('refuses what would not even fit into an empty one, and gives up nothing for it', async () => {
    const { images, digests } = await filled()
    await using _end = images
    expect(await failure(images, await put('5.img', noise(5 * MIB)))).toMatch(
      /5 MiB does not fit into the image cache of 5 MiB/,
    )
    expect(await present()).toEqual([...digests].sort())
  })

  test('of a small cache with an unknown length', async () => {
    const { images, digests } = await filled()
    await using _end = images
    await using server = await startFileServer((_request, response) => {
      for (let n = 0; n < 5; n += 1) response.write(Buffer.alloc(MIB))
      response.end()
    })
    expect(await failure(images, server.url)).toMatch(/does not fit/)
    expect(await present()).toEqual([...digests].sort())
  })

  test('removes leftovers of yesterday, and replaces what is torn', async () => {
    const content = noise(MIB)
    const digest = sha256(content)
    const [old, torn] = [join(cacheDir, 'abc.partial'), join(cacheDir, digest.replace(':', '-'))]
    for (const place of [old, torn]) {
      await mkdir(place, { recursive: true })
      await writeFile(join(place, 'disk'), content.subarray(0, 1000))
      const yesterday = Date.now() / 1000 - 2 * 86_400
      for (const path of [join(place, 'disk'), place]) await utimes(path, yesterday, yesterday)
    }
    const facts = { kind: 'disk', format: 'raw', virtualBytes: MIB, bytes: MIB }
    await writeFile(join(torn, 'image.json'), JSON.stringify(facts))
    await using images = open()
    const location = await put('a.img', content)
    expect((await kept(images, location, digest)).content).toEqual(content)
    expect(await present()).toEqual([digest])
  })

  test.each([
    ['nothing', ''],
    ['half a thing', '{'],
    ['another format', '{"kind":"disk","format":"vmdk","virtualBytes":1048576,"bytes":1048576}'],
    ['less than nothing', '{"kind":"disk","format":"raw","virtualBytes":-1,"bytes":1048576}'],
    ['another size', '{"kind":"disk","format":"raw","virtualBytes":1048576,"bytes":1048575}'],
    ['another kind', '{"kind":"kernel","bytes":1048576}'],
    [
      'far too much',
      `${' '.repeat(5000)}{"kind":"disk","format":"raw","virtualBytes":1048576,"bytes":1048576}`,
    ],
  ])('believes no image.json that says %s', async (_what, facts) => {
    const content = noise(MIB)
    const digest = sha256(content)
    const location = await put('a.img', content)
    await using images = open()
    await kept(images, location)
    const file = join(cacheDir, digest.replace(':', '-'), 'image.json')
    await writeFile(file, facts)
    await expect(images.details(digest, location)).rejects.toMatchObject({ kind: 'unavailable' })
    expect((await kept(images, location)).content).toEqual(content)
  })

  test('many images at once, and the same one by many names', async () => {
    const contents = Array.from({ length: 12 }, () => noise(64 * 1024))
    await using images = open()
    const locations = await Promise.all(contents.map((content, n) => put(`${n}.img`, content)))
    const wants = locations.flatMap((location) => [1, 2].map((n) => image(location, null, n)))
    const looks = await Promise.all(wants.map((want) => settled(images, want)))
    expect(looks.every(({ kind }) => kind === 'ready')).toBe(true)
    expect(await present()).toEqual(contents.map((content) => sha256(content)).sort())
  })
})
