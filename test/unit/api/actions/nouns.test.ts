/** Images, tags, types and the network: the actions that are mostly reading. */
import { describe, expect, it } from 'vitest'
import {
  deregisterImage,
  describeImages,
  registerImage,
} from '../../../../src/api/actions/images.ts'
import { describeInstanceTypes } from '../../../../src/api/actions/instance-types.ts'
import { runInstances } from '../../../../src/api/actions/launch.ts'
import {
  describeSecurityGroups,
  describeSubnets,
  describeVpcs,
} from '../../../../src/api/actions/networks.ts'
import {
  describeAccountAttributes,
  describeAvailabilityZones,
  describeRegions,
} from '../../../../src/api/actions/places.ts'
import { createTags, deleteTags, describeTags } from '../../../../src/api/actions/tags.ts'
import { BOB, type Cloud, everything, openCloud, ZONE } from '../../../kit/api-cloud.ts'
import { failAt } from '../../../kit/failing-store.ts'

describe('images', () => {
  const input = { Name: 'web', ImageLocation: 'docker://debian:12' }

  it('are registered as pending, for this host to look at', async () => {
    await using cloud = await openCloud()
    const { ImageId } = await cloud.run(registerImage, {
      ...input,
      TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'a', Value: 'b' }] }],
    })
    expect(cloud.rung).toEqual(['host1'])
    expect(await cloud.run(describeImages, { ImageIds: [ImageId] })).toMatchObject({
      Images: [
        {
          ImageId,
          Name: 'web',
          State: 'pending',
          ImageLocation: 'docker://debian:12',
          Architecture: 'x86_64',
          Public: false,
          Tags: [{ Key: 'a', Value: 'b' }],
        },
      ],
    })
    expect(await cloud.refusal(registerImage, input)).toBe('InvalidAMIName.Duplicate')
    expect(await cloud.refusal(describeImages, { ImageIds: [ImageId] }, BOB)).toBe(
      'InvalidAMIID.NotFound',
    )
    expect(await cloud.refusal(deregisterImage, { ImageId }, BOB)).toBe('InvalidAMIID.NotFound')
    await cloud.run(deregisterImage, { ImageId })
    expect(await cloud.refusal(describeImages, { ImageIds: [ImageId] })).toBe(
      'InvalidAMIID.NotFound',
    )
    expect((await cloud.store.read((tx) => tx.tags({}))).length).toBe(0)
  })

  it('leave nothing behind when the records fail', async () => {
    await using cloud = await openCloud()
    const before = await everything(cloud.store)
    for (let k = 1; ; k += 1) {
      const failing = failAt(cloud.store, k)
      await cloud.runOn(failing.store, registerImage, input).catch(() => undefined)
      if (failing.calls() < k) break
      expect(await everything(cloud.store)).toEqual(before)
      expect(cloud.rung).toEqual([])
    }
  })

  it.each([
    'docker://busybox',
    'docker://atoll-sample:latest',
    'docker://registry.example:5000/team/app:v1.2',
    `docker://app@sha256:${'a'.repeat(64)}`,
    'file:///var/lib/images/rootfs.tar',
    'file:///srv/root fs.tar.gz',
    'file:///rootfs.tgz',
  ])('may lie at %s', async (ImageLocation) => {
    await using cloud = await openCloud()
    await cloud.run(registerImage, { ...input, ImageLocation })
  })

  it.each([
    'debian:12',
    'docker://',
    'docker:// debian',
    'docker://Upper/Case/../x',
    'docker://a b',
    'docker://-rf',
    'file://rootfs.tar',
    'file:///etc/shadow',
    'file:///srv/../etc/x.tar',
    'file:///srv//x.tar\u0000',
    'https://example.com/rootfs.tar',
    `docker://${'a'.repeat(2000)}`,
  ])('may not lie at %j', async (ImageLocation) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(registerImage, { ...input, ImageLocation })).toBe(
      'InvalidParameterValue',
    )
  })

  it.each([
    [{ Name: 'ab' }, 'InvalidAMIName.Malformed'],
    [{ Name: 'a'.repeat(129) }, 'InvalidAMIName.Malformed'],
    [{ Name: 'a&b<c' }, 'InvalidAMIName.Malformed'],
    [{ ImageLocation: undefined }, 'MissingParameter'],
    [{ BlockDeviceMappings: [{}] }, 'UnsupportedOperation'],
    [{ VirtualizationType: 'paravirtual' }, 'UnsupportedOperation'],
  ])('%j is refused', async (more, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(registerImage, { ...input, ...more })).toBe(code)
  })

  it.each([
    [{}, 1],
    [{ Owners: ['self'] }, 1],
    [{ Owners: ['000000000001'] }, 1],
    [{ Owners: ['amazon'] }, 0],
    [{ ExecutableUsers: ['all'] }, 0],
    [{ Filters: [{ Name: 'name', Values: ['sam*'] }] }, 1],
    [{ Filters: [{ Name: 'state', Values: ['failed'] }] }, 0],
  ])('%j shows %i', async (given, count) => {
    await using cloud = await openCloud()
    expect((await cloud.run(describeImages, given))['Images']).toHaveLength(count)
  })
})

describe('tags', () => {
  const Name = { Key: 'Name', Value: 'web' }

  async function instance(cloud: Cloud): Promise<string> {
    const made = await cloud.run(runInstances, { ImageId: cloud.image, MinCount: 1, MaxCount: 1 })
    cloud.rung.length = 0
    return (made['Instances'] as { InstanceId: string }[])[0]?.InstanceId ?? ''
  }

  it('can be given to everything there is, and are shown with it', async () => {
    await using cloud = await openCloud()
    const id = await instance(cloud)
    const Resources = [id, cloud.image, cloud.vpc.id, cloud.subnet.id, cloud.group.id]
    await cloud.run(createTags, { Resources, Tags: [Name] })
    expect(cloud.rung).toEqual(['host1'])
    const { Tags } = await cloud.run(describeTags)
    expect(Tags).toHaveLength(Resources.length)
    for (const [action, list] of [
      [describeImages, 'Images'],
      [describeVpcs, 'Vpcs'],
      [describeSubnets, 'Subnets'],
      [describeSecurityGroups, 'SecurityGroups'],
    ] as const) {
      const filters = { Filters: [{ Name: 'tag:Name', Values: ['w*'] }] }
      expect(await cloud.run(action, filters)).toMatchObject({ [list]: [{ Tags: [Name] }] })
    }
    const only = { Filters: [{ Name: 'resource-type', Values: ['instance'] }] }
    expect(await cloud.run(describeTags, only)).toMatchObject({
      Tags: [{ ResourceId: id, ResourceType: 'instance', ...Name }],
    })
  })

  it('are deleted by key, by value or all together', async () => {
    await using cloud = await openCloud()
    const Resources = [await instance(cloud)]
    const keys = async (): Promise<string[]> =>
      (await cloud.store.read((tx) => tx.tags({}))).map(({ key }) => key)
    const Tags = ['a', 'b', 'c', 'd'].map((Key) => ({ Key, Value: Key.toUpperCase() }))
    await cloud.run(createTags, { Resources, Tags })
    await cloud.run(deleteTags, { Resources, Tags: [{ Key: 'a' }] })
    expect(await keys()).toEqual(['b', 'c', 'd'])
    await cloud.run(deleteTags, { Resources, Tags: [{ Key: 'b', Value: '' }] })
    expect(await keys()).toEqual(['b', 'c', 'd'])
    await cloud.run(deleteTags, { Resources, Tags: [{ Key: 'b', Value: 'B' }] })
    expect(await keys()).toEqual(['c', 'd'])
    await cloud.run(deleteTags, { Resources })
    expect(await keys()).toEqual([])
  })

  it('are at most 50 on a resource, counting those that are there', async () => {
    await using cloud = await openCloud()
    const Resources = [cloud.vpc.id]
    const some = (from: number, count: number): object[] =>
      Array.from({ length: count }, (_, at) => ({ Key: `k${from + at}` }))
    await cloud.run(createTags, { Resources, Tags: some(0, 50) })
    await cloud.run(createTags, { Resources, Tags: some(10, 40) })
    const before = await everything(cloud.store)
    expect(await cloud.refusal(createTags, { Resources, Tags: some(49, 2) })).toBe(
      'TagLimitExceeded',
    )
    expect(await everything(cloud.store)).toEqual(before)
  })

  it.each([
    [{ Resources: ['i-00000000000000000'] }, 'InvalidInstanceID.NotFound'],
    [{ Resources: ['vpc-00000000000000000'] }, 'InvalidVpcID.NotFound'],
    [{ Resources: ['eni-00000000000000000'] }, 'InvalidID'],
    [{ Resources: ['__proto__'] }, 'InvalidID'],
    [{ Resources: [] }, 'InvalidParameterValue'],
    [{ Tags: [] }, 'InvalidParameterValue'],
    [{ Tags: [{ Key: 'aws:x' }] }, 'InvalidParameterValue'],
    [{ Tags: undefined }, 'MissingParameter'],
  ])('%j is refused with %s', async (more, code) => {
    await using cloud = await openCloud()
    const input = { Resources: [cloud.vpc.id], Tags: [Name], ...more }
    expect(await cloud.refusal(createTags, input)).toBe(code)
  })

  it("cannot be given to another account's things", async () => {
    await using cloud = await openCloud()
    const input = { Resources: [cloud.vpc.id], Tags: [Name] }
    expect(await cloud.refusal(createTags, input, BOB)).toBe('InvalidVpcID.NotFound')
    expect(await cloud.refusal(deleteTags, input, BOB)).toBe('InvalidVpcID.NotFound')
  })
})

describe('the network', () => {
  it('is what the records say', async () => {
    await using cloud = await openCloud()
    await cloud.run(runInstances, { ImageId: cloud.image, MinCount: 3, MaxCount: 3 })
    expect(await cloud.run(describeVpcs, { VpcIds: [cloud.vpc.id] })).toMatchObject({
      Vpcs: [{ VpcId: cloud.vpc.id, CidrBlock: '172.31.0.0/16', IsDefault: true }],
    })
    expect(await cloud.run(describeSubnets)).toMatchObject({
      Subnets: [
        {
          SubnetId: cloud.subnet.id,
          CidrBlock: '172.31.0.0/20',
          AvailableIpAddressCount: 4096 - 5 - 3,
          AvailabilityZone: ZONE,
          DefaultForAz: true,
        },
      ],
    })
    expect(await cloud.run(describeSecurityGroups, { GroupNames: ['default'] })).toMatchObject({
      SecurityGroups: [
        {
          GroupId: cloud.group.id,
          IpPermissions: [{ UserIdGroupPairs: [{ GroupId: cloud.group.id }] }],
          IpPermissionsEgress: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
        },
      ],
    })
  })

  it.each([
    [describeVpcs, { VpcIds: ['vpc-00000000'] }, 'InvalidVpcID.NotFound'],
    [describeVpcs, { VpcIds: ['x'] }, 'InvalidVpcID.Malformed'],
    [describeSubnets, { SubnetIds: ['subnet-00000000'] }, 'InvalidSubnetID.NotFound'],
    [describeSubnets, { SubnetIds: ['x'] }, 'InvalidSubnetID.Malformed'],
    [describeSecurityGroups, { GroupIds: ['sg-00000000'] }, 'InvalidGroup.NotFound'],
    [describeSecurityGroups, { GroupNames: ['web'] }, 'InvalidGroup.NotFound'],
    [describeRegions, { RegionNames: ['mars'] }, 'InvalidParameterValue'],
    [describeAvailabilityZones, { ZoneNames: ['mars'] }, 'InvalidParameterValue'],
    [describeAccountAttributes, { AttributeNames: ['mood'] }, 'InvalidParameterValue'],
    [describeInstanceTypes, { InstanceTypes: ['x9.huge'] }, 'InvalidInstanceType'],
    [
      describeInstanceTypes,
      { InstanceTypes: ['t3.micro'], MaxResults: 5 },
      'InvalidParameterCombination',
    ],
  ])('$name refuses %j with %s', async (action, input, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(action, input)).toBe(code)
  })

  it('has one region and the zones of its hosts', async () => {
    await using cloud = await openCloud()
    expect(await cloud.run(describeRegions)).toMatchObject({ Regions: [{ RegionName: 'atoll' }] })
    expect(await cloud.run(describeAvailabilityZones)).toMatchObject({
      AvailabilityZones: [{ ZoneName: ZONE, State: 'available', RegionName: 'atoll' }],
    })
    expect(
      await cloud.run(describeAccountAttributes, { AttributeNames: ['default-vpc'] }),
    ).toMatchObject({
      AccountAttributes: [{ AttributeValues: [{ AttributeValue: cloud.vpc.id }] }],
    })
  })

  it('gives exactly one type for one name', async () => {
    await using cloud = await openCloud()
    const found = await cloud.run(describeInstanceTypes, { InstanceTypes: ['t3.micro'] })
    expect(found['InstanceTypes']).toMatchObject([
      {
        InstanceType: 't3.micro',
        MemoryInfo: { SizeInMiB: 1024 },
        BurstablePerformanceSupported: false,
      },
    ])
  })
})
