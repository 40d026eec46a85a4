import type { DescribeInstancesResult, Instance, NetworkInterface } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { describeNetworkInterfaceAttribute } from '../../../../src/api/actions/describe-network-interface-attribute.ts'
import { describeNetworkInterfaces } from '../../../../src/api/actions/describe-network-interfaces.ts'
import { describeTags } from '../../../../src/api/actions/describe-tags.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { releaseInstance } from '../../../../src/store/release.ts'
import { known } from '../../../kit/api.ts'
import { ALICE, BOB, type Cloud, openCloud, ZONE } from '../../../kit/api-cloud.ts'

async function launched(cloud: Cloud, count = 1): Promise<readonly Instance[]> {
  await cloud.run(runInstances, { ImageId: cloud.image, MinCount: count, MaxCount: count })
  const { Reservations } = (await cloud.run(describeInstances)) as DescribeInstancesResult
  return (Reservations ?? []).flatMap(({ Instances }) => Instances ?? [])
}

async function list(cloud: Cloud, input: object = {}, account = ALICE) {
  const answer = await cloud.run(describeNetworkInterfaces, input, account)
  return answer['NetworkInterfaces'] as readonly NetworkInterface[]
}

describe('DescribeNetworkInterfaces', () => {
  it('shows what instances show of their NICs, and whose these are', async () => {
    await using cloud = await openCloud()
    const instances = await launched(cloud, 3)
    const nics = await list(cloud)
    expect(nics).toHaveLength(3)
    for (const nic of nics) {
      const instance = instances.find((one) => one.InstanceId === nic.Attachment?.InstanceId)
      const [shown] = instance?.NetworkInterfaces ?? []
      const { Attachment, ...same } = known(shown)
      expect(nic).toMatchObject(same)
      expect(nic.Attachment).toEqual({
        ...Attachment,
        InstanceId: instance?.InstanceId,
        InstanceOwnerId: ALICE,
      })
      expect(nic).toMatchObject({ AvailabilityZone: ZONE, RequesterManaged: false, TagSet: [] })
    }
    expect(await list(cloud, {}, BOB)).toEqual([])
  })

  it('pages, and finds by id, by instance and by tag', async () => {
    await using cloud = await openCloud()
    const [first] = await launched(cloud, 6)
    const page = await cloud.run(describeNetworkInterfaces, { MaxResults: 5 })
    const { NextToken } = page
    expect(page['NetworkInterfaces']).toHaveLength(5)
    expect(await list(cloud, { MaxResults: 5, NextToken })).toHaveLength(1)
    const id = first?.NetworkInterfaces?.[0]?.NetworkInterfaceId ?? ''
    await cloud.run(createTags, { Resources: [id], Tags: [{ Key: 'Name', Value: 'first' }] })
    const ofInstance = { Name: 'attachment.instance-id', Values: [first?.InstanceId] }
    for (const input of [
      { NetworkInterfaceIds: [id, id] },
      { Filters: [ofInstance] },
      { Filters: [{ Name: 'tag:Name', Values: ['fi*'] }] },
      { Filters: [{ Name: 'private-ip-address', Values: [first?.PrivateIpAddress] }] },
    ])
      expect(await list(cloud, input)).toMatchObject([
        { NetworkInterfaceId: id, TagSet: [{ Key: 'Name', Value: 'first' }] },
      ])
  })

  it('forgets a NIC with its tags when its instance is no more', async () => {
    await using cloud = await openCloud()
    const [instance] = await launched(cloud)
    const id = instance?.NetworkInterfaces?.[0]?.NetworkInterfaceId ?? ''
    await cloud.run(createTags, { Resources: [id], Tags: [{ Key: 'Name', Value: 'gone' }] })
    await cloud.store.change(async (tx) => {
      await releaseInstance(tx, known((await tx.instances({}))[0]))
    })
    expect(await list(cloud)).toEqual([])
    expect(await cloud.run(describeTags)).toMatchObject({ Tags: [] })
    expect(await cloud.refusal(describeNetworkInterfaces, { NetworkInterfaceIds: [id] })).toBe(
      'InvalidNetworkInterfaceID.NotFound',
    )
  })

  it.each([
    [{ NetworkInterfaceIds: ['eni-00000000000000000'] }, 'InvalidNetworkInterfaceID.NotFound'],
    [{ NetworkInterfaceIds: ['x'] }, 'InvalidNetworkInterfaceId.Malformed'],
    [{ Filters: [{ Name: 'colour', Values: ['x'] }] }, 'InvalidParameterValue'],
    [{ MaxResults: 4 }, 'InvalidParameterValue'],
  ])('of %j is refused with %s', async (input, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(describeNetworkInterfaces, input)).toBe(code)
  })
})

it.each([
  ['description', { Description: { Value: '' } }],
  ['groupSet', { Groups: [{ GroupName: 'default' }] }],
  ['sourceDestCheck', { SourceDestCheck: { Value: true } }],
  ['attachment', { Attachment: { DeviceIndex: 0, Status: 'attached' } }],
  ['associatePublicIpAddress', { AssociatePublicIpAddress: false }],
])('DescribeNetworkInterfaceAttribute tells %s', async (Attribute, expected) => {
  await using cloud = await openCloud()
  const [instance] = await launched(cloud)
  const id = instance?.NetworkInterfaces?.[0]?.NetworkInterfaceId
  const input = { NetworkInterfaceId: id, Attribute }
  const answer = await cloud.run(describeNetworkInterfaceAttribute, input)
  expect(answer).toMatchObject({ NetworkInterfaceId: id, ...expected })
  expect(Object.keys(answer)).toHaveLength(2)
})
