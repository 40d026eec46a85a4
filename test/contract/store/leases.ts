/** Leases, claims and moves: who is alive, and who may start what; and copies of it all. */
import { describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../../src/store/engines/sqlite/dialect.ts'
import type { Store, Tx } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { volumeRecord } from '../../kit/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const LONG_MS = 60_000
/** A lease that ended before it began. */
const OVER_MS = -1

const other = { ...given.hostRow, name: given.OTHER_HOST }

/** By the store's own clock a host is alive or it is not. */
export function describeLeases(begin: () => Promise<StoreFixture>): void {
  describe('leases', () => {
    const fixture = storeFixture(begin)
    const live = async () =>
      (await fixture.peer.read((tx) => tx.hosts()))
        .filter((host) => host.live)
        .map(({ name }) => name)

    it('are live until they run out, whatever else is written', async () => {
      expect(await live()).toEqual([given.HOST])
      await fixture.store.change(async (tx) => {
        await tx.upsertHost(other, LONG_MS)
        await tx.renewLease(given.hostRow, OVER_MS, given.SAID)
        await tx.takeCapacity(given.HOST, 1, 1)
      })
      expect(await live()).toEqual([given.OTHER_HOST])
      await fixture.store.change((tx) => tx.renewLease(given.hostRow, LONG_MS, given.SAID))
      expect(await live()).toEqual([given.HOST, given.OTHER_HOST])
    })

    it('two machines under one name: the second gets it when the first holds no lease and started nothing', async () => {
      const second = { ...given.hostRow, identity: 'two' }
      const announce = () => fixture.store.change((tx) => tx.upsertHost(second, LONG_MS))
      const renew = (host: typeof second, leaseMs: number) =>
        fixture.store.single((tx) => tx.renewLease(host, leaseMs, given.SAID))
      const identity = async () => (await fixture.peer.read((tx) => tx.hosts()))[0]?.identity
      expect(await announce()).toBe('taken')
      expect(await renew(second, LONG_MS)).toBe('unknown')
      await fixture.store.change((tx) => tx.insertInstance(given.instance(1, { claimed: true })))
      expect(await renew(given.hostRow, OVER_MS)).toBe('done')
      expect(await announce()).toBe('taken')
      expect(await identity()).toBe(given.hostRow.identity)
      await fixture.store.change((tx) =>
        tx.updateInstance(given.instance(1).id, { state: 'terminated' }),
      )
      expect(await announce()).toBe('done')
      expect(await identity()).toBe('two')
      expect(await renew(given.hostRow, LONG_MS)).toBe('unknown')
      expect(await renew(second, LONG_MS)).toBe('done')
    })

    it('copies of one machine: only who goes on from its last life gets the name, and not while that is lived', async () => {
      const lives = (own: string, proven: string | null, known: readonly string[] | null) => ({
        ...given.hostRow,
        run: { own, proven, known },
      })
      type Announcement = ReturnType<typeof lives>
      const announce = (host: Announcement) =>
        fixture.store.change((tx) => tx.upsertHost(host, LONG_MS))
      const renew = (host: Announcement, leaseMs: number) =>
        fixture.store.single((tx) => tx.renewLease(host, leaseMs, given.SAID))
      const first = lives('a', null, null)
      expect(await announce(first)).toBe('done')
      expect(await announce(first)).toBe('done')
      const [second, proved] = [lives('b', null, ['a']), lives('b', 'a', ['a'])]
      expect(await announce(second)).toBe('taken')
      expect(await renew(second, LONG_MS)).toBe('unknown')
      expect(await announce(proved)).toBe('done')
      expect(await renew(first, OVER_MS)).toBe('unknown')
      await fixture.store.change((tx) => tx.insertInstance(given.instance(1)))
      const claim = ({ name, identity, run: mine }: Announcement) =>
        fixture.store.change((tx) =>
          tx.claimInstance(given.instance(1).id, { name, identity, run: mine }),
        )
      expect(await claim(first)).toBe('lost')
      expect(await renew(second, OVER_MS)).toBe('done')
      // A copy from before, though no daemon runs and nothing was started.
      expect(await announce(lives('c', null, ['a']))).toBe('taken')
      expect(await announce(lives('d', null, ['a', 'b']))).toBe('done')
      expect(await renew(lives('d', null, []), OVER_MS)).toBe('done')
      // The operator says so.
      expect(await announce(lives('e', null, null))).toBe('done')
      expect((await fixture.peer.read((tx) => tx.hosts()))[0]?.life).toBe('e')
      expect(await claim(lives('e', null, []))).toBe('done')
    })

    it('a forgotten name is free, whatever ran there', async () => {
      const second = { ...given.hostRow, identity: 'two' }
      await fixture.store.change(async (tx) => {
        await tx.insertInstance(given.instance(1, { claimed: true }))
        await tx.setHostState(given.HOST, 'forgotten')
      })
      expect(await fixture.store.change((tx) => tx.upsertHost(second, LONG_MS))).toBe('done')
    })

    it('a host that lacks something takes nothing until it lacks nothing', async () => {
      const take = () => fixture.store.change((tx) => tx.takeCapacity(given.HOST, 1, 1))
      for (const [shortOf, taken] of [
        ['disk', 'full'],
        [null, 'done'],
      ] as const) {
        await fixture.store.single((tx) =>
          tx.renewLease(given.hostRow, LONG_MS, { ...given.SAID, shortOf }),
        )
        expect(await take()).toBe(taken)
      }
    })

    it('renewing is no change that others must read', async () => {
      const of = { host: given.HOST, vpcs: [given.vpc.id] }
      const before = await fixture.peer.read((tx) => tx.changedScopes(0, of))
      await fixture.store.change((tx) => tx.renewLease(given.hostRow, LONG_MS, given.SAID))
      const after = await fixture.peer.read((tx) => tx.changedScopes(0, of))
      expect([after.own, after.scopes]).toEqual([before.own, before.scopes])
    })

    it.each<[string, (tx: Tx) => Promise<unknown>]>([
      ['capacity taken', (tx) => tx.takeCapacity(given.OTHER_HOST, 1, 1)],
      ['capacity returned', (tx) => tx.returnCapacity(given.OTHER_HOST, 1, 1)],
      ['an image', (tx) => tx.insertImage(given.image(7, { host: given.OTHER_HOST }))],
      ['announced again', (tx) => tx.upsertHost(other, LONG_MS)],
      ['drained', (tx) => tx.setHostState(given.OTHER_HOST, 'draining')],
    ])('changed hosts are those with %s', async (_what, change) => {
      await fixture.store.change((tx) => tx.upsertHost(other, LONG_MS))
      const own = async () => {
        const of = { host: given.OTHER_HOST, vpcs: [] }
        return (await fixture.peer.read((tx) => tx.changedScopes(0, of))).own
      }
      const before = await own()
      await fixture.store.change(change)
      expect((await own())?.generation).toBe((before?.generation ?? 0) + 1)
    })

    it('a generation is advanced from the one that it is, and from no other', async () => {
      const generation = async () =>
        (await fixture.peer.read((tx) => tx.hosts()))[0]?.generation ?? 0
      const from = await generation()
      const advance = (known: number) =>
        fixture.store.change((tx) => tx.expectGeneration(given.HOST, known))
      expect(await advance(from + 1)).toBe('changed')
      expect(await generation()).toBe(from)
      expect([await advance(from), await advance(from)]).toEqual(['done', 'changed'])
      expect(await generation()).toBe(from + 1)
    })

    it('a generation is advanced beyond another one, once, and never back', async () => {
      const generation = async () =>
        (await fixture.peer.read((tx) => tx.peerHosts([given.HOST])))[0]?.generation ?? 0
      const overtake = (known: number) =>
        fixture.store.change((tx) => tx.overtakeGeneration(given.HOST, known))
      const from = await generation()
      expect(await overtake(from - 1)).toBe('newer')
      expect([await overtake(from + 7), await overtake(from + 7)]).toEqual(['done', 'newer'])
      expect(await generation()).toBe(from + 8)
      // By the scopes of a daemon of today.
      const { older } = await fixture.peer.read((tx) =>
        tx.changedScopes(0, { host: given.OTHER_HOST, vpcs: [] }),
      )
      expect(older).toEqual([])
    })

    it('a forgotten host is not listed, gets no lease, and starts from the beginning when it announces itself', async () => {
      await fixture.store.change((tx) => tx.setHostState(given.HOST, 'forgotten'))
      expect(await live()).toEqual([])
      expect(
        await fixture.store.change((tx) => tx.renewLease(given.hostRow, LONG_MS, given.SAID)),
      ).toBe('unknown')
      await fixture.store.change((tx) => tx.upsertHost(given.hostRow, LONG_MS))
      expect(await fixture.peer.read((tx) => tx.hosts())).toMatchObject([
        { state: 'active', live: true },
      ])
    })

    it('a draining host goes on draining when it announces itself, and takes nothing', async () => {
      await fixture.store.change((tx) => tx.setHostState(given.HOST, 'draining'))
      await fixture.store.change((tx) => tx.upsertHost(given.hostRow, LONG_MS))
      expect(await fixture.peer.read((tx) => tx.hosts())).toMatchObject([{ state: 'draining' }])
      expect(await fixture.store.change((tx) => tx.takeCapacity(given.HOST, 1, 1))).toBe('full')
    })
  })
}

/** One host may start an instance, whoever tries. */
export function describeOwnership(begin: () => Promise<StoreFixture>): void {
  describe('claims and moves', () => {
    const fixture = storeFixture(begin)
    const pending = given.instance(1, {
      host: given.HOST,
      wanted: 'run',
      claimed: false,
      bootSeen: 0,
    })
    const launch = (change: Parameters<typeof given.instance>[1] = {}) =>
      fixture.store.change(async (tx) => {
        await tx.upsertHost(other, LONG_MS)
        await tx.insertInstance({ ...pending, ...change })
      })
    const claim = (name = given.HOST, identity = given.hostRow.identity) =>
      fixture.store.change((tx) => tx.claimInstance(pending.id, { name, identity }))
    const move = () =>
      fixture.peer.change((tx) => tx.moveInstance(pending.id, given.HOST, given.OTHER_HOST))
    const orphans = async () =>
      (await fixture.peer.read((tx) => tx.orphans(10))).map(({ id }) => id)
    const lose = () =>
      fixture.store.change((tx) => tx.renewLease(given.hostRow, OVER_MS, given.SAID))

    it('nothing is claimed for another machine under the name', async () => {
      await launch()
      expect(await claim(given.HOST, 'two')).toBe('lost')
      expect(await claim()).toBe('done')
    })

    it('a claim counts once and for good, and may be repeated', async () => {
      await launch()
      expect([await claim(), await claim(), await move()]).toEqual(['done', 'done', 'lost'])
    })

    it('after a move the old host gets nothing, and the new one does', async () => {
      await launch()
      expect([await move(), await move()]).toEqual(['done', 'lost'])
      expect([await claim(), await claim(given.OTHER_HOST)]).toEqual(['lost', 'done'])
    })

    it.each([
      ['it is not to run', { wanted: 'stop' as const }, false],
      ['its host has no live lease', {}, true],
    ])('no claim when %s', async (_case, change, lost) => {
      await launch(change)
      if (lost) await lose()
      expect(await claim()).toBe('lost')
    })

    it('orphans are the unclaimed ones of hosts whose lease has run out', async () => {
      await launch()
      expect(await orphans()).toEqual([])
      await lose()
      expect(await orphans()).toEqual([pending.id])
      await fixture.store.change((tx) => tx.updateInstance(pending.id, { claimed: true }))
      expect(await orphans()).toEqual([])
    })

    it('one that has run is no orphan and is not moved, though the records have lost its claim', async () => {
      await launch({ bootSeen: 1, state: 'running' })
      await lose()
      expect(await orphans()).toEqual([])
      expect(await move()).toBe('lost')
      const free = given.instance(2, { host: given.HOST, wanted: 'run', claimed: false })
      await fixture.store.change((tx) => tx.insertInstance({ ...free, bootSeen: 0 }))
      expect(await orphans()).toEqual([free.id])
    })

    it('of a claim and a move at the same time one counts', async () => {
      await launch()
      const outcomes = await Promise.all([claim(), move()])
      expect(outcomes.toSorted()).toEqual(['done', 'lost'])
      const [after] = await fixture.peer.read((tx) => tx.instances({ ids: [pending.id] }))
      expect(after).toMatchObject(
        outcomes[0] === 'done'
          ? { host: given.HOST, claimed: true }
          : { host: given.OTHER_HOST, claimed: false },
      )
    })

    it('tombstones and images of a host can be inherited, its living instances stay', async () => {
      await launch()
      const gone = given.instance(2, { host: given.HOST, state: 'terminated' })
      await fixture.store.change(async (tx) => {
        await tx.insertInstance(gone)
        await tx.insertImage(given.image(1, { host: given.HOST }))
        await tx.inherit(given.HOST, given.OTHER_HOST)
      })
      const { instances, images } = await fixture.peer.read(async (tx) => ({
        instances: await tx.instances({ hosts: [given.OTHER_HOST] }),
        images: await tx.images({}),
      }))
      expect(instances.map(({ id }) => id)).toEqual([gone.id])
      expect(images).toMatchObject([{ host: given.OTHER_HOST }])
    })
  })
}

/** What one engine dumps, SQLite takes: a replica says the same as its source. */
export function describeReplicas(begin: () => Promise<StoreFixture>): void {
  describe('replicas', () => {
    const fixture = storeFixture(begin)

    it('say what their source said, leases included, as often as they are filled', async () => {
      await fixture.store.change(async (tx) => {
        await tx.upsertHost(other, OVER_MS)
        await tx.insertImage(given.image(1))
        await tx.insertInstance(given.instance(1, { claimed: true }))
        await tx.insertNic(given.nic(1, { groups: [given.otherGroup.id, given.group.id] }))
        await tx.insertVolume(volumeRecord(1, given.instance(1)))
      })
      const all = async (store: Store) =>
        store.read(async (tx) => ({
          hosts: await tx.hosts(),
          instances: await tx.instances({}),
          nics: await tx.nics({}),
          images: await tx.images({}),
          volumes: await tx.volumes({}),
          subnets: await tx.subnets({}),
          types: await tx.instanceTypes(),
          accounts: await tx.accounts(),
        }))
      const replica = await openSqliteStore({ file: ':memory:', log: silentLog })
      await replica.migrate()
      for (let times = 0; times < 2; times += 1) {
        const dump = await fixture.peer.read((tx) => tx.dump())
        await replica.change((tx) => tx.restore(dump))
        expect(await all(replica)).toStrictEqual(await all(fixture.peer))
      }
      await replica.close()
    })
  })
}
