/**
 * Two hosts, one of which takes a running instance over from the other: over real TLS, with the
 * certificates of a cluster. What runs is a text that the old host sends over both connections;
 * live-migration.test.ts has real machines, test/lab/moves.test.ts whole hosts.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { removeTree } from '../../src/lib/paths.ts'
import { createMachineFiles } from '../../src/machines/files.ts'
import { createMachineMover } from '../../src/machines/mover.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { type CarriedFlow, MOST_FLOWS } from '../../src/model/carried-flow.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import type { HostName } from '../../src/model/ids.ts'
import type { ArrivingWant, DepartingWant } from '../../src/model/move.ts'
import { MIB } from '../../src/model/sizes.ts'
import type { ImageWant } from '../../src/model/want.ts'
import type { LiveKind, LiveMover, LiveStreams } from '../../src/workloads/driver.ts'
import {
  type ArrivalState,
  type Arrivals,
  createArrivals,
  type Moving,
} from '../../src/workloads/moves/arrivals.ts'
import type { LiveArrival } from '../../src/workloads/moves/live-arrival.ts'
import { connectLive, describeLive } from '../../src/workloads/moves/live-source.ts'
import { createSender, type Sender } from '../../src/workloads/moves/sender.ts'
import { instance as wantOf } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { freePort } from '../../tools/kit/mariadb.ts'
import { identityOf } from '../kit/move-hosts.ts'
import { hostName, instanceId, numbered } from '../kit/records.ts'
import { SOON } from '../kit/soon.ts'

const a = hostName('a')
const b = hostName('b')
const c = hostName('c')
const instance = instanceId(1)
const driver = FIRST_DRIVERS.machine
const image: ImageWant = { id: numbered('ami', 1), location: '', driver, digest: null }
const of = { instance, move: 7 }
const departing: DepartingWant = {
  ...{ kind: 'departing', ...of, bootCount: 3, driver, to: b, live: true },
}
const arriving: ArrivingWant<ImageWant> = {
  ...{ kind: 'arriving', ...of, bootCount: 3, driver, image, from: a, address: null, live: true },
}
const KIND: LiveKind = { qemu: '7.2.22', machine: 'pc-q35-7.2', processor: 'emulated', mtu: '1500' }
const MEMORY = 'm'.repeat(2 * MIB)
const never = new AbortController().signal

/** So many connections. */
function flowsOf(count: number): readonly CarriedFlow[] {
  const [source, destination] = [ipv4('10.0.0.1'), ipv4('10.0.0.2')]
  return Array.from({ length: count }, (_, at) => ({
    ...{ protocol: 6, source, sourcePort: at, destination, destinationPort: 22 },
    ...{ state: 3, seconds: 432_000, isAssured: true },
  }))
}

let dir: string
let port: number
/** What the old host says, and what the new one has got. */
let flows: readonly CarriedFlow[]
let carried: CarriedFlow[]
/** Since when it stood still, as the new host knows. */
let stillSinceMs: number | null
let sender: Sender
let arrivals: Arrivals
/** What the new host does when the old one has been silent for too long. */
let givesUp: Set<() => void>
let told: string[]
const opened: { close(): Promise<void> }[] = []

/** Sends a text over each, and waits for the other side's answer. */
const sends = vi.fn(async (_id: string, { disk, memory }: LiveStreams, wait: Wait) => {
  told.push('sending')
  wait.progress('memory: 2 of 2 MiB left')
  wait.still()
  const broken = Promise.withResolvers<never>()
  wait.signal.addEventListener('abort', () => broken.reject(wait.signal.reason))
  for (const stream of [disk, memory]) stream.on('close', () => broken.reject(new Error('closed')))
  disk.end('d')
  memory.write(MEMORY)
  const answered = new Promise((resolve) => memory.once('data', resolve))
  await Promise.race([answered, broken.promise])
  told.push('sent')
})
type Wait = Parameters<LiveMover['send']>[2]

/** What the new host gets, its end of the memory's connection, and when it has all of that. */
let got: { disk: Promise<string>; memory: Duplex; loaded: Promise<void> }

const moverOfA: LiveMover = {
  describe: async () => ({ kind: KIND, diskBytes: 64 * MIB }),
  kindFor: () => Promise.reject(new Error('it is the old host')),
  files: async () => [
    { name: 'origin.json', path: join(dir, 'a', 'origin') },
    { name: 'console.log', path: join(dir, 'a', 'console') },
  ],
  send: sends,
  receive: () => Promise.reject(new Error('it is the old host')),
  received: () => Promise.reject(new Error('it is the old host')),
}

const moverOfB = (more: Partial<LiveMover> = {}): LiveMover => ({
  ...moverOfA,
  kindFor: async () => KIND,
  async receive() {
    told.push(`receiving beside ${(await readdir(home())).sort().join(' ')}`)
    const [disk, diskEnd] = duplexPair()
    const [memory, memoryEnd] = duplexPair()
    const loaded = Promise.withResolvers<void>()
    let bytes = 0
    memoryEnd.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes !== MEMORY.length) return
      memoryEnd.write('all')
      loaded.resolve()
    })
    got = { disk: text(diskEnd), memory, loaded: loaded.promise }
    return { disk, memory }
  },
  async received(_instance, signal) {
    const ended = Promise.withResolvers<never>()
    signal.addEventListener('abort', () => ended.reject(signal.reason))
    await Promise.race([got.loaded, ended.promise])
    told.push('received')
  },
  ...more,
})

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-live-'))
  told = []
  flows = flowsOf(100)
  carried = []
  stillSinceMs = null
  givesUp = new Set()
  sends.mockClear()
  await mkdir(join(dir, 'a'))
  await writeFile(join(dir, 'a', 'origin'), '{}')
  await writeFile(join(dir, 'a', 'console'), 'ready\n')
  port = await freePort()
  const identity = await identityOf(dir, a)
  sender = createSender({
    ...{ at: { address: '127.0.0.1', port }, identity: async () => identity },
    ...{ bytesPerSecond: 1024 * MIB, clock: systemClock, log: silentLog },
    moverOf: () => undefined,
    liveMoverOf: () => moverOfA,
    flowsOf: async () => flows,
  })
  await sender.offer([departing])
  const ofB = await identityOf(dir, b)
  arrivals = createArrivals({
    peerOf: async () => ({ name: a, address: '127.0.0.1', port, identity: ofB }),
    wake: () => undefined,
    clock: {
      ...systemClock,
      after(_ms, run) {
        givesUp.add(run)
        return () => givesUp.delete(run)
      },
    },
    log: silentLog,
  })
  opened.push(sender, arrivals)
})
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
  await rm(dir, { recursive: true, force: true })
})

const home = () => join(dir, 'b/machines', instance)
const host = (): Moving => ({
  mover: createMachineMover(createMachineFiles(join(dir, 'b')), { list: async () => new Map() }),
  storage: async () => [dir],
  remove: (id) => removeTree(join(dir, 'b/machines'), id),
})

const live = (more: Partial<LiveMover> = {}): LiveArrival => ({
  ...{ self: b, instance: wantOf(1), digest: `sha256:${'1'.repeat(64)}` },
  mover: moverOfB(more),
  async carryOn(some) {
    told.push(`took ${some.length} connections over`)
    carried.push(...some)
  },
  async goOn(since) {
    stillSinceMs = since
    told.push(`goes on ${instance}`)
  },
})

async function ends(given = live()): Promise<ArrivalState> {
  await vi.waitUntil(() => arrivals.look(arriving, host(), given).kind !== 'working', SOON)
  return arrivals.look(arriving, host(), given)
}

const peerOf = async (name: HostName) => ({
  ...{ name: a, address: '127.0.0.1', port, identity: await identityOf(dir, name) },
})

it('is here when it was sent as a whole and has been received', async () => {
  const beganMs = systemClock.monotonic()
  expect(await ends()).toEqual({ kind: 'arrived' })
  expect(await got.disk).toBe('d')
  await vi.waitUntil(() => told.includes(`goes on ${instance}`), SOON)
  expect(told[0]).toBe('receiving beside arriving-7 console.log origin.json')
  const both = ['received', 'sending', 'sent']
  const taken = told.filter((text) => text.startsWith('took '))
  expect(
    told
      .slice(1, -1)
      .filter((text) => !taken.includes(text))
      .sort(),
  ).toEqual(both)
  // So that it finds its connections where it goes on.
  expect(told.at(-1)).toBe(`goes on ${instance}`)
  expect(taken.length).toBeGreaterThan(1)
  expect(stillSinceMs).toBeGreaterThanOrEqual(beganMs)
  expect(stillSinceMs).toBeLessThan(systemClock.monotonic())
  expect(carried).toEqual(flowsOf(100))
  expect(await readFile(join(home(), 'console.log'), 'utf8')).toBe('ready\n')
})

it.each([
  ['qemu', /the version of QEMU differs: a has "7.2.22", b "other"/],
  ['machine', /the type of machine differs: a has "pc-q35-7.2", b "other"/],
  ['processor', /the processor differs: a has "emulated", b "other"/],
  ['mtu', /the MTU of NICs differs: a has "1500", b "other"/],
] as const)('stays where it is when the hosts differ: %s', async (field, message) => {
  const kindFor = async () => ({ ...KIND, [field]: 'other' })
  expect(await ends(live({ kindFor }))).toMatchObject({
    kind: 'failed',
    message: expect.stringMatching(message),
  })
  expect(told).toEqual([])
})

it('is passed on to the host that it moves to, and to nobody else', async () => {
  const stranger = await peerOf(c)
  await expect(describeLive(stranger, of, never)).rejects.toThrow(/does not move to that host/)
  await expect(connectLive(stranger, of, 'disk', never)).rejects.toThrow(/cannot be reached/)
  await expect(connectLive(await peerOf(b), { instance, move: 6 }, 'disk', never)).rejects.toThrow()
  expect(await describeLive(await peerOf(b), of, never)).toMatchObject({ kind: KIND })
})

it('goes on where it was when a connection breaks, and is not sent once more', async () => {
  const received: LiveMover['received'] = async () => {
    await got.loaded
    got.memory.destroy()
    await new Promise(() => undefined)
  }
  sends.mockImplementationOnce(async (_id, { disk, memory }, { signal }) => {
    disk.end('d')
    memory.write(MEMORY)
    memory.resume()
    const broken = Promise.withResolvers<never>()
    // As QEMU, which reads there what the other one says.
    memory.on('end', () => broken.reject(new Error('the connection broke')))
    signal.addEventListener('abort', () => broken.reject(signal.reason))
    await broken.promise
  })
  expect(await ends(live({ received }))).toMatchObject({
    kind: 'failed',
    message: expect.stringMatching(/broke/),
  })
  expect(sends).toHaveBeenCalledTimes(1)
  expect(told).not.toContain(`goes on ${instance}`)
})

it.each([
  ['the old host', () => sender.offer([])],
  ['the new host', async () => arrivals.keep(new Set())],
])('goes on where it was when the move ends on %s', async (_name, end) => {
  let reason: unknown = null
  sends.mockImplementationOnce(async (_id, _streams, { signal }) => {
    const ended = Promise.withResolvers<never>()
    signal.addEventListener('abort', () => ended.reject(signal.reason))
    void Promise.resolve().then(end)
    await ended.promise.catch((error: unknown) => {
      reason = error
      throw error
    })
  })
  arrivals.look(arriving, host(), live())
  await vi.waitUntil(() => reason !== null, SOON)
  expect(told).not.toContain(`goes on ${instance}`)
})

it('is not taken for received when only the old host says that it was sent', async () => {
  const received = async () => {
    throw new Error('QEMU ended')
  }
  expect(await ends(live({ received }))).toEqual({ kind: 'failed', message: 'QEMU ended' })
  expect(told).not.toContain(`goes on ${instance}`)
})

it('says what the old host says', async () => {
  sends.mockRejectedValueOnce(new Error('the disk is full'))
  expect(await ends()).toEqual({ kind: 'failed', message: 'a: the disk is full' })
})

it('goes on where it was when the old host names more connections than there can be', async () => {
  flows = flowsOf(MOST_FLOWS + 1)
  const message = expect.stringMatching(/too many connections/)
  expect(await ends()).toMatchObject({ kind: 'failed', message })
  expect(told).not.toContain(`goes on ${instance}`)
})

it('makes its connections while the rest is sent, and goes on only when they are made', async () => {
  const making = Promise.withResolvers<void>()
  const sending = Promise.withResolvers<void>()
  sends.mockImplementationOnce(async (_id, { disk, memory }, wait) => {
    disk.end('d')
    wait.still()
    await sending.promise
    memory.write(MEMORY)
    await new Promise((resolve) => memory.once('data', resolve))
    told.push('sent')
  })
  const given = live()
  arrivals.look(arriving, host(), {
    ...given,
    async carryOn(some) {
      await given.carryOn(some)
      await making.promise
    },
  })
  await vi.waitUntil(() => told.some((text) => text.startsWith('took ')), SOON)
  expect(told).not.toContain('received')
  sending.resolve()
  await vi.waitUntil(() => told.includes('received') && told.includes('sent'), SOON)
  // What was said before that is heard by now.
  await describeLive(await peerOf(b), of, never)
  expect(arrivals.look(arriving, host(), given).kind).toBe('working')
  making.resolve()
  await vi.waitUntil(() => told.includes(`goes on ${instance}`), SOON)
  expect(carried).toEqual(flowsOf(100))
})

it('does not say that it arrived in vain when it cannot go on yet', async () => {
  const goOn = () => Promise.reject(new Error('the records are away'))
  expect(await ends({ ...live(), goOn })).toEqual({ kind: 'arrived' })
})

it('outlives a connection that breaks in the middle of an answer', async () => {
  sends.mockImplementationOnce(async (_id, _streams, wait) => {
    wait.still()
    await vi.waitUntil(() => told.some((text) => text.startsWith('took ')), SOON)
    await sender.close()
    throw new Error('its host ends')
  })
  expect(await ends()).toMatchObject({ kind: 'failed' })
  expect(told).not.toContain(`goes on ${instance}`)
})

/** The new host's connections to the old one, as the kernel has them (proc(5), /proc/net/tcp). */
async function timersOfNewHost(): Promise<readonly string[]> {
  const to = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').slice(1)
  return lines.flatMap((line) => {
    const [, , remote, state, , timer = ''] = line.trim().split(/\s+/)
    return remote === to && state === '01' ? timer.slice(0, 2) : []
  })
}

it('notices that the old host has lost its power, which closes no connection', async () => {
  const over = Promise.withResolvers<void>()
  sends.mockImplementationOnce(async (_id, _streams, { progress }) => {
    progress('memory: 2 of 2 MiB left')
    await over.promise
  })
  arrivals.look(arriving, host(), live())
  await vi.waitUntil(() => givesUp.size > 0 && sends.mock.calls.length > 0, SOON)
  // 2: the kernel asks whether it is still there.
  await expect.poll(timersOfNewHost, SOON).toEqual(['02', '02', '02'])
  for (const giveUp of givesUp) giveUp()
  expect(await ends()).toEqual({ kind: 'failed', message: 'a has been silent for 30 seconds' })
  expect(told).not.toContain(`goes on ${instance}`)
  over.resolve()
})
