import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRecordsReader } from '../../../src/agent/reader.ts'
import { purge, reportFacts } from '../../../src/agent/report.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import type { CheckResult } from '../../../src/model/instance-check.ts'
import { TOMBSTONE_MS } from '../../../src/model/lifecycle.ts'
import type { Move } from '../../../src/model/move.ts'
import type { Fact } from '../../../src/model/want.ts'
import type { Store, Tx } from '../../../src/store/store.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import {
  account,
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  nicRecord,
  numbered,
  volumeRecord,
} from '../../kit/records.ts'

const here = hostName('here')
const id = instanceId(1)
let store: Store

/** One launched instance on a host with its capacity taken. */
beforeEach(async () => {
  store = await openRecords([here])
  await store.change(async (tx) => {
    await tx.takeCapacity(here, 2, 1024)
    await tx.insertInstance(instanceRecord(id, here))
    await tx.insertNic(nicRecord(id, 1))
  })
})
afterEach(() => store.close())

const snapshot = (from: Store) => createRecordsReader(from, here, systemClock).read({ fresh: true })
const report = async (...facts: Fact[]) =>
  reportFacts(store, hostRecord(here), facts, await snapshot(store), systemClock)

async function state() {
  const { nics } = await snapshot(store)
  const [instance] = await store.read((tx) => tx.instances({ ids: [id] }))
  const hosts = await store.read((tx) => tx.hosts())
  return {
    state: instance?.state,
    wanted: instance?.wanted,
    nics: nics.length,
    used: hosts[0]?.usedMemoryMiB,
  }
}

const usedDiskGiB = async () => (await store.read((tx) => tx.hosts()))[0]?.usedDiskGiB

/** It moves from here to another host. */
const MOVE: Move = {
  ...{
    instance: id,
    from: here,
    to: hostName('there'),
    state: 'stopping',
    live: false,
    restart: true,
  },
  ...{ bootCount: 1, vcpus: 1, memoryMiB: 64, diskGiB: 1, message: '' },
  ...{ askedAtMs: 1, stoppedAtMs: null, endedAtMs: null },
}

describe('reportFacts', () => {
  it('writes that a NIC is attached, if it is this attachment that began', async () => {
    const [nic] = await store.read((tx) => tx.nics({}))
    const attachment = { id: numbered('eni-attach', 1), attachedAt: '2026-11-22T08:00:00.000Z' }
    const begun = { ...attachment, deleteOnTermination: false, isBeginning: true } as const
    if (nic === undefined) throw new Error('there is a NIC')
    await store.change((tx) => tx.updateAttachment(nic, begun))
    const { nics } = await snapshot(store)
    expect(nics[0]?.attachment).toEqual(begun)
    const fact = { kind: 'attached', nic: nic.id, attachment: attachment.id, to: id } as const
    for (const other of [
      { ...fact, attachment: numbered('eni-attach', 2) },
      { ...fact, to: instanceId(2) },
    ])
      expect((await report(other)).changes).toEqual([])
    expect((await report(fact)).changes).toEqual([fact])
    expect((await report(fact)).changes).toEqual([])
    const [after] = await store.read((tx) => tx.nics({}))
    expect(after?.attachment).toEqual({ ...attachment, deleteOnTermination: false })
  })

  it('writes a fact once and then finds nothing new in it', async () => {
    expect((await report({ kind: 'running', instance: id, bootCount: 1 })).changes).toHaveLength(1)
    expect((await report({ kind: 'running', instance: id, bootCount: 1 })).changes).toHaveLength(0)
    expect(await state()).toMatchObject({ state: 'running' })
  })

  it('writes what was found out by asking an instance only when it is another result', async () => {
    const checked = (result: CheckResult) =>
      ({ kind: 'checked', instance: id, bootCount: 1, result }) as const
    expect((await report(checked('passed'))).changes).toEqual([])
    await report({ kind: 'running', instance: id, bootCount: 1 })
    const found = async () => (await store.read((tx) => tx.instances({ ids: [id] })))[0]?.check
    for (const result of ['passed', 'failed', 'passed'] as const) {
      const { changes, wantChanged, wrote } = await report(checked(result))
      expect(changes).toEqual([checked(result)])
      // No host has to look.
      expect({ wantChanged, wrote }).toMatchObject({ wantChanged: false, wrote: { changes: [{}] } })
      const written = await found()
      expect(written).toMatchObject({ bootCount: 1, result })
      expect((await report(checked(result))).changes).toEqual([])
      expect(await found()).toEqual(written)
    }
  })

  it('announces and makes a reboot of one that hangs, unless it moves', async () => {
    const hung = { kind: 'hung', instance: id, bootCount: 1, afterMs: 120_000 } as const
    await report({ kind: 'running', instance: id, bootCount: 1 })
    for (const result of ['passed', 'failed'] as const)
      await report({ kind: 'checked', instance: id, bootCount: 1, result })
    const long = { ...hung, forMs: 200_000 }
    expect((await report(long)).changes).toEqual([])
    await store.change((tx) => tx.wishRecovery(id, 'recover'))
    const found = async () => (await store.read((tx) => tx.instances({ ids: [id] })))[0]
    expect(await report(long)).toMatchObject({ changes: [long], wantChanged: false })
    const check = (await found())?.check
    expect(Date.parse(check?.rebootAt ?? '')).toBeGreaterThan(Date.now())
    expect((await report(long)).changes).toEqual([])
    if (check !== undefined)
      await store.change((tx) =>
        tx.updateInstance(id, { check: { ...check, rebootAt: check.since } }),
      )
    await store.change((tx) => tx.beginMove(MOVE))
    expect((await report(long)).changes).toEqual([])
    await store.change((tx) => tx.deleteMove({ instance: id }))
    // The host has to look.
    expect(await report(long)).toMatchObject({ changes: [long], wantChanged: true })
    expect(await found()).toMatchObject({ bootCount: 2, state: 'running', wanted: 'run' })
    expect((await found())?.rebooted).toHaveLength(1)
    expect((await report(long)).changes).toEqual([])
  })

  it('holds a second fact of an instance against what the first made of it', async () => {
    const failed = { kind: 'failed', code: 'Client.InvalidImage', message: 'it is none' } as const
    const facts: Fact[] = [
      { ...failed, instance: id },
      { kind: 'running', instance: id, bootCount: 1 },
    ]
    expect((await report(...facts)).changes).toEqual(facts.slice(0, 1))
    expect(await state()).toMatchObject({ state: 'shutting-down', wanted: 'terminate' })
  })

  it('an image is recorded as what it was found to be', async () => {
    const pending = { ...image, id: numbered('ami', 3), name: 'pending', host: here, digest: null }
    await store.change((tx) => tx.insertImage({ ...pending, state: 'pending' }))
    const found = { digest: image.digest ?? '', architecture: 'x', diskGiB: 3 }
    await report({ kind: 'image-available', image: pending.id, ...found })
    const [recorded] = await store.read((tx) => tx.images({ ids: [pending.id] }))
    expect(recorded).toMatchObject({ state: 'available', ...found })
  })

  it('an image that was deregistered meanwhile does not come back', async () => {
    const made = { ...image, id: numbered('ami', 2), name: 'made', host: here, digest: null }
    await store.change(async (tx) => {
      await tx.insertImage({ ...made, state: 'deregistered' })
      // Somebody needs its record.
      await tx.insertInstance({ ...instanceRecord(instanceId(2), here), image: made.id })
    })
    const found = { digest: image.digest ?? '', architecture: 'x', diskGiB: null }
    const fact = { kind: 'image-available', image: made.id, ...found } as const
    expect((await report(fact)).changes).toEqual([])
    const recorded = () => store.read((tx) => tx.images({ ids: [made.id] }))
    expect(await recorded()).toMatchObject([{ state: 'deregistered' }])
    await purge(store, here, systemClock, false)
    expect(await recorded()).toHaveLength(1)
    await store.change((tx) => tx.updateInstance(instanceId(2), { state: 'terminated' }))
    await purge(store, here, systemClock, false)
    expect(await recorded()).toEqual([])
  })

  it('gives address and capacity back when the last of an instance is gone, and not before', async () => {
    await store.change((tx) =>
      tx.updateInstance(id, { state: 'shutting-down', wanted: 'terminate' }),
    )
    expect(await state()).toEqual({
      state: 'shutting-down',
      wanted: 'terminate',
      nics: 1,
      used: 1024,
    })
    expect(await report({ kind: 'gone', instance: id })).toMatchObject({ wantChanged: true })
    expect(await state()).toEqual({ state: 'terminated', wanted: 'terminate', nics: 0, used: 0 })
    await report({ kind: 'gone', instance: id })
    expect(await state()).toMatchObject({ used: 0 })
  })

  it('a failed instance is terminated on the ordinary path, with its reason', async () => {
    const { wantChanged } = await report({
      kind: 'failed',
      instance: id,
      code: 'Client.InvalidImage',
      message: 'no such image',
    })
    expect(wantChanged).toBe(true)
    expect(await state()).toEqual({
      state: 'shutting-down',
      wanted: 'terminate',
      nics: 1,
      used: 1024,
    })
    const [instance] = await store.read((tx) => tx.instances({ ids: [id] }))
    expect(instance?.stateReason).toEqual({
      code: 'Client.InvalidImage',
      message: 'Client.InvalidImage: no such image',
    })
  })

  it.each([
    ['goes with it', { deleteOnTermination: true }, 1, []],
    ['outlives it', { deleteOnTermination: false }, 1, ['available']],
    ['would outlive it, had it ever run', { deleteOnTermination: false }, 0, []],
  ])('of an instance that is gone, a volume %s', async (_name, change, bootSeen, expected) => {
    const volume = volumeRecord(1, instanceRecord(id, here), change)
    const tag = { account, resource: volume.id, resourceType: 'volume', key: 'a', value: 'b' }
    await store.change(async (tx) => {
      await tx.updateInstance(id, { state: 'shutting-down', wanted: 'terminate', bootSeen })
      await tx.insertVolume(volume)
      await tx.takeCapacity(here, 0, 0, volume.sizeGiB)
      await tx.putTags([tag])
    })
    await report({ kind: 'gone', instance: id })
    const after = await store.read(async (tx) => [await tx.volumes({}), await tx.tags({})] as const)
    expect(after[0].map(({ state }) => state)).toEqual(expected)
    expect(after[0].map(({ instance }) => instance)).toEqual(expected.map(() => null))
    expect(after[1]).toHaveLength(expected.length)
    expect(await usedDiskGiB()).toBe(expected.length * volume.sizeGiB)
  })

  it('a volume that is gone is forgotten with its tags only if it was to be deleted', async () => {
    const volume = volumeRecord(1, instanceRecord(id, here), { instance: null, state: 'available' })
    const fact: Fact = { kind: 'volume-gone', volume: volume.id }
    await store.change(async (tx) => {
      await tx.insertVolume(volume)
      await tx.takeCapacity(here, 0, 0, volume.sizeGiB)
    })
    expect((await report(fact)).changes).toEqual([])
    await store.change((tx) => tx.updateVolume(volume.id, { state: 'deleting' }))
    expect(await report(fact)).toMatchObject({ changes: [fact], wantChanged: true, wrote: null })
    expect(await store.read((tx) => tx.volumes({}))).toEqual([])
    expect(await usedDiskGiB()).toBe(0)
    expect((await report(fact)).changes).toEqual([])
  })

  it.each<[string, Parameters<Tx['updateInstance']>[1], Fact]>([
    ['claims', { claimed: false }, { kind: 'ready', instance: id }],
    ['tells a start', {}, { kind: 'running', instance: id, bootCount: 1 }],
    [
      'gives back address and capacity',
      { state: 'shutting-down', wanted: 'terminate' },
      { kind: 'gone', instance: id },
    ],
  ])(
    '%s once when an earlier report was committed that nobody heard of, and has to read what came of it',
    async (_what, before, fact) => {
      await store.change((tx) => tx.updateInstance(id, before))
      const known = await snapshot(store)
      const again = () => reportFacts(store, hostRecord(here), [fact], known, systemClock)
      await again()
      expect(await again()).toMatchObject({ changes: [], wantChanged: true, wrote: null })
      const after = await snapshot(store)
      expect(
        (await reportFacts(store, hostRecord(here), [fact], after, systemClock)).changes,
      ).toEqual([])
      expect(await state()).toMatchObject({ used: fact.kind === 'gone' ? 0 : 1024 })
    },
  )

  it('a Name tag answers from the fact of its running to the request that it stop, and the hosts of its VPC read so', async () => {
    const tag = { account, resource: id, resourceType: 'instance', key: 'Name', value: 'web' }
    await store.change((tx) => tx.putTags([{ ...tag, resourceType: 'instance' }]))
    const there = createRecordsReader(store, hostName('there'), systemClock)
    const named = async () =>
      (await there.read({ fresh: false })).nics.flatMap((nic) =>
        nic.instance === id ? nic.nameTag : [],
      )
    // A host with an instance in the same VPC.
    await store.change(async (tx) => {
      await tx.upsertHost(hostRecord(hostName('there')), 60_000)
      await tx.insertInstance(instanceRecord(instanceId(77), hostName('there')))
      await tx.insertNic(nicRecord(instanceId(77), 77))
    })
    expect(await named()).toEqual([null])
    const running = { kind: 'running', instance: id, bootCount: 1 } as const
    expect(await report(running)).toMatchObject({ wrote: null })
    expect(await named()).toEqual(['web'])
    const ended = { code: 'Client.InstanceInitiatedShutdown', message: 'it powered itself off' }
    expect(await report({ kind: 'stopped', instance: id, bootCount: 1, ...ended })).toMatchObject({
      wrote: null,
    })
    expect(await named()).toEqual([null])
  })

  it('takes no word about an instance of another host', async () => {
    const facts: Fact[] = [{ kind: 'running', instance: id, bootCount: 1 }]
    const known = await snapshot(store)
    const { changes } = await reportFacts(
      store,
      hostRecord(hostName('there')),
      facts,
      known,
      systemClock,
    )
    expect(changes).toEqual([])
  })
})

it('purge forgets a tombstone after its hour, with its tags and what is left of its volumes', async () => {
  const at = (ms: number): Clock => ({ ...systemClock, now: () => ms })
  await store.change(async (tx) => {
    await tx.putTags([{ account, resource: id, resourceType: 'instance', key: 'Name', value: 'x' }])
    await tx.deleteNics(id)
    await tx.updateInstance(id, {
      state: 'terminated',
      wanted: 'terminate',
      terminatedAt: new Date(0).toISOString(),
    })
    await tx.insertVolume(volumeRecord(1, instanceRecord(id, here)))
    await tx.takeCapacity(here, 0, 0, 8)
  })
  expect(await purge(store, here, at(TOMBSTONE_MS - 1), true)).toBe(0)
  expect(await purge(store, here, at(TOMBSTONE_MS), true)).toBe(1)
  expect(await usedDiskGiB()).toBe(0)
  expect(await store.read(async (tx) => [await tx.instances({}), await tx.tags({})])).toEqual([
    [],
    [],
  ])
})

it('purge forgets nothing before its time on a host whose clock is a century ahead', async () => {
  const ahead: Clock = { ...systemClock, now: () => Date.now() + 100 * 365 * 24 * 3_600_000 }
  await store.change(async (tx) => {
    await tx.deleteNics(id)
    await tx.updateInstance(id, {
      state: 'terminated',
      wanted: 'terminate',
      terminatedAt: new Date().toISOString(),
    })
  })
  expect(await purge(store, here, ahead, true)).toBe(0)
})
