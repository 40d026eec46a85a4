/** The security groups of instances and NICs that are there already, as requests change them. */
import { expect, it } from 'vitest'
import { createSecurityGroup } from '../../../../src/api/actions/create-security-group.ts'
import { deleteSecurityGroup } from '../../../../src/api/actions/delete-security-group.ts'
import { describeNetworkInterfaceAttribute } from '../../../../src/api/actions/describe-network-interface-attribute.ts'
import { modifyInstanceAttribute } from '../../../../src/api/actions/modify-instance-attribute.ts'
import { modifyNetworkInterfaceAttribute } from '../../../../src/api/actions/modify-network-interface-attribute.ts'
import { cidr, ipv4 } from '../../../../src/model/addr.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import { ALICE, BOB, type Cloud, hostRow, openCloud } from '../../../kit/api-cloud.ts'
import { instanceRecord, nicRecord, numbered } from '../../../kit/records.ts'

const INSTANCE = numbered('i', 100)
const NIC = nicRecord(INSTANCE, 100).id
const RUNNING = { state: 'running', wanted: 'run' } as const
const STOPPED = { state: 'stopped', wanted: 'stop' } as const

/** The two requests that say which groups an instance is in. */
const REQUESTS = [
  [modifyInstanceAttribute, { InstanceId: INSTANCE }],
  [modifyNetworkInterfaceAttribute, { NetworkInterfaceId: NIC }],
] as const

async function putNic(cloud: Cloud, instance: InstanceId, number: number): Promise<void> {
  const { vpc, subnet, group } = cloud
  await cloud.store.change((tx) =>
    tx.insertNic({
      ...nicRecord(instance, number),
      account: ALICE,
      vpc: vpc.id,
      subnet: subnet.id,
      ip: ipv4(`172.31.0.${number}`),
      deviceIndex: number - 100,
      groups: [group.id],
    }),
  )
}

async function openWithInstance(more: typeof RUNNING | typeof STOPPED = RUNNING): Promise<Cloud> {
  const cloud = await openCloud()
  const record = instanceRecord(INSTANCE, hostRow('host1', { vcpus: 1, memoryMiB: 1 }).name)
  await cloud.store.change((tx) =>
    tx.insertInstance({ ...record, account: ALICE, image: cloud.image, ...more }),
  )
  await putNic(cloud, INSTANCE, 100)
  return cloud
}

async function make(cloud: Cloud, name: string, more: object = {}): Promise<string> {
  const asked = { GroupName: name, Description: name, ...more }
  return ((await cloud.run(createSecurityGroup, asked)) as { GroupId: string }).GroupId
}

async function groupsOf(cloud: Cloud): Promise<readonly (string | undefined)[]> {
  const asked = { NetworkInterfaceId: NIC, Attribute: 'groupSet' }
  const { Groups } = (await cloud.run(describeNetworkInterfaceAttribute, asked)) as {
    Groups: { GroupId: string }[]
  }
  return Groups.map(({ GroupId }) => GroupId)
}

for (const [action, named] of REQUESTS) {
  it.each([RUNNING, STOPPED])(`${action.name} puts what is $state into others`, async (more) => {
    await using cloud = await openWithInstance(more)
    const [web, db] = [await make(cloud, 'web'), await make(cloud, 'db')]
    await cloud.run(action, { ...named, Groups: [web, db, web] })
    expect((await groupsOf(cloud)).toSorted()).toEqual([web, db].toSorted())
    expect(await cloud.refusal(deleteSecurityGroup, { GroupId: db })).toBe('DependencyViolation')
    await cloud.run(action, { ...named, Groups: [cloud.group.id] })
    expect(await groupsOf(cloud)).toEqual([cloud.group.id])
    await cloud.run(deleteSecurityGroup, { GroupId: db })
  })

  it(`${action.name} refuses groups that cannot be`, async () => {
    await using cloud = await openWithInstance()
    const refusal = (more: object) => cloud.refusal(action, { ...named, ...more })
    const vpc = numbered('vpc', 9)
    await cloud.store.change((tx) =>
      tx.insertVpc({ ...cloud.vpc, id: vpc, cidr: cidr('10.9.0.0/16'), isDefault: false }),
    )
    const web = await make(cloud, 'web')
    const foreign = await make(cloud, 'web', { VpcId: vpc })
    const many: string[] = []
    for (const number of [1, 2, 3, 4, 5, 6]) many.push(await make(cloud, `g${number}`))
    const both = { Groups: [web], SourceDestCheck: { Value: true } }
    expect(await refusal({})).toBe('InvalidParameterCombination')
    expect(await refusal({ Groups: [] })).toBe('InvalidParameterCombination')
    expect(await refusal(both)).toBe('InvalidParameterCombination')
    expect(await refusal({ Groups: ['web'] })).toBe('InvalidGroupId.Malformed')
    expect(await refusal({ Groups: [web, numbered('sg', 77)] })).toBe('InvalidGroup.NotFound')
    expect(await refusal({ Groups: [web, foreign] })).toBe('InvalidGroup.NotFound')
    expect(await refusal({ Groups: many })).toBe('SecurityGroupsPerInterfaceLimitExceeded')
    const theirs = await cloud.refusal(action, { ...named, Groups: [web] }, BOB)
    expect(theirs).toMatch(/^Invalid(InstanceID|NetworkInterfaceID)\.NotFound$/)
    expect(await groupsOf(cloud)).toEqual([cloud.group.id])
    await cloud.run(action, { ...named, SourceDestCheck: { Value: true } })
  })
}

it('asks for the NIC of an instance that has several', async () => {
  await using cloud = await openWithInstance()
  await putNic(cloud, INSTANCE, 101)
  const web = await make(cloud, 'web')
  const asked = { InstanceId: INSTANCE, Groups: [web] }
  expect(await cloud.refusal(modifyInstanceAttribute, asked)).toBe('InvalidInstanceID')
  await cloud.run(modifyNetworkInterfaceAttribute, { NetworkInterfaceId: NIC, Groups: [web] })
  const nics = await cloud.store.read((tx) => tx.nics({ instances: [INSTANCE] }))
  expect(nics.map(({ groups }) => groups).toSorted()).toEqual([[web], [cloud.group.id]].toSorted())
})
