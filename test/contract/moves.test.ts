/**
 * Two hosts, one of which fetches a stopped virtual machine from the other: over real TLS, with the
 * certificates of a cluster, from one state directory into another.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { exists } from '../../src/lib/files.ts'
import { removeTree } from '../../src/lib/paths.ts'
import { createMachineFiles } from '../../src/machines/files.ts'
import { createMachineMover } from '../../src/machines/mover.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import type { HostName } from '../../src/model/ids.ts'
import type { ArrivingWant, DepartingWant } from '../../src/model/move.ts'
import { MIB } from '../../src/model/sizes.ts'
import type { ImageWant } from '../../src/model/want.ts'
import type { Mover } from '../../src/workloads/driver.ts'
import {
  type ArrivalState,
  type Arrivals,
  createArrivals,
  type Moving,
} from '../../src/workloads/moves/arrivals.ts'
import { listFiles, type MovePeer } from '../../src/workloads/moves/peer-source.ts'
import { createSender, type MoveIdentity, type Sender } from '../../src/workloads/moves/sender.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { freePort } from '../../tools/kit/mariadb.ts'
import { identityOf } from '../kit/move-hosts.ts'
import { hostName, instanceId, numbered } from '../kit/records.ts'
import { SOON } from '../kit/soon.ts'

const DISK_BYTES = 6 * MIB + 5
const a = hostName('a')
const b = hostName('b')
const c = hostName('c')
const instance = instanceId(1)
const driver = FIRST_DRIVERS.machine
const image: ImageWant = { id: numbered('ami', 1), location: '', driver, digest: null }
const departing: DepartingWant = {
  ...{ kind: 'departing', instance, move: 7, bootCount: 3, driver, to: b },
}
const arriving: ArrivingWant<ImageWant> = {
  ...{ kind: 'arriving', instance, move: 7, bootCount: 3, driver, image, from: a, address: null },
}

let dir: string
let disk: Buffer
let sender: Sender
const opened: { close(): Promise<void> }[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-moves-'))
  disk = randomBytes(DISK_BYTES)
  const files = createMachineFiles(join(dir, 'a'))
  await files.make(instance, { digest: `sha256:${'1'.repeat(64)}`, location: 'kernel=x' })
  await files.writeBoot(instance, { bootCount: 3, poweredOff: true, rebootDue: false })
  await writeFile(files.paths(instance).disk, disk)
  sender = await senderOf()
  await sender.offer([departing])
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  await rm(dir, { recursive: true, force: true })
})

/** The mover of a host without running machines. */
function moverOf(name: HostName): Mover {
  return createMachineMover(createMachineFiles(join(dir, name)), { list: async () => new Map() })
}

let port = 0

async function senderOf(bytesPerSecond = 1024 * MIB): Promise<Sender> {
  const identity = await identityOf(dir, a)
  port = await freePort()
  const made = createSender({
    at: { address: '127.0.0.1', port },
    identity: async () => identity,
    bytesPerSecond,
    moverOf: () => moverOf(a),
    liveMoverOf: () => undefined,
    flowsOf: async () => [],
    clock: systemClock,
    log: silentLog,
  })
  opened.push(made)
  return made
}

function arrivalsOf(identity: MoveIdentity): Arrivals {
  const made = createArrivals({
    peerOf: async () => ({ name: a, address: '127.0.0.1', port, identity }),
    wake: () => undefined,
    clock: systemClock,
    log: silentLog,
  })
  opened.push(made)
  return made
}

const host = (more: Partial<Moving> = {}): Moving => ({
  mover: moverOf(b),
  storage: async () => [dir],
  remove: (id) => removeTree(join(dir, 'b/machines'), id),
  ...more,
})

const home = () => join(dir, 'b/machines', instance)

async function ends(arrivals: Arrivals, on = host(), want = arriving): Promise<ArrivalState> {
  await vi.waitUntil(() => arrivals.look(want, on).kind !== 'working', SOON)
  return arrivals.look(want, on)
}

it('has everything of the machine afterwards, and nothing else', async () => {
  expect(await ends(arrivalsOf(await identityOf(dir, b)))).toEqual({ kind: 'arrived' })
  expect((await readFile(join(home(), 'disk.qcow2'))).equals(disk)).toBe(true)
  const names = ['arrived.json', 'boot.json', 'disk.qcow2', 'origin.json']
  expect((await readdir(home())).sort()).toEqual(names)
  // A daemon that starts then finds it complete.
  await sender.offer([])
  expect(await ends(arrivalsOf(await identityOf(dir, b)))).toEqual({ kind: 'arrived' })
})

it('removes what an earlier stay has left, and takes no old copy for the new one', async () => {
  await mkdir(home(), { recursive: true })
  await writeFile(join(home(), 'disk.qcow2'), 'old')
  await writeFile(join(home(), 'arrived.json'), '{"move":6}')
  await writeFile(join(home(), 'seed.iso'), 'old')
  expect(await ends(arrivalsOf(await identityOf(dir, b)))).toEqual({ kind: 'arrived' })
  expect((await readFile(join(home(), 'disk.qcow2'))).equals(disk)).toBe(true)
  expect(await readdir(home())).not.toContain('seed.iso')
})

/** A daemon that has fetched a part of the disk, and was killed then. */
async function interrupted() {
  await sender.close()
  sender = await senderOf(4 * MIB)
  await sender.offer([departing])
  const identity = await identityOf(dir, b)
  const first = arrivalsOf(identity)
  const partial = join(home(), 'arriving-7', 'disk.qcow2')
  first.look(arriving, host())
  const read = () => readFile(partial).catch(() => Buffer.alloc(0))
  await vi.waitUntil(async () => (await read()).length > MIB, SOON)
  await first.close()
  return { identity, partial, read }
}

it('goes on where the daemon before it was killed', async () => {
  const { identity, read: readPartial } = await interrupted()
  const size = async () => (await readPartial()).length
  const had = await size()
  const read: number[] = []
  const second = arrivalsOf(identity)
  second.look(arriving, host())
  await vi.waitUntil(async () => {
    read.push(await size())
    return second.look(arriving, host()).kind !== 'working'
  }, SOON)
  expect(second.look(arriving, host())).toEqual({ kind: 'arrived' })
  expect(Math.min(...read.filter((bytes) => bytes > 0))).toBeGreaterThanOrEqual(had)
  expect((await readFile(join(home(), 'disk.qcow2'))).equals(disk)).toBe(true)
})

it('fetches again what was changed on this disk', async () => {
  const { identity, partial, read } = await interrupted()
  const part = await read()
  part.writeUInt8(part.readUInt8(9) ^ 1, 9)
  await writeFile(partial, part)
  expect(await ends(arrivalsOf(identity))).toEqual({ kind: 'arrived' })
  expect((await readFile(join(home(), 'disk.qcow2'))).equals(disk)).toBe(true)
})

it('is sent to the host that it moves to, and to nobody else', async () => {
  const peer = async (identity: MoveIdentity): Promise<MovePeer> => {
    return { name: a, address: '127.0.0.1', port, identity }
  }
  const ask = async (identity: MoveIdentity, of = { instance, move: 7 }) =>
    listFiles(await peer(identity), of, new AbortController().signal)
  expect(await ask(await identityOf(dir, b))).toHaveLength(3)
  await expect(ask(await identityOf(dir, c))).rejects.toThrow(/does not move to that host/)
  await expect(ask(await identityOf(dir, b), { instance, move: 6 })).rejects.toThrow(
    /does not move/,
  )
  // Of another cluster, which has no certificate that this one accepts, nor accepts this one's.
  const stranger = await identityOf(dir, b, 'another secret')
  const { ca } = await identityOf(dir, b)
  await expect(ask({ ...stranger, ca })).rejects.toThrow(/cannot be reached/)
  await expect(ask(stranger)).rejects.toThrow(/cannot be reached/)
  await sender.offer([])
  await expect(ask(await identityOf(dir, b))).rejects.toThrow(/cannot be reached.*ECONNREFUSED/)
})

it('says that there is no room before it copies anything', async () => {
  const full = host({ storage: async () => ['/proc'] })
  const failed = await ends(arrivalsOf(await identityOf(dir, b)), full)
  expect(failed).toMatchObject({
    kind: 'failed',
    message: expect.stringMatching(/no room: .*proc/),
  })
  expect(await exists(join(home(), 'arriving-7', 'disk.qcow2'))).toBe(false)
})

it('says why the other host does not send it', async () => {
  await rm(join(dir, 'a/machines', instance, 'disk.qcow2'))
  expect(await ends(arrivalsOf(await identityOf(dir, b)))).toMatchObject({
    kind: 'failed',
    message: expect.stringMatching(/^a: .* has no disk/),
  })
})
