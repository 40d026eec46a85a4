import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { endStalledMoves, recordArrival, recordStandstill } from '../../../../src/agent/moves.ts'
import { createRecordsReader } from '../../../../src/agent/reader.ts'
import { reportFacts } from '../../../../src/agent/report.ts'
import { beginMove, cancelMove, type Live } from '../../../../src/api/moves/begin.ts'
import { evacuationOf, rebalanceOf, reportOf } from '../../../../src/api/moves/evacuate.ts'
import { DOCKER } from '../../../../src/containers/declaration.ts'
import { isoTime, systemClock } from '../../../../src/lib/clock.ts'
import { QEMU } from '../../../../src/machines/declaration.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { keptLocation } from '../../../../src/model/image-location.ts'
import type { Instance } from '../../../../src/model/records.ts'
import type { ReservedCapacity } from '../../../../src/model/recovery.ts'
import type { Fact } from '../../../../src/model/want.ts'
import { wantFor } from '../../../../src/plan/want.ts'
import type { Store } from '../../../../src/store/store.ts'
import { LONG_MS, OVER_MS, openRecords } from '../../../kit/cluster-records.ts'
import {
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  nicRecord,
  numbered,
  volumeRecord,
} from '../../../kit/records.ts'

const a = hostName('a')
const b = hostName('b')
const c = hostName('c')
const id = instanceId(1)
const drivers = [QEMU, DOCKER]
let store: Store

const now = () => isoTime(systemClock.now())
const begin = (to: typeof a | null = b, reserve: ReservedCapacity = 'none') =>
  store.change((tx) => beginMove(tx, { id, to, now: now(), drivers, reserve }))
const snapshot = (host: typeof a) =>
  createRecordsReader(store, host, systemClock).read({ fresh: true })
const report = async (host: typeof a, fact: Fact) =>
  reportFacts(store, hostRecord(host), [await ofMove(fact)], await snapshot(host), systemClock)
const stopped = (bootCount = 1): Fact => ({
  ...{ kind: 'stopped', instance: id, bootCount },
  ...{ code: 'Client.UserInitiatedShutdown', message: '' },
})
const arrived = (bootCount = 1): Fact => ({ kind: 'move-arrived', moved: id, move: 0, bootCount })
/** The fact, of the last move of its instance. */
async function ofMove(fact: Fact): Promise<Fact> {
  const [last] = await store.read((tx) => tx.moves({ instances: [id] }))
  return 'moved' in fact && last !== undefined ? { ...fact, move: last.askedAtMs } : fact
}
const movesIn = async (host: typeof a) =>
  (wantFor(host, await snapshot(host))?.local.moves ?? []).map(({ kind }) => kind)

async function state() {
  return await store.read(async (tx) => {
    const [instance] = await tx.instances({ ids: [id] })
    const [move] = await tx.moves({ instances: [id] })
    const used = (await tx.hosts()).map((host) => [
      ...[host.name, host.usedVcpus, host.usedMemoryMiB, host.usedDiskGiB],
    ])
    const { host, state: of, wanted, bootCount } = instance ?? {}
    return { host, state: of, wanted, bootCount, move: move?.state, used }
  })
}

async function change(to: Partial<Instance>): Promise<void> {
  await store.change((tx) => tx.updateInstance(id, to))
}

beforeEach(async () => {
  store = await openRecords([])
  await store.change(async (tx) => {
    for (const [at, name] of [a, b, c].entries())
      await tx.upsertHost(hostRecord(name, { fabricAddress: ipv4(`10.0.0.${at + 1}`) }), LONG_MS)
    const one = { ...instanceRecord(id, a), state: 'running' as const, bootSeen: 1 }
    await tx.insertInstance(one)
    await tx.insertNic(nicRecord(id, 1))
    await tx.insertVolume(volumeRecord(1, one))
    await tx.takeCapacity(a, 2, 1024, 8)
  })
})
afterEach(() => store.close())

const FULL = ['a', 2, 1024, 8]
const AT_B = ['b', 2, 1024, 8]
const free = (name: string) => [name, 0, 0, 0]

describe('a move', () => {
  it('stops the instance, copies, gives it to the new host, and starts it there', async () => {
    expect(await begin()).toBe(b)
    expect(await state()).toMatchObject({ host: a, state: 'stopping', move: 'stopping' })
    expect((await state()).used).toEqual([FULL, AT_B, free('c')])
    expect([await movesIn(a), await movesIn(b)]).toEqual([[], []])
    await report(a, stopped())
    expect(await state()).toMatchObject({ host: a, state: 'stopped', move: 'copying' })
    expect([await movesIn(a), await movesIn(b), await movesIn(c)]).toEqual([
      ['departing'],
      ['arriving'],
      [],
    ])
    await report(b, { kind: 'move-progress', moved: id, move: 0, message: 'half' })
    await report(b, arrived())
    expect(await state()).toEqual({
      ...{ host: b, state: 'pending', wanted: 'run', bootCount: 2, move: 'starting' },
      used: [free('a'), AT_B, free('c')],
    })
    expect((await snapshot(a)).instances).toEqual([])
    expect((await snapshot(b)).volumes.map(({ host }) => host)).toEqual([b])
    await report(b, { kind: 'running', instance: id, bootCount: 2 })
    expect(await state()).toMatchObject({ host: b, state: 'running', move: 'done' })
    expect([await movesIn(a), await movesIn(b)]).toEqual([[], []])
  })

  it('leaves a stopped instance stopped', async () => {
    await change({ state: 'stopped', wanted: 'stop' })
    await begin()
    await report(b, arrived())
    expect(await state()).toMatchObject({ host: b, state: 'stopped', wanted: 'stop', move: 'done' })
  })

  it('is one at a time, and another one follows', async () => {
    await begin()
    await expect(begin(c)).rejects.toThrow(/is being moved already/)
    await report(a, stopped())
    await report(b, arrived())
    await report(b, { kind: 'running', instance: id, bootCount: 2 })
    expect(await begin(c)).toBe(c)
    expect((await state()).used).toEqual([free('a'), AT_B, ['c', 2, 1024, 8]])
  })

  it('ends with a failure, and the instance runs again where it was', async () => {
    await begin()
    await report(a, stopped())
    await report(b, { kind: 'move-failed', moved: id, move: 0, message: 'no room' })
    const failed = {
      ...{ host: a, state: 'pending', wanted: 'run', bootCount: 2, move: 'failed' },
      used: [FULL, free('b'), free('c')],
    }
    expect(await state()).toEqual(failed)
    // What comes late changes nothing.
    await report(b, arrived())
    expect(await state()).toEqual(failed)
  })

  it('that failed in this run of an evacuation is not begun again by it', async () => {
    const reports = (fromMs?: number) => store.read((tx) => evacuationOf(tx, a, drivers, fromMs))
    const beganMs = systemClock.now()
    await begin()
    await report(a, stopped())
    await report(b, { kind: 'move-failed', moved: id, move: 0, message: 'no room' })
    await change({ state: 'running' })
    expect(await reports(beganMs)).toMatchObject([{ state: 'failed', message: 'no room' }])
    // The next run tries it.
    const again = { state: 'waiting', message: 'failed before: no room' }
    expect(await reports(systemClock.now() + 1)).toMatchObject([again])
    expect(await reports()).toMatchObject([again])
  })

  it('is cancelled while it stops and while it is copied, not afterwards', async () => {
    const cancel = () => store.change((tx) => cancelMove(tx, id, now()))
    await begin()
    await cancel()
    expect(await state()).toMatchObject({ host: a, state: 'pending', wanted: 'run', bootCount: 2 })
    expect((await state()).used).toEqual([FULL, free('b'), free('c')])
    await change({ state: 'running', bootSeen: 2 })
    await begin()
    await report(a, stopped(2))
    await report(b, arrived(2))
    await expect(cancel()).rejects.toThrow(/is on its new host already/)
  })

  it.each([
    ['was started meanwhile', { state: 'pending', wanted: 'run', bootCount: 2 }],
    ['has run and was stopped again', { bootCount: 3 }],
    ['has another type', { type: 't3.small' }],
  ] as const)('is worth nothing when the instance %s', async (_what, to) => {
    await begin()
    await report(a, stopped())
    const before = await snapshot(b)
    await change(to)
    await reportFacts(store, hostRecord(b), [await ofMove(arrived())], before, systemClock)
    expect(await state()).toMatchObject({ host: a, move: 'failed' })
    expect((await state()).used).toEqual([FULL, free('b'), free('c')])
  })

  it('waits for an image that is made from the instance', async () => {
    await begin()
    await report(a, stopped())
    const made = { ...image, id: numbered('ami', 9), name: 'made', host: a }
    await store.change((tx) =>
      tx.insertImage({ ...made, state: 'pending', sourceInstance: id, capture: 'reboot' }),
    )
    await report(b, arrived())
    expect(await state()).toMatchObject({ host: a, move: 'copying' })
    await store.change((tx) => tx.updateImage(made.id, { state: 'failed' }))
    await report(b, arrived())
    expect(await state()).toMatchObject({ host: b })
  })

  it('ends with its instance, and gives the room back', async () => {
    await begin()
    await change({ state: 'shutting-down', wanted: 'terminate' })
    await report(a, { kind: 'gone', instance: id })
    const { move, used } = await state()
    expect([move, used]).toEqual([undefined, [free('a'), free('b'), free('c')]])
  })

  it('ends when the new host does nothing', async () => {
    await begin()
    await report(a, stopped())
    expect(await endStalledMoves(store, systemClock)).toEqual([])
    expect(await endStalledMoves(store, systemClock, -1000)).toMatchObject([
      { instance: id, to: b },
    ])
    expect(await state()).toMatchObject({ host: a, state: 'pending', bootCount: 2, move: 'failed' })
    expect(await endStalledMoves(store, systemClock, -1000)).toEqual([])
  })
})

describe('what cannot be moved says why', () => {
  it.each([
    [{ state: 'pending' }, /it is pending/],
    [{ driver: 'other' as Instance['driver'] }, /its driver \(unknown\) moves no instances/],
    [{ type: 'gone' }, /its type gone is not known any more/],
  ] as const)('%o', async (to, why) => {
    if ('driver' in to) {
      await store.change(async (tx) => {
        await tx.insertInstance({
          ...instanceRecord(instanceId(2), a),
          ...{ ...to, state: 'running' },
        })
      })
      const reports = await store.read((tx) => evacuationOf(tx, a, drivers))
      expect(reports.find(({ instance }) => instance === instanceId(2))?.message).toMatch(why)
      return
    }
    await change(to)
    await expect(begin()).rejects.toThrow(why)
  })

  it('an image that only its host has', async () => {
    const kept = numbered('ami', 8)
    await store.change(async (tx) => {
      const location = keptLocation(QEMU.name, a, kept)
      await tx.insertImage({ ...image, id: kept, name: 'kept', location })
      const one = { ...instanceRecord(instanceId(3), a), image: kept, state: 'running' as const }
      await tx.insertInstance(one)
    })
    const reports = await store.read((tx) => evacuationOf(tx, a, drivers))
    expect(reports.find(({ instance }) => instance === instanceId(3))).toMatchObject({
      state: 'stuck',
      message: expect.stringMatching(/was made on a and is only there/),
    })
  })

  it('a host that is the same, unknown, full, drained or lost', async () => {
    await expect(begin(a)).rejects.toThrow(/is on a already/)
    await expect(begin(hostName('nobody'))).rejects.toThrow(/There is no host nobody/)
    await store.change((tx) => tx.takeCapacity(b, 32, 1024))
    await expect(begin(b)).rejects.toThrow(/b does not take it/)
    await store.change((tx) => tx.setHostState(c, 'draining'))
    await expect(begin(null)).rejects.toThrow(/no other host of its zone/)
    await store.change((tx) => tx.setHostState(c, 'active'))
    await store.change((tx) =>
      tx.renewLease(hostRecord(c), OVER_MS, { lastSeenAt: now(), shortOf: null }),
    )
    await expect(begin(c)).rejects.toThrow(/c does not take it/)
    expect(await state()).toMatchObject({ state: 'running', move: undefined })
  })
})

describe('capacity.reserve', () => {
  const RESERVE = 'one-host'
  const ALL_MIB = hostRecord(a).memoryMiB

  /** So many instances on a host that others start again; the host has so much memory left. */
  async function fill(host: typeof a, count: number, leftMiB: number): Promise<void> {
    await store.change(async (tx) => {
      for (const name of [a, b, c]) {
        const said = { fenceLevel: 'muted', shortOf: null, lastSeenAt: now() }
        await tx.renewLease(hostRecord(name), LONG_MS, said)
      }
      const recovery = {
        wanted: 'recover',
        acknowledged: 'keep',
        run: 0,
        assignment: null,
      } as const
      for (let number = 2; number < 2 + count; number += 1) {
        const one = { ...instanceRecord(instanceId(number), host), state: 'running' as const }
        await tx.insertInstance({ ...one, recovery })
      }
      const [{ usedMemoryMiB = 0 } = {}] = await tx.hosts([host])
      await tx.takeCapacity(host, 0, ALL_MIB - usedMemoryMiB - leftMiB)
    })
  }

  it('keeps moves from the room that instances of a lost host need, unless theirs is drained', async () => {
    await fill(c, 1, 8 * 1024)
    await fill(a, 0, 0)
    await fill(b, 0, 1024)
    await expect(begin(b, RESERVE)).rejects.toMatchObject({
      code: 'InsufficientInstanceCapacity',
      message: expect.stringMatching(/capacity\.reserve.*atoll drain a/),
    })
    expect((await state()).move).toBe(undefined)
    await store.change((tx) => tx.setHostState(a, 'draining'))
    expect(await begin(b, RESERVE)).toBe(b)
  })

  it('has moves go to another host', async () => {
    await fill(c, 1, 2 * 1024)
    await fill(a, 0, 0)
    await fill(b, 0, 1024)
    expect(await begin(null, RESERVE)).toBe(c)
  })

  it('counts what moves on its new host, not on the old one, too', async () => {
    await store.change((tx) => tx.wishRecovery(id, 'recover'))
    await fill(a, 0, 1024)
    await fill(b, 0, 1024)
    await fill(c, 0, 0)
    expect(await begin(b, RESERVE)).toBe(b)
  })

  it('keeps a plan that evens out the load from it', async () => {
    await fill(a, 4, 0)
    await fill(b, 0, 4 * 1024)
    await store.change((tx) => tx.setHostState(c, 'draining'))
    const planned = (reserve: ReservedCapacity) =>
      store.read((tx) => rebalanceOf(tx, { drivers, reserve }))
    expect(await planned('none')).not.toEqual([])
    expect(await planned(RESERVE)).toEqual([])
  })
})

describe('a live move', () => {
  const beginLive = (live: Live = true) =>
    store.change((tx) => beginMove(tx, { id, to: b, live, drivers, reserve: 'none', now: now() }))

  beforeEach(() => change({ driver: QEMU.name }))

  it('leaves the instance running, and gives it to the new host in one step', async () => {
    await beginLive()
    expect(await state()).toMatchObject({ host: a, state: 'running', wanted: 'run', bootCount: 1 })
    expect((await state()).used).toEqual([FULL, AT_B, free('c')])
    expect([await movesIn(a), await movesIn(b)]).toEqual([['departing'], ['arriving']])
    await report(b, arrived())
    expect(await state()).toEqual({
      ...{ host: b, state: 'running', wanted: 'run', bootCount: 1, move: 'done' },
      used: [free('a'), AT_B, free('c')],
    })
    expect((await snapshot(a)).instances).toEqual([])
  })

  it('has the new host make its NICs before, without a route to them', async () => {
    const wantOn = async (host: typeof a) => wantFor(host, await snapshot(host))
    expect(await wantOn(b)).not.toHaveProperty('local.arriving')
    await beginLive()
    const [before, there] = [await wantOn(a), await wantOn(b)]
    const [running] = before?.local.instances ?? []
    const [coming] = there?.local.arriving ?? []
    expect(there?.local.instances).toEqual([])
    expect(coming?.nics).toEqual(running?.nics)
    expect(coming?.id).toBe(id)
    const [ip] = (running?.nics ?? []).map((nic) => nic.ip)
    const routes = async (host: typeof a) => (await wantOn(host))?.shared.routes.map(({ ip }) => ip)
    expect([await routes(a), await routes(b)]).toEqual([[], [ip]])
    await report(b, arrived())
    expect([await routes(a), await routes(b)]).toEqual([[], []])
    expect((await wantOn(b))?.local.instances.map((one) => one.nics)).toEqual([running?.nics])
    expect(await wantOn(b)).not.toHaveProperty('local.arriving')
  })

  it('ends rather than waits when an image is made from it meanwhile', async () => {
    await beginLive()
    const made = {
      id: numbered('ami', 9),
      name: 'made',
      host: a,
      state: 'pending' as const,
      sourceInstance: id,
    }
    await store.change((tx) => tx.insertImage({ ...image, ...made }))
    await report(b, arrived())
    expect(await state()).toMatchObject({ host: a, state: 'running', move: 'failed' })
  })

  it('that fails changes nothing of the instance, and what comes late nothing at all', async () => {
    await beginLive()
    await report(b, { kind: 'move-failed', moved: id, move: 0, message: 'QEMU differs' })
    const failed = {
      ...{ host: a, state: 'running', wanted: 'run', bootCount: 1, move: 'failed' },
      used: [FULL, free('b'), free('c')],
    }
    expect(await state()).toEqual(failed)
    await report(b, arrived())
    expect(await state()).toEqual(failed)
  })

  it('is either completed or ended, whoever comes first', async () => {
    const cancel = () => store.change((tx) => cancelMove(tx, id, now()))
    await beginLive()
    const before = await snapshot(b)
    const late = await ofMove(arrived())
    await cancel()
    await reportFacts(store, hostRecord(b), [late], before, systemClock)
    expect(await state()).toMatchObject({ host: a, move: 'failed' })
    await beginLive()
    await report(b, arrived())
    await expect(cancel()).rejects.toThrow(/is on its new host already/)
    expect(await state()).toMatchObject({ host: b, move: 'done' })
  })

  it('is not completed by what was found out about the one before', async () => {
    await beginLive()
    const before = await ofMove(arrived())
    await store.change((tx) => cancelMove(tx, id, now()))
    await vi.waitUntil(() => now() > isoTime('move' in before ? before.move : 0))
    await beginLive()
    await reportFacts(store, hostRecord(b), [before], await snapshot(b), systemClock)
    expect(await state()).toMatchObject({ host: a, move: 'copying' })
  })

  it('is completed at once by its new host, which alone may let the instance go on', async () => {
    const parts = { store, clock: systemClock }
    await beginLive()
    const found = await ofMove(arrived())
    if (!('bootCount' in found && 'moved' in found)) throw new Error('it has arrived')
    expect(await recordArrival(parts, c, found)).toBe(false)
    expect(await recordArrival(parts, b, { ...found, move: found.move - 1 })).toBe(false)
    expect(await state()).toMatchObject({ host: a, move: 'copying' })
    expect(await recordArrival(parts, b, found)).toBe(true)
    expect(await state()).toMatchObject({ host: b, move: 'done' })
    // It is not again, as it may have moved on.
    expect(await recordArrival(parts, b, found)).toBe(false)
  })

  it('that is worth nothing does not let the instance go on', async () => {
    await beginLive()
    const found = await ofMove(arrived())
    if (!('bootCount' in found && 'moved' in found)) throw new Error('it has arrived')
    await change({ bootCount: 2 })
    expect(await recordArrival({ store, clock: systemClock }, b, found)).toBe(false)
    expect(await state()).toMatchObject({ host: a, move: 'failed' })
  })

  it('says how long the instance stood still, once it goes on', async () => {
    const parts = { store, clock: systemClock }
    const downtime = async () => (await store.read((tx) => tx.moves({}))).map(reportOf)
    await beginLive()
    const found = await ofMove(arrived())
    if (!('bootCount' in found && 'moved' in found)) throw new Error('it has arrived')
    await recordStandstill(parts, b, found, 120)
    await recordArrival(parts, b, found)
    expect(await downtime()).toMatchObject([{ state: 'done', downtimeMs: null, live: true }])
    await recordStandstill(parts, c, found, 120)
    await recordStandstill(parts, b, { ...found, move: found.move - 1 }, 120)
    expect(await downtime()).toMatchObject([{ downtimeMs: null }])
    await recordStandstill(parts, b, found, 120.4)
    expect(await downtime()).toMatchObject([{ downtimeMs: 120 }])
  })

  it.each([
    ['is being stopped', { state: 'stopping', wanted: 'stop' }],
    ['is rebooted', { bootCount: 2 }],
    ['is terminated', { state: 'shutting-down', wanted: 'terminate' }],
  ] as const)('is worth nothing when the instance %s meanwhile', async (_what, to) => {
    await beginLive()
    const before = await snapshot(b)
    await change(to)
    expect([await movesIn(a), await movesIn(b)]).toEqual([[], []])
    await reportFacts(store, hostRecord(b), [await ofMove(arrived())], before, systemClock)
    expect(await state()).toMatchObject({ host: a, ...to, move: 'failed' })
    expect((await state()).used).toEqual([FULL, free('b'), free('c')])
  })

  it('ends when its instance has stopped', async () => {
    await beginLive()
    await change({ state: 'stopping', wanted: 'stop' })
    await report(a, stopped())
    expect(await state()).toMatchObject({ host: a, state: 'stopped', move: 'failed' })
  })

  it('is none of a disk that both hosts reach: nothing has to be copied', async () => {
    const one = { ...volumeRecord(2, instanceRecord(id, a)), storage: 'st-0123456789abcdef' }
    await store.change((tx) => tx.insertVolume(one))
    await expect(beginLive()).rejects.toThrow(/its disk is on a storage that both hosts reach/)
    expect((await state()).used).toEqual([FULL, free('b'), free('c')])
  })

  it.each([
    ['a container', { driver: DOCKER.name }, /its driver \(docker\) cannot do that/],
    ['a stopped one', { state: 'stopped', wanted: 'stop' }, /it is stopped/],
  ] as const)('is none of %s', async (_what, to, why) => {
    await change(to)
    await expect(beginLive()).rejects.toThrow(why)
    expect((await state()).used).toEqual([FULL, free('b'), free('c')])
    await beginLive('if-possible')
    const [move] = await store.read((tx) => tx.moves({ instances: [id] }))
    expect(move?.live).toBe(false)
  })
})
