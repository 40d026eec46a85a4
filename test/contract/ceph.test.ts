/**
 * A pool of a real Ceph cluster: what it is, what becomes of an interrupted attempt, and a lost
 * host that it refuses. (What every kind of disk must do is in `disks.test.ts`.)
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { initCephPool } from '../../src/host/ceph/looks.ts'
import type { CephDisk } from '../../src/host/ceph/pool.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { GIB, MIB } from '../../src/model/sizes.ts'
import type { HostFence, StoragePlace } from '../../src/model/storage.ts'
import { type CephCluster, type CephFixture, startCeph } from '../kit/ceph.ts'
import { hostName, numbered } from '../kit/records.ts'

const execute = promisify(execFile)
const DAY_MS = 24 * 3_600_000
const EMPTY = { base: null, sizeBytes: GIB }
let cluster: CephCluster
let fixture: CephFixture
let place: StoragePlace
let volumes = 0
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-ceph-users-'))
  cluster = await startCeph()
  fixture = await cluster.fixture()
}, 600_000)
afterAll(async () => {
  await cluster?.close()
  await rm(dir, { recursive: true })
})

const nextPlace = (): StoragePlace => {
  volumes += 1
  return { storage: fixture.storage, volume: numbered('vol', volumes) }
}
/** For qemu-io. */
function rbdName({ access: { pool, user, conf, keyring }, image }: CephDisk): string {
  const options = `id=${user}:conf=${conf}:keyring=${keyring}`
  return `rbd:${pool}/${image}:${options}`
}
const qemuIo = async (command: string, disk: string) => {
  const { stdout } = await execute('qemu-io', ['-f', 'raw', '-c', command, disk])
  expect(stdout).not.toContain('Pattern')
}
const rbd = (...args: readonly string[]) => {
  const { conf, user, keyring } = fixture.settings
  return execute('rbd', ['--conf', conf, '--id', user, '--keyring', keyring, ...args])
}

it('is what its marker says, and is prepared once', { timeout: 60_000 }, async () => {
  const pool = fixture.open()
  expect(await pool.look()).toEqual({ storage: fixture.storage })
  expect(pool.address()).toBe('10.91.0.1')
  await expect(initCephPool(fixture.settings, systemRunner, 'ffffffffffffffff')).rejects.toThrow(
    'is there already',
  )
  place = nextPlace()
  const other = { ...place, storage: 'rbd-ffffffffffffffff' }
  for (const work of ['find', 'remove'] as const)
    await expect(pool[work](other)).rejects.toMatchObject({ kind: 'unavailable' })
  await expect(pool.make(other, EMPTY)).rejects.toMatchObject({ kind: 'unavailable' })
})

it('makes again what was interrupted, and removes', { timeout: 60_000 }, async () => {
  const pool = fixture.open()
  place = nextPlace()
  await pool.make(place, { base: null, sizeBytes: 64 * MIB })
  // A larger one, and never a smaller one.
  await pool.make(place, EMPTY)
  await pool.make(place, { base: null, sizeBytes: 64 * MIB })
  expect(await pool.size(place)).toBe(GIB)
  await pool.remove(place)
  await pool.remove(place)
  await expect(pool.find(place)).rejects.toMatchObject({ kind: 'refused' })
})

const fenceOf = (address: string): HostFence => ({
  host: hostName('lost'),
  fence: { storage: fixture.storage, address, id: 'takeover-1', isEnding: false },
})
/** The year that nobody waits for: in days from now, of each entry with this in it. */
async function blockedDays(client: string): Promise<readonly number[]> {
  const listed = await cluster.ceph('osd', 'blocklist', 'ls')
  const lines = listed.split('\n').filter((line) => line.startsWith(client))
  return lines.map((line) => (Date.parse(line.split(' ')[1] ?? '') - Date.now()) / DAY_MS)
}
const YEAR = expect.toSatisfy((days: number) => days > 360)

it('refuses a lost host, until that is back', { timeout: 120_000 }, async () => {
  place = nextPlace()
  const { address, run } = await cluster.host(11)
  const lost = fixture.open(undefined, run)
  expect(await lost.look()).toEqual({ storage: fixture.storage })
  expect(lost.address()).toBe(address)
  expect(await lost.isRefused()).toBe(false)
  await lost.make(place, EMPTY)
  const fence = fenceOf(address)
  const taker = () => fixture.open({ list: async () => [fence] })
  // A taker that dies is begun again, or another one is.
  for (const one of [taker(), taker()]) {
    await one.refuseLost(fixture.storage, true)
    await one.find(place)
  }
  expect(await lost.look()).toMatchObject({ problem: expect.stringContaining('blocklist') })
  expect(await lost.isRefused()).toBe(true)
  expect(lost.storage()).toBeNull()
  expect(await blockedDays(`${address}:0/0`)).toEqual([YEAR])
  await lost.unfence(fence.fence)
  await expect.poll(() => lost.look(), { timeout: 30_000 }).toEqual({ storage: fixture.storage })
  await lost.find(place)
  await lost.unfence(fence.fence)
})

it('refuses whoever uses a disk, wherever it came from, and for as long', {
  timeout: 120_000,
}, async () => {
  place = nextPlace()
  const { netns, address } = await cluster.host(12)
  const pool = fixture.open()
  await pool.make(place, EMPTY)
  await pool.refuseUsers(place)
  expect(await blockedDays(address)).toEqual([])
  const disk = rbdName(pool.file(place))
  const go = join(dir, 'go')
  const awaitGo = `while [ ! -e ${go} ]; do sleep 0.1; done`
  const typed = `echo write -P 0x11 0 64k; ${awaitGo}; echo write -P 0x22 0 64k`
  let heard = ''
  netns.spawn(['sh', '-c', `{ ${typed}; } | qemu-io -f raw ${disk} 2>&1`], (text) => {
    heard += text
  })
  await expect.poll(() => heard, { timeout: 30_000 }).toContain('wrote 65536')
  await pool.refuseUsers(place)
  expect(await blockedDays(`${address}:0/`)).toEqual([YEAR])
  // Its lock is taken now, and librbd has its holder refused once more.
  await qemuIo('write -P 0x33 0 64k', disk)
  await writeFile(go, '')
  await expect.poll(() => heard, { timeout: 30_000 }).toMatch(/write failed/)
  await qemuIo('read -P 0x33 0 64k', disk)
  expect(await blockedDays(`${address}:0/`)).toEqual([YEAR])
})

it('does not open a disk when the records do not say who is lost', {
  timeout: 60_000,
}, async () => {
  const blind = fixture.open({
    list: async () => {
      throw new Error('the records are away')
    },
  })
  await expect(blind.refuseLost(fixture.storage, true)).rejects.toThrow('away')
  await blind.refuseLost(fixture.storage, false)
})

it('does not have itself refused', { timeout: 60_000 }, async () => {
  const pool = fixture.open({ list: async () => [fenceOf('10.91.0.1')] })
  await pool.look()
  await expect(pool.refuseLost(fixture.storage, true)).rejects.toThrow("this host's")
  expect(await pool.look()).toEqual({ storage: fixture.storage })
})

it('names the setting when the cluster refuses its user', { timeout: 60_000 }, async () => {
  await rbd('ls', fixture.settings.pool)
  await cluster.ceph('auth', 'caps', `client.${fixture.settings.user}`, 'mon', 'allow r')
  expect(await fixture.open().look()).toMatchObject({
    problem: expect.stringContaining('storage.ceph.user'),
  })
})
