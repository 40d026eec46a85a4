/** The `Store` contract: who may run an instance that other hosts may start again. */
import { describe, expect, it } from 'vitest'
import type { Move } from '../../../src/model/move.ts'
import type { Instance } from '../../../src/model/records.ts'
import { KEEP, type Recovery } from '../../../src/model/recovery.ts'
import { INSTANCES } from '../../../src/store/records/instance.ts'
import { instanceToRow } from '../../../src/store/records/instance-row.ts'
import type { Store } from '../../../src/store/store.ts'
import { volumeRecord } from '../../kit/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const LONG_MS = 60_000
/** A lease that ended before it began. */
const OVER_MS = -1
const other = { ...given.hostRow, name: given.OTHER_HOST }
const FENCED = { ...given.SAID, fenceLevel: 'muted' }
const TAKEABLE: Recovery = { wanted: 'recover', acknowledged: 'recover', run: 3, assignment: 'a' }
const wished: Recovery = { ...KEEP, wanted: 'recover' }

/** Wishes, acknowledgements, epochs and takeovers. */
export function describeRecovery(begin: () => Promise<StoreFixture>): void {
  describe('recovery', () => {
    const fixture = storeFixture(begin)
    const { id } = given.instance(1)
    const put = async (recovery: Recovery, change: Partial<Instance> = {}) =>
      await fixture.store.change(async (tx) => {
        await tx.upsertHost(other, LONG_MS)
        await tx.insertInstance(given.instance(1, { host: given.HOST, ...change, recovery }))
      })
    const found = async () =>
      (await fixture.peer.read((tx) => tx.instances({ ids: [id] }), { sees: 'latest' }))[0]
    const epochOf = async () =>
      (await fixture.peer.read((tx) => tx.hostEpoch(given.HOST), { sees: 'latest' }))?.epoch

    it('of an instance that nobody asked for is none', async () => {
      await put(KEEP)
      expect(await found()).not.toHaveProperty('recovery')
    })

    it('a wish is acknowledged by its own host only, once it is claimed, with the next run', async () => {
      const acknowledge = (to: 'keep' | 'recover', self = { ...given.hostRow }) =>
        fixture.peer.change((tx) => tx.acknowledgeRecovery(id, self, to, `for-${to}`))
      await put(KEEP, { claimed: false })
      await fixture.store.change((tx) => tx.wishRecovery(id, 'recover'))
      expect(await acknowledge('recover')).toBe('lost')
      await fixture.store.change((tx) => tx.updateInstance(id, { claimed: true }))
      expect(await acknowledge('recover', { ...given.hostRow, identity: 'two' })).toBe('lost')
      expect(await acknowledge('recover', other)).toBe('lost')
      expect(await acknowledge('keep')).toBe('lost')
      expect(await found()).toMatchObject({ recovery: wished })
      expect(await acknowledge('recover')).toBe('done')
      const first = { wanted: 'recover', acknowledged: 'recover', run: 1 }
      expect(await found()).toMatchObject({ recovery: { ...first, assignment: 'for-recover' } })
      await fixture.store.change((tx) => tx.wishRecovery(id, 'keep'))
      expect(await acknowledge('recover')).toBe('lost')
      expect(await acknowledge('keep')).toBe('done')
      const last = { wanted: 'keep', acknowledged: 'keep', run: 2, assignment: 'for-keep' }
      expect(await found()).toMatchObject({ recovery: last })
    })

    it('a move takes back what the host before has acknowledged, not the wish', async () => {
      await put(TAKEABLE, { state: 'stopped', wanted: 'stop' })
      const { bootCount } = given.instance(1)
      const move = { instance: id, from: given.HOST, to: given.OTHER_HOST, bootCount } as Move
      expect(await fixture.store.change((tx) => tx.transferInstance(move))).toBe('done')
      expect(await found()).toMatchObject({
        host: given.OTHER_HOST,
        recovery: { wanted: 'recover', acknowledged: 'keep', run: TAKEABLE.run, assignment: null },
      })
    })

    it('hosts to take over have such instances, and no lease or no permission', async () => {
      const names = async () =>
        (await fixture.peer.read((tx) => tx.hostsToTakeOver(10))).map(({ name }) => name)
      const renew = (leaseMs: number, said = FENCED) =>
        fixture.store.change((tx) => tx.renewLease(given.hostRow, leaseMs, said))
      await put(TAKEABLE)
      await renew(LONG_MS)
      expect(await names()).toEqual([])
      await renew(LONG_MS, { ...FENCED, fenceLevel: null as unknown as string })
      expect(await names()).toEqual([given.HOST])
      await renew(OVER_MS)
      expect(await names()).toEqual([given.HOST])
      for (const wanted of ['keep', 'recover'] as const) {
        await fixture.store.change((tx) => tx.wishRecovery(id, wanted))
        expect(await names()).toEqual(wanted === 'keep' ? [] : [given.HOST])
      }
      await fixture.store.change((tx) => tx.updateInstance(id, { state: 'terminated' }))
      expect(await names()).toEqual([])
    })

    it('those that others may start again are listed with their disks', async () => {
      const all = () => fixture.peer.read((tx) => tx.recoverable('acknowledged'))
      expect(await all()).toEqual([])
      await put(TAKEABLE)
      const row = { id, host: given.HOST, type: given.instance(1).type, diskGiB: 0, storage: null }
      expect(await all()).toEqual([row])
      await fixture.store.change(async (tx) => {
        for (const [index, sizeGiB] of [3, 4].entries())
          await tx.insertVolume(volumeRecord(index + 1, given.instance(1), { sizeGiB }))
      })
      expect(await all()).toEqual([{ ...row, diskGiB: 7 }])
      const storage = 'st-0123456789abcdef'
      await fixture.store.change((tx) =>
        tx.insertVolume(volumeRecord(3, given.instance(1), { sizeGiB: 5, storage })),
      )
      expect(await all()).toEqual([{ ...row, diskGiB: 7, storage }])
      await fixture.store.change((tx) => tx.wishRecovery(id, 'keep'))
      expect(await all()).toEqual([])
    })

    it.each<[Recovery, readonly string[], readonly string[]]>([
      [wished, [], [id]],
      [TAKEABLE, [id], [id]],
      [{ ...TAKEABLE, wanted: 'keep' }, [], []],
    ])('%j is listed as acknowledged: %j, as wanted: %j', async (recovery, ...expected) => {
      await put(recovery)
      const listed = async (which: 'acknowledged' | 'wanted') =>
        (await fixture.peer.read((tx) => tx.recoverable(which))).map((one) => one.id)
      expect([await listed('acknowledged'), await listed('wanted')]).toEqual(expected)
    })

    it('an epoch is replaced by who has read it, and by the machine itself', async () => {
      await put(TAKEABLE)
      const begins = (from: string | null, to: string, self = { ...given.hostRow }) =>
        fixture.store.change((tx) => tx.beginEpoch(self, { from, to }))
      const take = (from: string | null, to: string) =>
        fixture.peer.change((tx) => tx.takeEpoch(given.HOST, { from, to }))
      expect(await epochOf()).toBeNull()
      expect(await begins('x', 'own')).toBe('lost')
      expect(await begins(null, 'own', { ...given.hostRow, identity: 'two' })).toBe('lost')
      expect(await begins(null, 'own')).toBe('done')
      expect([await take(null, 'b'), await take('own', 'b'), await take('own', 'c')]).toEqual([
        'lost',
        'done',
        'lost',
      ])
      expect(await begins('own', 'd')).toBe('lost')
      expect(await epochOf()).toBe('b')
    })

    it('of two that replace the same epoch at the same time one has its way', async () => {
      await put(TAKEABLE)
      const outcomes = await Promise.all([
        fixture.store.change((tx) => tx.beginEpoch(given.hostRow, { from: null, to: 'own' })),
        fixture.peer.change((tx) => tx.takeEpoch(given.HOST, { from: null, to: 'taken' })),
      ])
      expect(outcomes.toSorted()).toEqual(['done', 'lost'])
      expect(await epochOf()).toBe(outcomes[0] === 'done' ? 'own' : 'taken')
    })

    it.each<[string, Recovery, Partial<Instance>, 'done' | 'lost']>([
      ['what may be taken', TAKEABLE, {}, 'done'],
      ['what is only wished', wished, {}, 'lost'],
      ['what its owner has withdrawn', { ...TAKEABLE, wanted: 'keep' }, {}, 'lost'],
      ['what is kept', KEEP, {}, 'lost'],
      ['what is elsewhere', TAKEABLE, { host: given.OTHER_HOST }, 'lost'],
    ])('takes %s', async (_what, recovery, change, outcome) => {
      await put(recovery, change)
      const before = await found()
      const to = { to: given.OTHER_HOST, assignment: 'new' }
      const take = () => fixture.peer.change((tx) => tx.takeInstance(id, given.HOST, to))
      expect(await take()).toBe(outcome)
      if (outcome === 'lost') return expect(await found()).toEqual(before)
      expect(await found()).toMatchObject({
        host: given.OTHER_HOST,
        recovery: { ...TAKEABLE, run: 4, assignment: 'new' },
      })
      expect(await take()).toBe('lost')
    })

    it('a storage refuses the address that the host last had, until the host ends that', async () => {
      const storage = 'rbd-0123456789abcdef'
      const address = '10.0.0.9'
      const change: Store['change'] = (work) => fixture.store.change(work)
      const fences = () => fixture.peer.read((tx) => tx.storageFences(), { sees: 'latest' })
      const which = (of = storage) => change((tx) => tx.addressToFence(given.HOST, of))
      const fence = (id: string) =>
        change((tx) => tx.fenceStorage(given.HOST, { storage, address, id }))
      const renew = (storageAddress?: string) =>
        change((tx) =>
          tx.renewLease(given.hostRow, LONG_MS, {
            ...FENCED,
            ...(storageAddress === undefined ? {} : { storageAddress }),
          }),
        )
      await put(KEEP)
      expect(await which()).toEqual({ problem: expect.stringContaining('never said') })
      await renew(address)
      await renew()
      expect(await which()).toEqual({ address })
      for (const id of ['one', 'two']) await fence(id)
      const made = { storage, address, id: 'two', isEnding: false }
      expect(await fences()).toEqual({
        fences: [{ host: given.HOST, fence: made }],
        isWhole: true,
      })
      expect(await which()).toEqual({ address })
      // Both would have to be refused.
      const both = { problem: expect.stringContaining(`${address} by ${storage}`) }
      expect(await which('rbd-ffffffffffffffff')).toEqual(both)
      await renew('10.0.0.10')
      expect(await which()).toEqual(both)
      const end = (id: string) => change((tx) => tx.endStorageFence(given.HOST, { ...made, id }))
      const remove = (isEnding: boolean) =>
        change((tx) => tx.removeStorageFence(given.HOST, { ...made, isEnding }))
      const restore = () =>
        change((tx) => tx.refenceStorage(given.HOST, { storage, address, id: 'two' }))
      expect(await end('one')).toBe('changed')
      expect(await end('two')).toBe('done')
      expect(await remove(false)).toBe('changed')
      // Nothing of it runs any more at the address before.
      expect(await which()).toEqual({ address: '10.0.0.10' })
      await restore()
      expect(await remove(true)).toBe('changed')
      expect(await end('two')).toBe('done')
      expect(await remove(true)).toBe('done')
      expect(await fences()).toEqual({ fences: [], isWhole: true })
    })

    it.each([
      { recoverWanted: 'maybe' },
      { recoverAcknowledged: '' },
      { run: -1 },
      { assignment: 'a b' },
    ])('a row with %j is left out', async (columns) => {
      await put(TAKEABLE)
      const parsed = INSTANCES.schema.safeParse({
        ...instanceToRow(given.instance(1)),
        ...columns,
      })
      expect(parsed.success).toBe(false)
    })
  })
}
