/**
 * A client with an API key makes a host connect to where the client cannot: the host's loopback and
 * other addresses, by other spellings, by redirects, by registries; and learns from how and when it
 * fails what is there.
 *
 * Before: the initramfs `http://127.0.0.1:PORT/…` was what a service on the loopback answered,
 * redirects were followed anywhere, and a refused connection, a timeout, 404 and 503 each had an
 * error text and a duration of their own.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMachineImages, type MachineImages } from '../../src/images/machine-images.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createKeptImages } from '../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { formatId, ID_BYTES } from '../../src/model/ids.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { fastClock } from '../kit/fast-clock.ts'
import { cpio } from '../kit/image-contents.ts'
import { outboundTo } from '../kit/outbound.ts'

/** Half a minute is a second. */
const TIMES = 30
const SETTLE_MS = 60_000

let dir: string
const ends: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-attack-outbound-'))
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  await rm(dir, { recursive: true, force: true })
})

function open(reach: readonly string[] = [], endpoint?: string): MachineImages {
  const images = createMachineImages({
    kept: createKeptImages(dir),
    cacheDir: join(dir, 'cache'),
    directories: [],
    maxBytes: 1024 ** 2,
    cacheBytes: 1024 ** 3,
    inUse: async () => new Set(),
    s3:
      endpoint === undefined
        ? null
        : { endpoints: [endpoint], region: 'a', accessKeyId: 'k', secretAccessKey: 's' },
    clock: fastClock(TIMES),
    log: silentLog,
    metrics: createMetrics(),
    outbound: outboundTo(...reach),
  })
  ends.push(() => images.close())
  return images
}

/** What a client learns: the sentence, without the URL, and after how long. */
async function tell(images: MachineImages, url: string) {
  const id = formatId('ami', randomBytes(ID_BYTES))
  const began = performance.now()
  const look = () => images.look({ id, location: url, digest: null, driver: FIRST_DRIVERS.machine })
  await eventually(`${url} has failed`, async () => look().kind !== 'working', SETTLE_MS)
  const found = look()
  const told =
    found.kind === 'failed' ? found.message.replace(URL.parse(url)?.href ?? url, 'URL') : found.kind
  return { told, ms: performance.now() - began }
}

/** A web server, and how often anybody connected to it. */
async function startVictim(listener: RequestListener, address = '127.0.0.1') {
  const server = createServer(listener)
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, address)
  await once(server, 'listening')
  ends.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

const NOT_FETCHED = 'URL cannot be fetched from this host'
const secret: RequestListener = (_request, response) => response.end(cpio(512))

describe('addresses that are not public are never connected to, by any name or spelling', () => {
  test('the loopback', async () => {
    const victim = await startVictim(secret)
    const images = open()
    const hosts = [
      '127.0.0.1',
      'localhost',
      '127.1',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.0.0.2',
      '0.0.0.0',
      '0',
    ]
    const six = [
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[::]',
      '[64:ff9b::7f00:1]',
      '[::127.0.0.1]',
    ]
    const told = await Promise.all(
      [...hosts, ...six, 'localhost.', 'LOCALHOST'].map((host) =>
        tell(images, `http://${host}:${victim.port}/x.img`),
      ),
    )
    for (const one of told) expect(one.told).toBe(NOT_FETCHED)
    expect(victim.connections()).toBe(0)
    expect(await readdir(join(dir, 'cache'))).toEqual([])
  })

  test("this machine's other addresses", async () => {
    const own = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4')
    const victim = await startVictim(secret, '0.0.0.0')
    // Even where a setting opens the networks that they are in.
    const images = open(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '0.0.0.0/0'])
    const told = await Promise.all(
      own.map(({ address }) => tell(images, `http://${address}:${victim.port}/x.img`)),
    )
    for (const one of told) expect(one.told).toBe(NOT_FETCHED)
    expect(victim.connections()).toBe(0)
  })

  test('by a redirect, by the second of two, and from where a client may ask', async () => {
    const victim = await startVictim(secret)
    const targets = [
      `http://127.0.0.1:${victim.port}/x.img`,
      `http://localhost:${victim.port}/x.img`,
      `//[::1]:${victim.port}/x.img`,
    ]
    const server = await startVictim((request, response) => {
      const n = Number(/\d+/.exec(request.url ?? '')?.[0] ?? 0)
      const isFirst = request.url?.startsWith('/first') === true
      response.writeHead(302, { location: isFirst ? `/second${n}.img` : (targets[n] ?? '') }).end()
    }, '127.0.0.2')
    const images = open([`127.0.0.2:${server.port}`])
    const told = await Promise.all(
      targets.flatMap((_target, n) =>
        ['first', 'second'].map((step) =>
          tell(images, `http://127.0.0.2:${server.port}/${step}${n}.img`),
        ),
      ),
    )
    for (const one of told) expect(one.told).toBe(NOT_FETCHED)
    expect(server.connections()).toBeGreaterThan(0)
    expect(victim.connections()).toBe(0)
  })

  test('by a redirect of the S3 service', async () => {
    const victim = await startVictim(secret)
    const service = await startVictim((request, response) => {
      const location = `http://127.0.0.1:${victim.port}${request.url}`
      const status = request.url?.includes('permanent') === true ? 301 : 307
      response.writeHead(status, { location, 'x-amz-bucket-region': 'elsewhere' }).end()
    })
    const images = open([], `http://127.0.0.1:${service.port}`)
    for (const key of ['permanent.img', 'temporary.img'])
      expect((await tell(images, `s3://bucket/${key}`)).told).toBe(NOT_FETCHED)
    expect(service.connections()).toBeGreaterThan(0)
    expect(victim.connections()).toBe(0)
  })

  test('addresses of the cloud, though a setting opens the network around them', async () => {
    const outbound = outboundTo('10.0.0.0/8')
    const never = new AbortController().signal
    const cidr = { network: '10.9.0.0', prefix: 16 }
    const shared = { vpcs: [{ cidr }], subnets: [], peers: [{ host: 'h2', address: '10.0.0.2' }] }
    await outbound.service.apply({ want: { local: { instances: [] }, shared } } as never)
    for (const address of ['10.9.0.1', '10.0.0.2'])
      await expect(outbound.get(new URL(`http://${address}/`), {}, never)).rejects.toThrow(
        /of the cloud/,
      )
  })
})

test('where a client may ask, all failures have one sentence and one time', async () => {
  const absent = await startVictim(secret)
  await ends.pop()?.()
  const status = (code: number) =>
    startVictim((_request, response) => response.writeHead(code).end())
  const silent = createTcpServer(() => undefined)
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  ends.push(async () => silent.close())
  const banner = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
  banner.listen(0, '127.0.0.1')
  await once(banner, 'listening')
  ends.push(async () => banner.close())
  const images = open(['127.0.0.1'])
  const ports = [
    absent.port,
    (await status(404)).port,
    (await status(503)).port,
    (await status(401)).port,
  ]
  const more = [silent, banner].map((server) => (server.address() as AddressInfo).port)
  const urls = [
    ...[...ports, ...more].map((port) => `http://127.0.0.1:${port}/x.img`),
    'http://10.255.255.1/x.img',
    'http://no-such-name.invalid/x.img',
  ]
  // One by one: an account has two transfers at once.
  const all = []
  for (const url of urls) all.push(await tell(images, url))
  expect(new Set(all.map(({ told }) => told))).toEqual(new Set([NOT_FETCHED]))
  const times = all.map(({ ms }) => ms)
  expect(Math.min(...times)).toBeGreaterThan(30_000 / TIMES - 50)
})
