/** Taking over the instances of a lost host, with real records. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLook, SETTLED_MS, startTakeovers, takeOver } from '../../../src/agent/takeover.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import type { HostName } from '../../../src/model/ids.ts'
import { keptLocation } from '../../../src/model/image-location.ts'
import type { Instance } from '../../../src/model/records.ts'
import { KEEP, PRIORITY_TAG, type Recovery } from '../../../src/model/recovery.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { LONG_MS, OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import { type FakeFence, fakeFence } from '../../kit/fake-fence.ts'
import {
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  nicRecord,
  numbered,
  volumeRecord,
} from '../../kit/records.ts'
import { SOON } from '../../kit/soon.ts'

const lost = hostName('lost')
const near = hostName('near')
const far = hostName('far')
const id = instanceId(1)
const TAKEABLE: Recovery = { wanted: 'recover', acknowledged: 'recover', run: 1, assignment: 'a' }
const RUNNING = { state: 'running', bootSeen: 1 } as const
let store: Store
let fence: FakeFence
let ids = 0
const newId = () => {
  ids += 1
  return `id-${ids}`
}

const renew = (
  host: HostName,
  leaseMs: number,
  fenceLevel: string | null,
  storage: string | null = null,
  storageAddress?: string,
) =>
  store.change((tx) =>
    tx.renewLease(hostRecord(host), leaseMs, {
      ...{ fenceLevel, storage, shortOf: null, lastSeenAt: new Date().toISOString() },
      ...(storageAddress === undefined ? {} : { storageAddress }),
    }),
  )

beforeEach(async () => {
  ids = 0
  store = await openRecords([lost, near, far])
  fence = fakeFence([lost, near, far])
  await renew(lost, OVER_MS, null)
  await renew(near, LONG_MS, 'muted')
})
afterEach(() => store.close())

const put = (change: Partial<Instance> = {}) =>
  store.change(async (tx) => {
    const recovery = TAKEABLE
    await tx.insertInstance({ ...instanceRecord(id, lost), ...RUNNING, recovery, ...change })
    await tx.insertNic(nicRecord(id, 1))
    await tx.takeCapacity(lost, 2, 1024)
  })

const POOL = 'rbd-0123456789abcdef'
const putOnPool = async () => {
  await put()
  const volume = volumeRecord(1, instanceRecord(id, lost), { storage: POOL, sizeGiB: 8 })
  await store.change((tx) => tx.insertVolume(volume))
}

const takeOverLost = () => takeOver({ store, fence, clock: systemClock, newId }, lost)
const take = async () => (await takeOverLost()).taken

const outcome = () =>
  store.read(async (tx) => ({
    instance: (await tx.instances({ ids: [id] }))[0],
    epoch: (await tx.hostEpoch(lost))?.epoch,
    used: (await tx.hosts()).map((host) => [host.name, host.usedMemoryMiB]),
  }))

describe('takeOver', () => {
  it('starts it on a host that can stop it surely, with its address, and says so', async () => {
    await put()
    expect(await take()).toEqual([{ instance: id, to: near }])
    expect(await outcome()).toMatchObject({
      instance: {
        ...{ host: near, state: 'pending', wanted: 'run', claimed: true },
        ...{ bootSeen: 0, bootCount: 2, recovery: { ...TAKEABLE, run: 2, assignment: 'id-2' } },
        stateReason: { code: 'Server.HostLost' },
      },
      used: [
        [far, 0],
        [lost, 0],
        [near, 1024],
      ],
    })
    const { epoch } = await outcome()
    expect(epoch).toBe('id-1')
    const events = await store.read((tx) => tx.pendingEvents({ writer: near }, 10))
    expect(events).toMatchObject([{ subject: id, word: 'instance-recovered' }])
  })

  it.each<[string, Partial<Instance>, Partial<Instance>]>([
    [
      'one that is stopped moves, and stays stopped',
      { state: 'stopped', wanted: 'stop' },
      { host: near, state: 'stopped', wanted: 'stop', bootSeen: 0, bootCount: 1 },
    ],
    [
      'one that is to be terminated is terminated',
      { state: 'shutting-down', wanted: 'terminate' },
      { host: lost, state: 'terminated' },
    ],
  ])('%s', async (_case, before, after) => {
    await put(before)
    expect(await take()).toHaveLength(1)
    expect(await outcome()).toMatchObject({ instance: after })
  })

  it('gives one with its disk on a storage to a host that reaches it, and its disk stays', async () => {
    const storage = 'st-0123456789abcdef'
    await put()
    await store.change((tx) =>
      tx.insertVolume(volumeRecord(1, instanceRecord(id, lost), { storage, sizeGiB: 8 })),
    )
    const before = await outcome()
    // The only one that could take it has another one mounted.
    await renew(near, LONG_MS, 'muted', 'st-ffffffffffffffff')
    expect(await take()).toEqual([])
    expect(await outcome()).toEqual(before)
    await renew(far, LONG_MS, 'muted', storage)
    expect(await take()).toEqual([{ instance: id, to: far }])
    const after = await outcome()
    expect(after.instance).toMatchObject({ host: far, bootSeen: 1, bootCount: 2 })
    expect(await store.read((tx) => tx.hosts())).toMatchObject(
      [far, lost, near].map(() => ({ usedDiskGiB: 0 })),
    )
  })

  it('has the pool of Ceph that has its disk refuse the lost host, anew each time', async () => {
    const storage = POOL
    const fences = async () => (await store.read((tx) => tx.storageFences())).fences
    await putOnPool()
    await renew(near, LONG_MS, 'muted', storage)
    // Nobody knows which address to refuse.
    const unknown = { taken: [], unfenced: expect.stringContaining('never said') }
    expect(await takeOverLost()).toEqual(unknown)
    expect(await fences()).toEqual([])
    await renew(lost, OVER_MS, null, storage, '10.0.0.9')
    // It is lost, and says nothing any more: the last address counts.
    await renew(lost, OVER_MS, null)
    expect(await take()).toEqual([{ instance: id, to: near }])
    const { epoch } = await outcome()
    const fence = { storage, address: '10.0.0.9', id: epoch ?? '', isEnding: false }
    expect(await fences()).toEqual([{ host: lost, fence }])
    const giveBack = () =>
      store.change((tx) => tx.takeInstance(id, near, { to: lost, assignment: 'back' }))
    await giveBack()
    expect(await take()).toEqual([{ instance: id, to: near }])
    const again = { ...fence, id: (await outcome()).epoch ?? '' }
    expect(again.id).not.toBe(fence.id)
    expect(await fences()).toEqual([{ host: lost, fence: again }])
    // Refused at two addresses it would have to be, and one is all that is kept.
    await giveBack()
    await renew(lost, OVER_MS, null, storage, '10.0.0.10')
    expect(await takeOverLost()).toEqual({
      taken: [],
      unfenced: expect.stringContaining('10.0.0.10'),
    })
    await store.change((tx) => tx.endStorageFence(lost, again))
    expect(await take()).toEqual([{ instance: id, to: near }])
    const [moved] = await fences()
    expect(moved?.fence).toMatchObject({ address: '10.0.0.10', isEnding: false })
  })

  it('has nothing refused when it takes nothing', async () => {
    await putOnPool()
    await renew(lost, OVER_MS, null, POOL, '10.0.0.9')
    expect(await takeOverLost()).toEqual({ taken: [], unfenced: null })
    expect((await store.read((tx) => tx.storageFences())).fences).toEqual([])
  })

  it.each<[string, Recovery]>([
    ['is to be kept', KEEP],
    ['its host has not acknowledged', { ...TAKEABLE, acknowledged: 'keep' }],
    ['its owner has withdrawn', { ...TAKEABLE, wanted: 'keep' }],
  ])('leaves what %s', async (_case, recovery) => {
    await put({ recovery })
    const before = await outcome()
    expect(await take()).toEqual([])
    expect(await outcome()).toEqual(before)
  })

  it.each<[string, () => Promise<unknown> | unknown]>([
    ['a minority consents', () => Object.assign(fence, { consents: () => [near] })],
    [
      'the consent comes too late',
      () =>
        Object.assign(fence, {
          consents: () => {
            fence.pass(fence.times.replyMs + 1)
            return [near, far]
          },
        }),
    ],
    [
      'the host is back meanwhile',
      () =>
        Object.assign(fence, {
          async consents() {
            const self = { name: lost, identity: lost }
            await store.change((tx) => tx.beginEpoch(self, { from: null, to: 'back' }))
            return [near, far]
          },
        }),
    ],
  ])('changes nothing when %s', async (_case, prepare) => {
    await put()
    await prepare()
    const before = await outcome()
    expect(await take()).toEqual([])
    const { epoch: _epoch, ...after } = await outcome()
    expect(after).toEqual({ instance: before.instance, used: before.used })
  })

  it.each<[string, () => Promise<unknown>]>([
    ['no other host can stop it surely', () => renew(near, LONG_MS, null)],
    ['the others are full', () => store.change((tx) => tx.takeCapacity(near, 0, 32_768))],
    [
      'nobody else has its image',
      () =>
        store.change(async (tx) => {
          const kept = numbered('ami', 2)
          const location = keptLocation(FIRST_DRIVERS.machine, lost, kept)
          await tx.insertImage({ ...image, id: kept, name: 'kept', location })
        }),
    ],
  ])('leaves it where it is when %s', async (_case, prepare) => {
    await prepare()
    const images = await store.read((tx) => tx.images({ ids: [numbered('ami', 2)] }))
    await put(images.length === 0 ? {} : { image: numbered('ami', 2) })
    const before = await outcome()
    expect(await take()).toEqual([])
    // The epoch, too: it is looked at again and again.
    expect(await outcome()).toEqual(before)
  })

  it.each<[string, readonly string[], readonly number[]]>([
    ['priority', ['1', '10', '9'], [2, 3]],
    ['priority, where none has 0', ['', '5', ''], [2, 1]],
    ['nothing, where a row is damaged', ['-7', '1e3', '0x10'], [1, 2]],
  ])('gives the room that there is by %s', async (_case, priorities, taken) => {
    await store.change(async (tx) => {
      for (const [index, value] of priorities.entries()) {
        const one = instanceId(index + 1)
        await tx.insertInstance({ ...instanceRecord(one, lost), ...RUNNING, recovery: TAKEABLE })
        await tx.insertNic(nicRecord(one, index + 1))
        await tx.takeCapacity(lost, 2, 1024)
        const { account } = instanceRecord(one, lost)
        const tag = { account, resource: one, resourceType: 'instance', key: PRIORITY_TAG } as const
        if (value !== '') await tx.putTags([{ ...tag, value }])
      }
      await tx.takeCapacity(near, 0, 32_768 - 2 * 1024)
    })
    expect((await take()).map(({ instance }) => instance)).toEqual(taken.map(instanceId))
  })

  it('of two at the same time one takes it', async () => {
    await put()
    const taken = await Promise.all([take(), take()])
    expect(taken.flat()).toEqual([{ instance: id, to: near }])
    expect(await outcome()).toMatchObject({ instance: { recovery: { run: 2 } } })
  })
})

describe('a host that looks for lost ones', () => {
  let woken = 0
  const wake = () => {
    woken += 1
  }
  const parts = () => ({ store, fence, newId, wake, clock: systemClock, log: silentLog })
  const { signal } = new AbortController()
  beforeEach(() => {
    woken = 0
  })

  it('takes nothing over before it has had permission for long', async () => {
    await put()
    const look = createLook(parts(), near)
    expect(await look(signal)).toEqual([])
    fence.permit(1, LONG_MS)
    expect(await look(signal)).toEqual([])
    fence.pass(SETTLED_MS - 1)
    expect(await look(signal)).toEqual([])
    fence.permit(2, LONG_MS)
    expect(await look(signal)).toEqual([])
    fence.pass(SETTLED_MS)
    expect(await look(signal)).toMatchObject([{ name: lost }])
    expect((await outcome()).instance).toMatchObject({ host: near })
  })

  it('says once why a storage cannot be told what to refuse', async () => {
    await putOnPool()
    await renew(near, LONG_MS, 'muted', POOL)
    const warn = vi.fn()
    fence.permit(1, LONG_MS)
    const look = createLook({ ...parts(), log: { ...silentLog, warn } }, near)
    await look(signal)
    fence.pass(SETTLED_MS)
    for (let times = 0; times < 3; times += 1) await look(signal)
    const why = expect.stringContaining('never said')
    expect(warn.mock.calls).toEqual([[{ host: lost, why }, expect.any(String)]])
  })

  it('comes to a lost host behind many for which others vouch', async () => {
    const vouched = ['a', 'b', 'c', 'd', 'e', 'f'].map(hostName)
    await store.change(async (tx) => {
      for (const [index, host] of vouched.entries()) {
        await tx.upsertHost(hostRecord(host), OVER_MS)
        const other = instanceRecord(instanceId(10 + index), host)
        await tx.insertInstance({ ...other, ...RUNNING, recovery: TAKEABLE })
      }
    })
    await put()
    const asked: string[] = []
    Object.assign(fence, {
      consents: (about: HostName) => {
        asked.push(about)
        return about === lost ? [near, far] : [near]
      },
    })
    fence.permit(1, LONG_MS)
    const look = createLook(parts(), near)
    await look(signal)
    fence.pass(SETTLED_MS)
    await look(signal)
    expect(asked).toEqual(['a', 'b', 'c', 'd'])
    await look(signal)
    expect(asked.slice(4)).toEqual(['e', 'f', lost, 'a'])
    expect((await outcome()).instance).toMatchObject({ host: near })
  })

  it.each([
    ['itself', near, 1],
    ['another host', far, 0],
  ])('asks for a pass at once when it has given something to %s', async (_who, self, passes) => {
    await put()
    fence.permit(1, LONG_MS)
    const look = createLook(parts(), self)
    await look(signal)
    fence.pass(SETTLED_MS)
    await look(signal)
    expect((await outcome()).instance).toMatchObject({ host: near })
    expect(woken).toBe(passes)
  })

  it('asks for a pass when others have taken something over, though no bell comes', async () => {
    await put()
    await renew(near, LONG_MS, null)
    fence.permit(1, LONG_MS)
    const takeovers = startTakeovers(parts(), near)
    fence.pass(SETTLED_MS)
    let asked = 0
    Object.assign(fence, {
      consents: () => {
        asked += 1
        return []
      },
    })
    await vi.waitUntil(() => asked > 0, SOON)
    expect(woken).toBe(0)
    Object.assign(fence, { consents: () => [near, far] })
    await renew(far, LONG_MS, 'muted')
    await vi.waitUntil(() => woken > 0, SOON)
    expect((await outcome()).instance).toMatchObject({ host: far })
    await takeovers.close()
  })
})
