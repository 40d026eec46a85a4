import type { Reservation } from '@aws-sdk/client-ec2'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPlacementGroup } from '../../../../src/api/actions/create-placement-group.ts'
import { deletePlacementGroup } from '../../../../src/api/actions/delete-placement-group.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { describePlacementGroups } from '../../../../src/api/actions/describe-placement-groups.ts'
import { modifyInstancePlacement } from '../../../../src/api/actions/modify-instance-placement.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import { releaseInstance } from '../../../../src/store/release.ts'
import { BOB, type Cloud, hostRow, openCloud } from '../../../kit/api-cloud.ts'
import { intercept } from '../../../kit/failing-store.ts'

const ROOM = { vcpus: 16, memoryMiB: 65_536 }
const hosts = (count: number) => Array.from({ length: count }, () => ROOM)

async function launch(cloud: Cloud, Placement: object, count = 1, least = count) {
  const asked = { ImageId: cloud.image, MinCount: least, MaxCount: count, Placement }
  return (await cloud.run(runInstances, asked)) as Reservation
}

async function refusal(cloud: Cloud, Placement: object, count = 1) {
  const asked = { ImageId: cloud.image, MinCount: count, MaxCount: count, Placement }
  return await cloud.refusal(runInstances, asked)
}

/** Hosts by instance, of those that are not terminated. */
async function placed(cloud: Cloud) {
  const instances = await cloud.store.read((tx) => tx.instances({}))
  return instances.filter(({ state }) => state !== 'terminated')
}

async function end(cloud: Cloud, id: InstanceId): Promise<void> {
  await cloud.store.change(async (tx) => {
    const [instance] = await tx.instances({ ids: [id] })
    if (instance === undefined) throw new Error('there is no such instance')
    await releaseInstance(tx, instance)
    await tx.updateInstance(id, { state: 'terminated', wanted: 'terminate' })
  })
}

describe('placement groups', () => {
  it('are made, listed and deleted', async () => {
    await using cloud = await openCloud()
    const Tags = [{ Key: 'team', Value: 'a' }]
    const TagSpecifications = [{ ResourceType: 'placement-group', Tags }]
    const made = await cloud.run(createPlacementGroup, {
      ...{ GroupName: 'apart', Strategy: 'spread', SpreadLevel: 'host', TagSpecifications },
    })
    expect(made).toMatchObject({
      PlacementGroup: {
        GroupName: 'apart',
        GroupId: expect.stringMatching(/^pg-[0-9a-f]{17}$/),
        GroupArn: 'arn:aws:ec2:atoll:000000000001:placement-group/apart',
        State: 'available',
        Strategy: 'spread',
        SpreadLevel: 'host',
        Tags,
      },
    })
    await cloud.run(createPlacementGroup, { GroupName: 'parts', Strategy: 'partition' })
    await cloud.run(createPlacementGroup, { GroupName: 'near' })
    const list = async (asked: object = {}, account?: typeof BOB) =>
      (await cloud.run(describePlacementGroups, asked, account))['PlacementGroups']
    expect(await list({ GroupNames: ['parts'] })).toMatchObject([{ PartitionCount: 7 }])
    const filter = { Name: 'strategy', Values: ['clus*'] }
    expect(await list({ Filters: [filter] })).toMatchObject([{ GroupName: 'near' }])
    expect(await list({ Filters: [{ Name: 'tag:team', Values: ['a'] }] })).toEqual([
      made['PlacementGroup'],
    ])
    expect(await list({}, BOB)).toEqual([])
    await cloud.run(deletePlacementGroup, { GroupName: 'near' })
    expect(await cloud.refusal(deletePlacementGroup, { GroupName: 'near' })).toBe(
      'InvalidPlacementGroup.Unknown',
    )
    expect(await cloud.refusal(deletePlacementGroup, { GroupName: 'apart' }, BOB)).toBe(
      'InvalidPlacementGroup.Unknown',
    )
    expect(await cloud.refusal(describePlacementGroups, { GroupNames: ['near'] })).toBe(
      'InvalidPlacementGroup.Unknown',
    )
  })

  it.each([
    [{ GroupName: 'apart' }, 'InvalidPlacementGroup.Duplicate'],
    [{ GroupName: 'x', Strategy: 'scatter' }, 'InvalidParameterValue'],
    [{ GroupName: 'x', PartitionCount: 2 }, 'InvalidParameterCombination'],
    [{ GroupName: 'x', Strategy: 'partition', PartitionCount: 8 }, 'InvalidParameterValue'],
    [{ GroupName: 'x', SpreadLevel: 'host' }, 'InvalidParameterCombination'],
    [{ GroupName: '' }, 'InvalidParameterValue'],
    [{}, 'MissingParameter'],
  ])('refuses %o', async (asked, code) => {
    await using cloud = await openCloud()
    await cloud.run(createPlacementGroup, { GroupName: 'apart', Strategy: 'spread' })
    expect(await cloud.refusal(createPlacementGroup, asked)).toBe(code)
  })

  it('are not made while a host is older, which would not give up places', async () => {
    await using cloud = await openCloud()
    await cloud.store.change((tx) =>
      tx.upsertHost({ ...hostRow('host2', ROOM), version: '0.3.0' }, 60_000),
    )
    expect(await cloud.refusal(createPlacementGroup, { GroupName: 'x' })).toBe(
      'OperationNotPermitted',
    )
  })
})

describe('a launch into a placement group', () => {
  it('puts each instance of a spread on a host of its own, or refuses', async () => {
    await using cloud = await openCloud({ hosts: hosts(3) })
    await cloud.run(createPlacementGroup, { GroupName: 'apart', Strategy: 'spread' })
    const into = { GroupName: 'apart' }
    const { Instances } = await launch(cloud, into, 2)
    expect(Instances?.[0]).toMatchObject({
      Placement: { GroupName: 'apart', GroupId: expect.stringMatching(/^pg-/) },
    })
    expect(await refusal(cloud, into, 2)).toBe('InsufficientInstanceCapacity')
    expect(await refusal(cloud, { ...into, PartitionNumber: 1 })).toBe(
      'InvalidParameterCombination',
    )
    // As many as fit.
    await launch(cloud, into, 5, 1)
    expect(new Set((await placed(cloud)).map(({ host }) => host)).size).toBe(3)
    expect(await refusal(cloud, into)).toBe('InsufficientInstanceCapacity')
    const Filters = [{ Name: 'placement-group-name', Values: ['ap*'] }]
    const { Reservations } = await cloud.run(describeInstances, { Filters })
    expect((Reservations as Reservation[]).flatMap((one) => one.Instances ?? [])).toHaveLength(3)
    // A place is free again once its instance is gone.
    const [first] = await placed(cloud)
    if (first === undefined) throw new Error('nothing was launched')
    expect(await cloud.refusal(deletePlacementGroup, into)).toBe('InvalidPlacementGroup.InUse')
    await end(cloud, first.id)
    await launch(cloud, into)
    expect((await placed(cloud)).map(({ host }) => host).toSorted()).toEqual([
      ...['host1', 'host2', 'host3'],
    ])
    for (const { id } of await placed(cloud)) await end(cloud, id)
    await cloud.run(deletePlacementGroup, into)
  })

  it('never puts two of a spread on one host, whoever launches at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 6 }),
        async (count, launches) => {
          await using cloud = await openCloud({ hosts: hosts(count) })
          await cloud.run(createPlacementGroup, { GroupName: 'apart', Strategy: 'spread' })
          await Promise.allSettled(
            launches.map((more) => launch(cloud, { GroupName: 'apart' }, more, 1)),
          )
          const used = (await placed(cloud)).map(({ host }) => host)
          expect(new Set(used).size).toBe(used.length)
          expect(used.length).toBe(
            Math.min(
              count,
              launches.reduce((sum, one) => sum + one, 0),
            ),
          )
          const [group] = await cloud.store.read((tx) => tx.placementGroups({}))
          expect(group?.members).toBe(used.length)
        },
      ),
      { numRuns: 15 },
    )
  })

  it.each(['spread', 'partition'])(
    'takes no place of a %s that another launch took after it was read',
    async (Strategy) => {
      await using cloud = await openCloud({ hosts: hosts(2) })
      await cloud.run(createPlacementGroup, { GroupName: 'group', Strategy })
      const Placement = (PartitionNumber: number) => ({
        ...{ GroupName: 'group', ...(Strategy === 'spread' ? {} : { PartitionNumber }) },
      })
      await launch(cloud, Placement(1))
      // As the records were before that.
      const store = intercept(cloud.store, (method) =>
        method === 'placementSlots' ? Promise.resolve([]) : undefined,
      )
      const asked = { ImageId: cloud.image, MinCount: 1, MaxCount: 1, Placement: Placement(2) }
      await cloud.runOn(store, runInstances, asked)
      const used = (await placed(cloud)).map(({ host }) => host)
      expect(new Set(used).size).toBe(2)
      await expect(
        cloud.runOn(store, runInstances, { ...asked, Placement: Placement(3) }),
      ).rejects.toMatchObject({ code: 'InsufficientInstanceCapacity' })
      const vcpus = (await cloud.store.read((tx) => tx.hosts())).map((host) => host.usedVcpus)
      expect(vcpus[0]).toBe(vcpus[1])
    },
  )

  it('puts no host into two partitions', async () => {
    await using cloud = await openCloud({ hosts: hosts(3) })
    const parts = { GroupName: 'parts', Strategy: 'partition', PartitionCount: 3 }
    await cloud.run(createPlacementGroup, parts)
    await launch(cloud, { GroupName: 'parts' }, 6)
    await launch(cloud, { GroupName: 'parts', PartitionNumber: 2 }, 2)
    const members = await placed(cloud)
    const partitionOf = new Map<string, Set<number | null>>()
    for (const { host, options } of members) {
      const known = partitionOf.get(host) ?? new Set()
      partitionOf.set(host, known.add(options?.placementGroup?.partition ?? null))
    }
    expect([...partitionOf.values()].flatMap((set) => [...set]).toSorted()).toEqual([1, 2, 3])
    const filter = { Name: 'placement-partition-number', Values: ['2'] }
    const { Reservations } = await cloud.run(describeInstances, { Filters: [filter] })
    expect((Reservations as Reservation[]).flatMap((one) => one.Instances ?? [])).toHaveLength(4)
    expect(await refusal(cloud, { GroupName: 'parts', PartitionNumber: 4 })).toBe(
      'InvalidParameterValue',
    )
    expect(await refusal(cloud, { PartitionNumber: 1 })).toBe('InvalidParameterCombination')
    expect(await refusal(cloud, { GroupName: 'none' })).toBe('InvalidPlacementGroup.Unknown')
  })

  it('refuses a partition when all hosts are in others', async () => {
    await using cloud = await openCloud({ hosts: hosts(2) })
    await cloud.run(createPlacementGroup, { GroupName: 'parts', Strategy: 'partition' })
    await launch(cloud, { GroupName: 'parts', PartitionNumber: 1 })
    await launch(cloud, { GroupName: 'parts', PartitionNumber: 2 })
    expect(await refusal(cloud, { GroupName: 'parts', PartitionNumber: 3 })).toBe(
      'InsufficientInstanceCapacity',
    )
  })

  it('keeps a cluster on as few hosts as it fits on', async () => {
    await using cloud = await openCloud({ hosts: hosts(4) })
    const { PlacementGroup } = await cloud.run(createPlacementGroup, { GroupName: 'near' })
    const { GroupId } = PlacementGroup as { GroupId: string }
    for (let n = 0; n < 5; n += 1) await launch(cloud, { GroupId })
    expect(new Set((await placed(cloud)).map(({ host }) => host)).size).toBe(1)
  })

  it('keeps a cluster in one zone', async () => {
    await using cloud = await openCloud({ hosts: hosts(1) })
    const other = { ...cloud.subnet, id: `subnet-${'2'.repeat(17)}` as typeof cloud.subnet.id }
    await cloud.store.change(async (tx) => {
      await tx.upsertHost({ ...hostRow('host2', ROOM), zone: 'atoll-1b' }, 60_000)
      const block = { ...other.cidr, network: '172.31.64.0' as typeof other.cidr.network }
      await tx.insertSubnet({ ...other, cidr: block, zone: 'atoll-1b' })
    })
    await cloud.run(createPlacementGroup, { GroupName: 'near' })
    const { Instances } = await launch(cloud, { GroupName: 'near' })
    const zone = Instances?.[0]?.Placement?.AvailabilityZone
    for (let n = 0; n < 6; n += 1) {
      const more = await launch(cloud, { GroupName: 'near' })
      expect(more.Instances?.[0]?.Placement?.AvailabilityZone).toBe(zone)
    }
    const elsewhere = zone === 'atoll-1b' ? cloud.subnet.zone : 'atoll-1b'
    expect(await refusal(cloud, { GroupName: 'near', AvailabilityZone: elsewhere })).toBe(
      'InvalidParameterCombination',
    )
  })

  it('returns the place when there is no address', async () => {
    await using cloud = await openCloud({ hosts: hosts(9), subnet: '172.31.0.0/29' })
    await cloud.run(createPlacementGroup, { GroupName: 'apart', Strategy: 'spread' })
    // Three addresses of eight can be given.
    await launch(cloud, { GroupName: 'apart' }, 6, 1)
    const slots = await cloud.store.read(async (tx) => {
      const [group] = await tx.placementGroups({})
      return group === undefined ? [] : await tx.placementSlots(group.id)
    })
    expect(await placed(cloud)).toHaveLength(3)
    expect(slots).toHaveLength(3)
  })
})

describe('ModifyInstancePlacement', () => {
  const stop = (cloud: Cloud, id: string | undefined) =>
    cloud.store.change((tx) => tx.updateInstance(id as InstanceId, { state: 'stopped' }))

  it('puts a stopped instance into a group where its host has a place, and takes it out', async () => {
    await using cloud = await openCloud({ hosts: hosts(1) })
    await cloud.run(createPlacementGroup, { GroupName: 'apart', Strategy: 'spread' })
    await cloud.run(createPlacementGroup, { GroupName: 'parts', Strategy: 'partition' })
    const [first, second] = (await launch(cloud, {}, 2)).Instances ?? []
    const put = { InstanceId: first?.InstanceId, GroupName: 'apart' }
    expect(await cloud.refusal(modifyInstancePlacement, put)).toBe('IncorrectInstanceState')
    await stop(cloud, first?.InstanceId)
    await stop(cloud, second?.InstanceId)
    expect(await cloud.refusal(modifyInstancePlacement, put, BOB)).toBe(
      'InvalidInstanceID.NotFound',
    )
    const dry = { ...put, DryRun: true }
    expect(await cloud.refusal(modifyInstancePlacement, dry)).toBe('DryRunOperation')
    expect(await cloud.run(modifyInstancePlacement, put)).toEqual({ Return: true })
    // Once more changes nothing.
    await cloud.run(modifyInstancePlacement, put)
    const also = { ...put, InstanceId: second?.InstanceId }
    expect(await cloud.refusal(modifyInstancePlacement, also)).toBe('InsufficientInstanceCapacity')
    const part = { InstanceId: first?.InstanceId, GroupName: 'parts', PartitionNumber: 3 }
    await cloud.run(modifyInstancePlacement, part)
    await cloud.run(modifyInstancePlacement, { ...also, GroupName: 'parts' })
    const partitions = (await placed(cloud)).map(
      ({ options }) => options?.placementGroup?.partition,
    )
    expect(partitions).toEqual([3, 3])
    await cloud.run(deletePlacementGroup, { GroupName: 'apart' })
    for (const one of [first, second])
      await cloud.run(modifyInstancePlacement, { InstanceId: one?.InstanceId, GroupName: '' })
    await cloud.run(deletePlacementGroup, { GroupName: 'parts' })
    expect(await cloud.refusal(modifyInstancePlacement, { InstanceId: first?.InstanceId })).toBe(
      'MissingParameter',
    )
  })
})
