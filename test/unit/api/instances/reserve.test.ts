/** Launches, starts and larger types beside the room that `capacity.reserve` keeps. */
import { describe, expect, it } from 'vitest'
import { createCatalogue } from '../../../../src/api/launch/catalogue.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import type { ReservedCapacity } from '../../../../src/model/recovery.ts'
import { actionNamed } from '../../../kit/account-world.ts'
import { known } from '../../../kit/api.ts'
import { type Cloud, openCloud } from '../../../kit/api-cloud.ts'
import { numbered } from '../../../kit/records.ts'

const TAG = { Key: 'atoll:recover', Value: 'discard-disk' }
const RECOVER = { TagSpecifications: [{ ResourceType: 'instance', Tags: [TAG] }] }
const KEEP = {}
/** Instances of type t3.micro that fit on a host. */
const ROOM = 4
const MICRO = { vcpus: 2, memoryMiB: 1_024 }

/** Three hosts, of which so many may run such instances. Each launch reads what there is. */
async function openReserving(reserve: ReservedCapacity, fenced = 3): Promise<Cloud> {
  let nowMs = 0
  const monotonic = () => (nowMs += 1_000)
  const size = { vcpus: 4 * ROOM * MICRO.vcpus, memoryMiB: ROOM * MICRO.memoryMiB }
  const cloud = await openCloud({
    ...{ hosts: [size, size, size], settings: { reserve } },
    parts: { catalogue: createCatalogue({ monotonic }, reserve) },
  })
  await cloud.store.change(async (tx) => {
    for (const { name, identity, shortOf, lastSeenAt } of (await tx.hosts()).slice(0, fenced)) {
      const said = { shortOf, lastSeenAt, fenceLevel: 'muted' }
      await tx.renewLease({ name, identity: identity ?? '' }, 60_000, said)
    }
  })
  return cloud
}

const run = (cloud: Cloud, name: string, input: object) => cloud.run(actionNamed(name), input)

async function launch(cloud: Cloud, count: number, more: object): Promise<readonly InstanceId[]> {
  const one = { ImageId: cloud.image, InstanceType: 't3.micro', SubnetId: cloud.subnet.id }
  const input = { ...one, MinCount: 1, MaxCount: count, ...more }
  const { Instances } = await run(cloud, 'RunInstances', input)
  return (Instances as { InstanceId: InstanceId }[]).map(({ InstanceId: id }) => id)
}

const REFUSED = {
  code: 'InsufficientInstanceCapacity',
  message: expect.stringContaining('capacity.reserve'),
}

describe('capacity.reserve', () => {
  it.each<[ReservedCapacity, string, object, number]>([
    ['none', 'that others start again', RECOVER, 3 * ROOM],
    ['one-host', 'that others start again', RECOVER, 2 * ROOM],
    ['one-host', 'that stay with their host', KEEP, 3 * ROOM],
  ])('%s: of instances %s there is room for so many', async (reserve, _which, more, room) => {
    for (const all of [3 * ROOM, 1]) {
      await using cloud = await openReserving(reserve)
      let count = 0
      for (let tries = 0; tries < (3 * ROOM) / all; tries += 1)
        count += (await launch(cloud, all, more).catch(() => [])).length
      expect(count).toBe(room)
    }
  })

  it('keeps the room of one that is to be started again from all others', async () => {
    await using cloud = await openReserving('one-host')
    await launch(cloud, 1, RECOVER)
    expect(await launch(cloud, 3 * ROOM, KEEP)).toHaveLength(3 * ROOM - 2)
    await expect(launch(cloud, 1, KEEP)).rejects.toMatchObject(REFUSED)
  })

  it('refuses as a whole what leaves too little', async () => {
    await using cloud = await openReserving('one-host')
    const all = { ...RECOVER, MinCount: 2 * ROOM + 1 }
    await expect(launch(cloud, 2 * ROOM + 1, all)).rejects.toMatchObject(REFUSED)
    expect(await cloud.store.read((tx) => tx.instances({}))).toEqual([])
  })

  it('keeps no room where none of them could be started again', async () => {
    await using cloud = await openReserving('one-host', 2)
    expect(await launch(cloud, 3 * ROOM, RECOVER)).toHaveLength(ROOM)
    expect(await launch(cloud, 3 * ROOM, KEEP)).toHaveLength(ROOM)
    const hosts = await cloud.store.read((tx) => tx.hosts())
    expect(hosts.map(({ usedVcpus }) => usedVcpus / MICRO.vcpus).at(-1)).toBe(ROOM)
  })

  it('counts a stopped one, which starts whatever was launched since', async () => {
    await using cloud = await openReserving('one-host')
    const [id] = await launch(cloud, 2 * ROOM, RECOVER)
    await cloud.store.change((tx) =>
      tx.updateInstance(known(id), { state: 'stopped', wanted: 'stop' }),
    )
    await expect(launch(cloud, 1, RECOVER)).rejects.toMatchObject(REFUSED)
    await run(cloud, 'StartInstances', { InstanceIds: [id] })
    const [started] = await cloud.store.read((tx) => tx.instances({ ids: [known(id)] }))
    expect(started?.wanted).toBe('run')
  })

  it('gives no larger type the room, and a smaller one at any time', async () => {
    await using cloud = await openReserving('one-host')
    const machine = numbered('ami', 7)
    await cloud.store.change(async (tx) => {
      const image = known((await tx.images({}))[0])
      const location = 'file:///var/lib/atoll/published/disk.qcow2'
      await tx.insertImage({ ...image, id: machine, name: 'machine', location })
    })
    const [id] = await launch(cloud, 1, { ...RECOVER, ImageId: machine })
    await launch(cloud, 2 * ROOM - 1, { ...RECOVER, MinCount: 2 * ROOM - 1 })
    await cloud.store.change((tx) =>
      tx.updateInstance(known(id), { state: 'stopped', wanted: 'stop' }),
    )
    const change = (Value: string) =>
      run(cloud, 'ModifyInstanceAttribute', { InstanceId: id, InstanceType: { Value } })
    await expect(change('t3.small')).rejects.toMatchObject(REFUSED)
    await change('t3.nano')
    await change('t3.micro')
  })
})
