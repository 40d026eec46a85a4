import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { forgetHost, outlooksOf, setDraining } from '../../../src/api/hosts.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Store } from '../../../src/store/store.ts'
import { LONG_MS, OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import {
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  nicRecord,
  volumeRecord,
} from '../../kit/records.ts'

const lost = hostName('lost')
const near = hostName('near')
const forget = () => forgetHost(store, lost, near, systemClock)
let store: Store

beforeEach(async () => {
  store = await openRecords([lost, near])
  await store.change(async (tx) => {
    await tx.insertInstance(instanceRecord(instanceId(1), lost))
    await tx.insertNic(nicRecord(instanceId(1), 1))
    await tx.takeCapacity(lost, 2, 1024)
  })
})
afterEach(() => store.close())

it('a host that is alive cannot be forgotten, nor one that nobody knows', async () => {
  await expect(forget()).rejects.toMatchObject({ kind: 'refused', code: 'IncorrectState' })
  await expect(forgetHost(store, hostName('nobody'), near, systemClock)).rejects.toMatchObject({
    code: 'InvalidHostID.NotFound',
  })
})

it('forgetting ends its instances and volumes, frees their addresses and hands on their tombstones', async () => {
  await store.change(async (tx) => {
    await tx.renewLease(hostRecord(lost), OVER_MS, {
      lastSeenAt: new Date().toISOString(),
      shortOf: null,
    })
    await tx.insertImage({
      ...image,
      id: image.id.replace(/.$/, 'f') as typeof image.id,
      name: 'its',
      host: lost,
    })
    const own = instanceRecord(instanceId(1), lost)
    const kept = { instance: null, state: 'available' } as const
    await tx.updateInstance(own.id, { bootSeen: 1 })
    await tx.insertVolume(volumeRecord(1, own, { deleteOnTermination: false }))
    await tx.insertVolume(volumeRecord(2, own, kept))
    await tx.insertVolume(volumeRecord(3, { ...own, host: near }, kept))
  })
  expect(await forget()).toBe(1)
  const after = await store.read(async (tx) => ({
    hosts: (await tx.hosts()).map(({ name }) => name),
    instances: await tx.instances({}),
    nics: await tx.nics({}),
    images: (await tx.images({})).filter((one) => one.host === lost),
    volumes: (await tx.volumes({})).map(({ host }) => host),
  }))
  expect(after).toMatchObject({
    hosts: [near],
    instances: [{ host: near, state: 'terminated', stateReason: { code: 'Server.HostForgotten' } }],
    nics: [],
    images: [],
    volumes: [near],
  })
  await expect(forget()).rejects.toMatchObject({ code: 'InvalidHostID.NotFound' })
})

it('draining and taking back', async () => {
  const state = async () => (await store.read((tx) => tx.hosts())).map((host) => host.state)
  await setDraining(store, lost, true)
  expect(await state()).toEqual(['draining', 'active'])
  await setDraining(store, lost, false)
  expect(await state()).toEqual(['active', 'active'])
  await expect(setDraining(store, hostName('nobody'), true)).rejects.toMatchObject({
    kind: 'refused',
  })
})

describe('a host whose answers count before instances are taken over', () => {
  const third = hostName('third')
  const members = () => store.read((tx) => tx.failoverMembers())
  const isOver = () =>
    store.change((tx) =>
      tx.renewLease(hostRecord(lost), OVER_MS, {
        lastSeenAt: new Date().toISOString(),
        shortOf: null,
      }),
    )
  const put = async (all: readonly (typeof lost)[], heard: readonly (typeof lost)[]) => {
    await isOver()
    await store.change(async (tx) => {
      await tx.upsertHost(hostRecord(third), 60_000)
      await tx.changeFailoverMembers(7, all)
      for (const host of heard) await tx.acknowledgeFailoverMembers(hostRecord(host), 7)
    })
  }

  it('is forgotten with the next membership, in which it does not count', async () => {
    await put([near, lost, third], [near, lost])
    await forget()
    expect(await members()).toMatchObject({ version: 8, members: [near, third] })
  })

  it.each([
    ['before most have heard of the last change', [near, lost, third], [near]],
    ['when no member would be left', [lost], [lost]],
  ])('is not forgotten %s', async (_when, all, heard) => {
    await put(all, heard)
    await expect(forget()).rejects.toMatchObject({ code: 'IncorrectState' })
    expect(await members()).toMatchObject({ version: 7, members: all })
    expect((await store.read((tx) => tx.hosts())).map(({ name }) => name)).toContain(lost)
  })

  it('changes nothing when it is none', async () => {
    await put([near, third], [])
    await forget()
    expect(await members()).toMatchObject({ version: 7, members: [near, third] })
  })
})

it('says what the loss of a host would mean, by type and disks of what others may start', async () => {
  const far = hostName('far')
  const outlook = () =>
    store.read(async (tx) =>
      Object.fromEntries(await outlooksOf(tx, await tx.hosts(), [lost, near, far])),
    )
  expect(await outlook()).toEqual({})
  const recovery = { wanted: 'recover', acknowledged: 'recover', run: 1, assignment: 'a' } as const
  const said = { fenceLevel: 'muted', shortOf: null, lastSeenAt: new Date().toISOString() }
  await store.change(async (tx) => {
    await tx.upsertHost(hostRecord(far), LONG_MS)
    for (const name of [lost, near, far]) await tx.renewLease(hostRecord(name), LONG_MS, said)
    await tx.insertInstance({ ...instanceRecord(instanceId(2), lost), recovery })
  })
  const one = { host: lost, instances: 1, hasMajority: true }
  expect(await outlook()).toEqual({ [lost]: { ...one, homeless: 0 } })
  for (const name of [near, far])
    await store.change((tx) => tx.takeCapacity(name, 0, hostRecord(name).memoryMiB - 1))
  expect(await outlook()).toEqual({ [lost]: { ...one, homeless: 1 } })
})
