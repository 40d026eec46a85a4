import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { adoptOrphans } from '../../../src/agent/orphans.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { keptLocation } from '../../../src/model/image-location.ts'
import { INSTANCE_OPTIONS } from '../../../src/model/instance-options.ts'
import type { Instance } from '../../../src/model/records.ts'
import type { Store } from '../../../src/store/store.ts'
import { LONG_MS, OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import {
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  nicRecord,
  numbered,
} from '../../kit/records.ts'

const lost = hostName('lost')
const near = hostName('near')
const id = instanceId(1)
const keptImage = {
  ...image,
  id: numbered('ami', 2),
  name: 'kept',
  location: keptLocation(FIRST_DRIVERS.machine, lost, numbered('ami', 2)),
}
let store: Store

beforeEach(async () => {
  store = await openRecords([lost, near])
})
afterEach(() => store.close())

async function launch(change: Partial<Instance> = {}): Promise<void> {
  await store.change(async (tx) => {
    await tx.insertInstance({ ...instanceRecord(id, lost), claimed: false, ...change })
    await tx.insertNic(nicRecord(id, 1))
    await tx.takeCapacity(lost, 2, 1024)
    await tx.renewLease(hostRecord(lost), OVER_MS, {
      lastSeenAt: new Date().toISOString(),
      shortOf: null,
    })
  })
}

async function outcome() {
  return await store.read(async (tx) => ({
    instance: (await tx.instances({ ids: [id] }))[0],
    nics: (await tx.nics({})).length,
    used: (await tx.hosts()).map((host) => [host.name, host.usedMemoryMiB]),
  }))
}

describe('adoptOrphans', () => {
  it('moves what was never started, with its capacity, and keeps its address', async () => {
    await launch()
    const outcomes = await Promise.all([
      adoptOrphans(store, systemClock),
      adoptOrphans(store, systemClock),
    ])
    expect(outcomes.flat()).toEqual([{ instance: id, from: lost, to: near }])
    expect(await outcome()).toMatchObject({
      instance: { host: near, state: 'pending', claimed: false },
      nics: 1,
      used: [
        [lost, 0],
        [near, 1024],
      ],
    })
  })

  it('ends what was never started and is not wanted any more', async () => {
    await launch({ state: 'shutting-down', wanted: 'terminate' })
    expect(await adoptOrphans(store, systemClock)).toMatchObject([{ to: null }])
    expect(await outcome()).toMatchObject({
      instance: { state: 'terminated' },
      nics: 0,
      used: [
        [lost, 0],
        [near, 0],
      ],
    })
  })

  it.each<[string, Partial<Instance>, (store: Store) => Promise<unknown>]>([
    ['it was claimed', { claimed: true }, async () => undefined],
    [
      'it has run, though the claim is lost',
      { bootSeen: 1, state: 'running' },
      async () => undefined,
    ],
    ['it is stopped', { state: 'stopped', wanted: 'stop' }, async () => undefined],
    ['its host is back', {}, (one) => one.change((tx) => tx.upsertHost(hostRecord(lost), LONG_MS))],
    [
      'nobody else has its image',
      { image: keptImage.id },
      (one) => one.change((tx) => tx.insertImage(keptImage)),
    ],
    ['the others drain', {}, (one) => one.change((tx) => tx.setHostState(near, 'draining'))],
    ['the others are full', {}, (one) => one.change((tx) => tx.takeCapacity(near, 0, 32_768))],
    [
      'the others are in another zone',
      {},
      (one) =>
        one.change((tx) => tx.upsertHost({ ...hostRecord(near), zone: 'atoll-1b' }, LONG_MS)),
    ],
  ])('leaves it where it is when %s', async (_case, change, prepare) => {
    await launch(change)
    await prepare(store)
    const before = await outcome()
    expect(await adoptOrphans(store, systemClock)).toEqual([])
    expect(await outcome()).toEqual(before)
  })
})

describe('an orphan in a placement group that spreads', () => {
  const group = { id: numbered('pg', 1), name: 'apart', partition: null }
  const slots = () => store.read((tx) => tx.placementSlots(group.id))
  const slot = (host: typeof lost) => ({ placementGroup: group.id, host, partitionNumber: 0 })

  async function launchMember(): Promise<void> {
    await store.change(async (tx) => {
      const spread = { strategy: 'spread', spreadLevel: 'host', partitionCount: null } as const
      const { account } = instanceRecord(id, lost)
      await tx.insertPlacementGroup({
        ...{ ...spread, id: group.id, name: group.name, account, members: 1, zone: null },
        createdAt: new Date().toISOString(),
      })
      await tx.takePlacementSlot(slot(lost), true)
    })
    await launch({ options: { ...INSTANCE_OPTIONS, placementGroup: group } })
  }

  it('moves with its place', async () => {
    await launchMember()
    expect(await adoptOrphans(store, systemClock)).toEqual([{ instance: id, from: lost, to: near }])
    expect(await slots()).toEqual([{ ...slot(near), members: 1 }])
  })

  it('waits while every other host has a member', async () => {
    await launchMember()
    await store.change((tx) => tx.takePlacementSlot(slot(near), true))
    const before = await outcome()
    expect(await adoptOrphans(store, systemClock)).toEqual([])
    expect(await outcome()).toEqual(before)
    expect(await slots()).toEqual([
      { ...slot(lost), members: 1 },
      { ...slot(near), members: 1 },
    ])
  })
})
