import { expect, it } from 'vitest'
import { createDefaultSubnet } from '../../../../src/api/actions/create-default-subnet.ts'
import { createSecurityGroup } from '../../../../src/api/actions/create-security-group.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { deleteSubnet } from '../../../../src/api/actions/delete-subnet.ts'
import { describeSubnets } from '../../../../src/api/actions/describe-subnets.ts'
import { modifySubnetAttribute } from '../../../../src/api/actions/modify-subnet-attribute.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { zoneId } from '../../../../src/model/zones.ts'
import { type Cloud, hostRow, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

const ADDRESS = ipv4('203.0.113.9')
const POOL = { name: 'public', ranges: [{ first: ADDRESS, last: ADDRESS }], zones: null }

async function withVpc(settings: object = {}): Promise<Cloud & { readonly made: string }> {
  const cloud = await openCloud({ settings })
  const far = { ...hostRow('far', { vcpus: 64, memoryMiB: 65_536 }), zone: 'atoll-1b' }
  await cloud.store.change((tx) => tx.upsertHost(far, 60_000))
  const { Vpc } = await cloud.run(createVpc, { CidrBlock: '10.7.0.0/16' })
  return { ...cloud, made: (Vpc as { VpcId: string }).VpcId }
}

async function make(
  cloud: Cloud & { readonly made: string },
  CidrBlock: string,
  more: object = {},
) {
  const { Subnet } = await cloud.run(createSubnet, { VpcId: cloud.made, CidrBlock, ...more })
  return Subnet as { SubnetId: string; AvailabilityZone: string }
}

it('makes subnets in the zone that is named, else where the VPC has the fewest', async () => {
  await using cloud = await withVpc()
  const tags = [{ Key: 'Name', Value: 'front' }]
  const TagSpecifications = [{ ResourceType: 'subnet', Tags: tags }]
  const first = await make(cloud, '10.7.0.9/24', {
    AvailabilityZone: 'atoll-1b',
    TagSpecifications,
  })
  expect(first).toMatchObject({
    CidrBlock: '10.7.0.0/24',
    AvailabilityZone: 'atoll-1b',
    AvailableIpAddressCount: 251,
    DefaultForAz: false,
    MapPublicIpOnLaunch: false,
    State: 'available',
    Tags: tags,
  })
  expect((await make(cloud, '10.7.1.0/28')).AvailabilityZone).toBe('atoll-1a')
  const AvailabilityZoneId = zoneId('atoll-1a', 'atoll')
  expect((await make(cloud, '10.7.2.0/24', { AvailabilityZoneId })).AvailabilityZone).toBe(
    'atoll-1a',
  )
  expect((await make(cloud, '10.7.3.0/24')).AvailabilityZone).toBe('atoll-1b')
  const Filters = [{ Name: 'vpc-id', Values: [cloud.made] }]
  expect((await cloud.run(describeSubnets, { Filters }))['Subnets']).toHaveLength(4)
})

it('takes only ranges that fit', async () => {
  await using cloud = await withVpc({ quotas: { ...LIMITS.quotas, subnetsPerVpc: 2 } })
  const refusal = (CidrBlock: string, more: object = {}) =>
    cloud.refusal(createSubnet, { VpcId: cloud.made, CidrBlock, ...more })
  await make(cloud, '10.7.16.0/20')
  for (const conflict of ['10.7.16.0/20', '10.7.17.0/24', '10.7.0.0/16'])
    expect(await refusal(conflict)).toBe('InvalidSubnet.Conflict')
  for (const range of ['10.8.0.0/24', '10.6.0.0/16', '172.31.64.0/20', '10.7.0.0/29', '10.0.0.0/8'])
    expect(await refusal(range)).toBe('InvalidSubnet.Range')
  expect(await refusal('10.7/24')).toBe('InvalidParameterValue')
  expect(await refusal('10.7.0.0/24', { AvailabilityZone: 'mars-1a' })).toBe(
    'InvalidParameterValue',
  )
  expect(
    await refusal('10.7.0.0/24', {
      AvailabilityZone: 'atoll-1a',
      AvailabilityZoneId: 'atoll1-az2',
    }),
  ).toBe('InvalidParameterValue')
  await make(cloud, '10.7.0.0/20')
  expect(await refusal('10.7.32.0/20')).toBe('SubnetLimitExceeded')
})

it('launches into a subnet that is named, in its zone and its groups, and keeps it meanwhile', async () => {
  await using cloud = await withVpc()
  const { SubnetId } = await make(cloud, '10.7.0.0/28', { AvailabilityZone: 'atoll-1b' })
  const launch = { ImageId: cloud.image, MinCount: 1, MaxCount: 1, SubnetId }
  const { Instances } = await cloud.run(runInstances, launch)
  expect(Instances).toMatchObject([
    {
      SubnetId,
      VpcId: cloud.made,
      Placement: { AvailabilityZone: 'atoll-1b' },
      SecurityGroups: [{ GroupName: 'default' }],
    },
  ])
  expect(await cloud.refusal(deleteSubnet, { SubnetId })).toBe('DependencyViolation')
  const foreign = { ...launch, SecurityGroupIds: [cloud.group.id] }
  expect(await cloud.refusal(runInstances, foreign)).toBe('InvalidParameter')
  const group = { GroupName: 'web', Description: 'web', VpcId: cloud.made }
  const { GroupId } = await cloud.run(createSecurityGroup, group)
  const nic = { DeviceIndex: 0, SubnetId, Groups: [GroupId] }
  const { SubnetId: _, ...rest } = launch
  const byNic = await cloud.run(runInstances, { ...rest, NetworkInterfaces: [nic] })
  expect(byNic['Instances']).toMatchObject([{ SubnetId, SecurityGroups: [{ GroupId }] }])
  // Five of 16 addresses are reserved, and two are taken.
  const many = { ...launch, MinCount: 10, MaxCount: 10 }
  expect(await cloud.refusal(runInstances, many)).toBe('InsufficientFreeAddressesInSubnet')
  await cloud.run(runInstances, { ...launch, MinCount: 9, MaxCount: 9 })
  expect(await cloud.run(describeSubnets, { SubnetIds: [SubnetId] })).toMatchObject({
    Subnets: [{ AvailableIpAddressCount: 0 }],
  })
})

it('launches into no subnet that is gone, whatever was read before', async () => {
  await using cloud = await withVpc()
  const { SubnetId } = await make(cloud, '10.7.0.0/24')
  const launch = { ImageId: cloud.image, MinCount: 1, MaxCount: 1, SubnetId }
  // The catalogue of this host knows it from now on.
  await cloud.run(runInstances, { ...launch, DryRun: true }).catch(() => undefined)
  await cloud.run(deleteSubnet, { SubnetId })
  expect(await cloud.refusal(runInstances, launch)).toBe('InvalidSubnetID.NotFound')
  expect(await cloud.refusal(deleteSubnet, { SubnetId })).toBe('InvalidSubnetID.NotFound')
})

it('makes a default subnet where a zone has none', async () => {
  await using cloud = await withVpc()
  const of = (AvailabilityZone: string) => ({ AvailabilityZone })
  expect(await cloud.refusal(createDefaultSubnet, of('atoll-1a'))).toBe(
    'DefaultSubnetAlreadyExistsInAvailabilityZone',
  )
  expect(await cloud.refusal(createDefaultSubnet, of('mars-1a'))).toBe('InvalidParameterValue')
  const { Subnet } = await cloud.run(createDefaultSubnet, of('atoll-1b'))
  expect(Subnet).toMatchObject({
    VpcId: cloud.vpc.id,
    CidrBlock: '172.31.16.0/20',
    DefaultForAz: true,
  })
})

it('changes whether launches get public addresses, and what is shown of names', async () => {
  await using cloud = await withVpc({ pools: [POOL] })
  const { SubnetId } = await make(cloud, '10.7.0.0/24')
  const change = (more: object) => cloud.run(modifySubnetAttribute, { SubnetId, ...more })
  const shown = async () => {
    const { Subnets } = await cloud.run(describeSubnets, { SubnetIds: [SubnetId] })
    return (Subnets as { MapPublicIpOnLaunch: boolean }[])[0]?.MapPublicIpOnLaunch
  }
  const withNames = (EnableResourceNameDnsARecord: boolean) => ({
    Subnets: [{ PrivateDnsNameOptionsOnLaunch: { EnableResourceNameDnsARecord } }],
  })
  for (const Value of [false, true, false]) {
    await change({ EnableResourceNameDnsARecordOnLaunch: { Value } })
    expect(await cloud.run(describeSubnets, { SubnetIds: [SubnetId] })).toMatchObject(
      withNames(Value),
    )
  }
  await change({ MapPublicIpOnLaunch: { Value: true } })
  expect(await shown()).toBe(true)
  await change({ AssignIpv6AddressOnCreation: { Value: false } })
  await change({ PrivateDnsHostnameTypeOnLaunch: 'resource-name' })
  expect(await shown()).toBe(true)
  const refusal = (more: object) => cloud.refusal(modifySubnetAttribute, { SubnetId, ...more })
  expect(await refusal({ PrivateDnsHostnameTypeOnLaunch: 'ip-name' })).toBe('UnsupportedOperation')
  expect(await refusal({ EnableDns64: { Value: true } })).toBe('UnsupportedOperation')
  expect(await refusal({})).toBe('InvalidParameterCombination')
})
