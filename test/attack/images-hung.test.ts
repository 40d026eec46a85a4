/**
 * Sources of images that hang: they accept a connection and send nothing, or stop (SIGSTOP) during
 * a transfer.
 *
 * Held when first tried: they take two places of their account at most, images of other accounts
 * are fetched meanwhile, and an image that is given up says why. A transfer that resumes is
 * continued.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMachineImages, type MachineImages } from '../../src/images/machine-images.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createKeptImages } from '../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { type AccountId, formatId, ID_BYTES } from '../../src/model/ids.ts'
import { MIB } from '../../src/model/sizes.ts'
import type { ImageStatus } from '../../src/plan/workloads.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { fastClock } from '../kit/fast-clock.ts'
import { outboundTo } from '../kit/outbound.ts'

/** Half a minute is a second and a half. */
const TIMES = 20
const DEADLINE_MS = 60_000
const ATTACKER = '111111111111' as AccountId
const OTHER = '222222222222' as AccountId

/** Serves a disk of 8 MiB with a boot sector, a piece every 20 ms, and says its port. */
const SLOW_SERVER = `
  const { createServer } = require('node:http')
  const disk = Buffer.alloc(8 * 1024 ** 2, 'noise')
  disk.writeUInt16LE(0xaa55, 510)
  createServer(async (request, response) => {
    const from = Number(/bytes=(\\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const range = 'bytes ' + from + '-' + (disk.length - 1) + '/' + disk.length
    response.writeHead(from > 0 ? 206 : 200, {
      etag: '"one"',
      'content-length': disk.length - from,
      ...(from > 0 ? { 'content-range': range } : {}),
    })
    for (let at = from; at < disk.length && !response.destroyed; at += 65536) {
      response.write(disk.subarray(at, at + 65536))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    response.end()
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port) })
`

let dir: string
const ends: (() => unknown)[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-attack-images-hung-'))
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  await rm(dir, { recursive: true, force: true })
})

function open(endpoint?: string, times = TIMES): MachineImages {
  const images = createMachineImages({
    kept: createKeptImages(dir),
    cacheDir: join(dir, 'cache'),
    directories: [],
    maxBytes: 16 * MIB,
    cacheBytes: 1024 * MIB,
    inUse: async () => new Set(),
    s3:
      endpoint === undefined
        ? null
        : { endpoints: [endpoint], region: 'a', accessKeyId: 'k', secretAccessKey: 's' },
    clock: fastClock(times),
    log: silentLog,
    metrics: createMetrics(),
    outbound: outboundTo('127.0.0.1'),
  })
  ends.push(() => images.close())
  return images
}

/** One client's image; gives what is known of it now. */
function ask(images: MachineImages, account: AccountId, location: string) {
  const id = formatId('ami', randomBytes(ID_BYTES))
  const want = { id, location, digest: null, driver: FIRST_DRIVERS.machine, account }
  return () => images.look(want)
}

/** Takes connections and says nothing. Gives its URL and how many it has taken. */
async function silent() {
  let taken = 0
  const server = createTcpServer((socket) => {
    taken += 1
    socket.on('error', () => undefined)
    ends.push(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, taken: () => taken }
}

/** What a client of another account has, at the usual speed. */
async function othersStillWork(images: MachineImages): Promise<void> {
  const disk = Buffer.alloc(MIB)
  disk.writeUInt16LE(0xaa55, 510)
  const server = createServer((_request, response) => response.end(disk))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  const { port } = server.address() as AddressInfo
  const one = ask(images, OTHER, `http://127.0.0.1:${port}/${randomBytes(4).toString('hex')}.img`)
  await eventually('another image is ready', () => one().kind === 'ready', DEADLINE_MS)
}

async function slowServer(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, ['-e', SLOW_SERVER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  ends.push(() => child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return { url: `http://127.0.0.1:${port.toString().trim()}`, child }
}

/** Bytes that are here of images under way. */
async function fetchedBytes(): Promise<number> {
  const names = await readdir(join(dir, 'cache')).catch(() => [])
  const sizes = names.map((name) =>
    stat(join(dir, 'cache', name, 'disk')).then(
      ({ size }) => size,
      () => 0,
    ),
  )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

test.each([
  [
    'a web server',
    (url: string) => ({ endpoint: undefined, of: (n: number) => `${url}/${n}.img` }),
  ],
  [
    'an S3 service',
    (url: string) => ({ endpoint: url, of: (n: number) => `s3://images/${n}.img` }),
  ],
])('%s that takes connections and says nothing', async (_what, sourceOf) => {
  const hung = await silent()
  const { endpoint, of } = sourceOf(hung.url)
  const images = open(endpoint)
  const asked = Array.from({ length: 20 }, (_, n) => ask(images, ATTACKER, of(n)))
  for (const look of asked) look()
  await eventually('it is asked', () => hung.taken() > 0, DEADLINE_MS)
  for (let n = 0; n < 5; n += 1) await othersStillWork(images)
  // A failed look is repeated after a while.
  const failures = new Map<number, ImageStatus>()
  const areGivenUp = () => {
    for (const [n, look] of asked.slice(0, 2).entries()) {
      const now = look()
      if (now.kind === 'failed') failures.set(n, now)
    }
    return failures.size === 2
  }
  await eventually('they are given up', areGivenUp, DEADLINE_MS)
  expect([failures.get(0), failures.get(1)]).toEqual(
    [0, 1].map((n) => ({
      kind: 'failed',
      message: expect.stringMatching(new RegExp(`${n}.img cannot be fetched from this host$`)),
      permanent: false,
    })),
  )
})

test('a server that stops in the middle of a transfer, and goes on', async () => {
  const { url, child } = await slowServer()
  // What others do meanwhile takes longer on a busy machine, and is no half minute.
  const images = open(undefined, 2)
  const hung = ask(images, ATTACKER, `${url}/x.img`)
  hung()
  await eventually('a part is here', async () => (await fetchedBytes()) > MIB, DEADLINE_MS)
  child.kill('SIGSTOP')
  for (let n = 0; n < 5; n += 1) await othersStillWork(images)
  expect(hung()).toMatchObject({ kind: 'working', message: expect.stringMatching(/^Downloading/) })
  child.kill('SIGCONT')
  await eventually('it is whole', () => hung().kind === 'ready', DEADLINE_MS)
})

test('a server that stops in the middle of a transfer, for ever', async () => {
  const { url, child } = await slowServer()
  const images = open()
  const hung = ask(images, ATTACKER, `${url}/x.img`)
  hung()
  await eventually('a part is here', async () => (await fetchedBytes()) > MIB, DEADLINE_MS)
  child.kill('SIGSTOP')
  await eventually('it is given up', () => hung().kind === 'failed', DEADLINE_MS)
  expect(hung()).toEqual({
    kind: 'failed',
    message: `${url}/x.img cannot be fetched from this host`,
    permanent: false,
  })
})
