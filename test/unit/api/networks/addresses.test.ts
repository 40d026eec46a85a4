/** Floating IPs, as requests allocate, associate and release them. */
import type { Address, Instance, NetworkInterface, PublicIpv4Pool } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { allocateAddress } from '../../../../src/api/actions/allocate-address.ts'
import { associateAddress } from '../../../../src/api/actions/associate-address.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { describeAccountAttributes } from '../../../../src/api/actions/describe-account-attributes.ts'
import { describeAddresses } from '../../../../src/api/actions/describe-addresses.ts'
import { describeAddressesAttribute } from '../../../../src/api/actions/describe-addresses-attribute.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { describeNetworkInterfaces } from '../../../../src/api/actions/describe-network-interfaces.ts'
import { describePublicIpv4Pools } from '../../../../src/api/actions/describe-public-ipv4-pools.ts'
import { describeTags } from '../../../../src/api/actions/describe-tags.ts'
import { disassociateAddress } from '../../../../src/api/actions/disassociate-address.ts'
import { modifySubnetAttribute } from '../../../../src/api/actions/modify-subnet-attribute.ts'
import { releaseAddress } from '../../../../src/api/actions/release-address.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { type Ipv4, ipv4 } from '../../../../src/model/addr.ts'
import type { Pool } from '../../../../src/model/pools.ts'
import { known } from '../../../kit/api.ts'
import { ALICE, BOB, type Cloud, hostRow, LIMITS, openCloud, ZONE } from '../../../kit/api-cloud.ts'
import { numbered } from '../../../kit/records.ts'

function pool(name: string, first: string, last: string, zones: string[] | null = null): Pool {
  return { name, ranges: [{ first: ipv4(first), last: ipv4(last) }], zones }
}
const PUBLIC = pool('public', '203.0.113.10', '203.0.113.13')
const ELSEWHERE = pool('elsewhere', '198.51.100.7', '198.51.100.7', ['atoll-9z'])

/** A cloud with these pools and a quota. */
async function openPools(pools: readonly Pool[] = [PUBLIC], addresses = 5): Promise<Cloud> {
  return await openCloud({ settings: { pools, quotas: { ...LIMITS.quotas, addresses } } })
}

interface Allocated {
  readonly AllocationId: string
  readonly PublicIp: string
  readonly PublicIpv4Pool: string
}
async function allocate(cloud: Cloud, input: object = {}, account = ALICE): Promise<Allocated> {
  return (await cloud.run(allocateAddress, input, account)) as unknown as Allocated
}

async function associate(cloud: Cloud, input: object): Promise<string> {
  return ((await cloud.run(associateAddress, input)) as { AssociationId: string }).AssociationId
}

async function launch(cloud: Cloud, more: object = {}): Promise<readonly Instance[]> {
  const input = {
    ImageId: cloud.image,
    InstanceType: 't3.micro',
    MinCount: 1,
    MaxCount: 1,
    ...more,
  }
  return ((await cloud.run(runInstances, input)) as { Instances: Instance[] }).Instances
}

async function launchId(cloud: Cloud, more: object = {}): Promise<string> {
  return (await launch(cloud, more))[0]?.InstanceId ?? ''
}

function nicWith(more: object, count = 1) {
  return { MaxCount: count, NetworkInterfaces: [{ DeviceIndex: 0, ...more }] }
}
const PUBLIC_NIC = { AssociatePublicIpAddress: true }

async function show(cloud: Cloud, input: object = {}): Promise<readonly Address[]> {
  return ((await cloud.run(describeAddresses, input)) as { Addresses: Address[] }).Addresses
}

async function showInstance(cloud: Cloud, id: string): Promise<Instance> {
  const { Reservations } = (await cloud.run(describeInstances, { InstanceIds: [id] })) as {
    Reservations: { Instances: Instance[] }[]
  }
  return Reservations[0]?.Instances[0] ?? {}
}

async function showNics(cloud: Cloud, filter: string, value: string) {
  const { NetworkInterfaces } = (await cloud.run(describeNetworkInterfaces, {
    Filters: [{ Name: filter, Values: [value] }],
  })) as { NetworkInterfaces: NetworkInterface[] }
  return NetworkInterfaces
}

it('hands out addresses of the pool, each once, and shows them with tags', async () => {
  await using cloud = await openPools()
  const Tags = [{ Key: 'Name', Value: 'web' }]
  const spec = { TagSpecifications: [{ ResourceType: 'elastic-ip', Tags }] }
  const first = await allocate(cloud, { Domain: 'vpc', ...spec })
  const others = [await allocate(cloud), await allocate(cloud), await allocate(cloud)]
  const ips = [first, ...others].map(({ PublicIp }) => PublicIp)
  expect(ips.toSorted()).toEqual(['203.0.113.10', '203.0.113.11', '203.0.113.12', '203.0.113.13'])
  expect(first).toMatchObject({
    Domain: 'vpc',
    PublicIpv4Pool: 'public',
    NetworkBorderGroup: 'atoll',
  })
  expect(await cloud.refusal(allocateAddress)).toBe('InsufficientAddressCapacity')
  const byTag = { Filters: [{ Name: 'tag:Name', Values: ['web'] }] }
  expect(await show(cloud, byTag)).toEqual([{ ...first, Tags }])
  await cloud.run(createTags, { Resources: [first.AllocationId], Tags: [{ Key: 'a', Value: '1' }] })
  expect(await cloud.run(describeTags)).toMatchObject({
    Tags: expect.arrayContaining([
      expect.objectContaining({ ResourceId: first.AllocationId, ResourceType: 'elastic-ip' }),
    ]),
  })
})

it('shows those that ids name, and those that addresses name', async () => {
  await using cloud = await openPools()
  const [first, second, third] = [
    await allocate(cloud),
    await allocate(cloud),
    await allocate(cloud),
  ]
  const asked = { PublicIps: [first.PublicIp], AllocationIds: [second.AllocationId] }
  const shown = (await show(cloud, asked)).map(({ PublicIp }) => PublicIp)
  expect(shown.toSorted()).toEqual([first.PublicIp, second.PublicIp].toSorted())
  expect(await show(cloud, { PublicIps: [third.PublicIp] })).toHaveLength(1)
})

it('takes what a request names: a pool, an address', async () => {
  await using cloud = await openPools([PUBLIC, pool('other', '198.51.100.1', '198.51.100.2')])
  expect((await allocate(cloud, { PublicIpv4Pool: 'other' })).PublicIpv4Pool).toBe('other')
  expect((await allocate(cloud, { PublicIpv4Pool: 'amazon' })).PublicIpv4Pool).toBe('public')
  const Address = '203.0.113.12'
  await using fresh = await openPools()
  expect((await allocate(fresh, { Address })).PublicIp).toBe(Address)
  expect(await fresh.refusal(allocateAddress, { Address })).toBe('InvalidIPAddress.InUse')
  expect(await fresh.refusal(allocateAddress, { Address }, BOB)).toBe('InvalidAddress.NotFound')
})

it.each([
  [{ Address: '203.0.113.99' }, 'InvalidAddress.NotFound'],
  [{ Address: '172.31.0.7' }, 'InvalidAddress.NotFound'],
  [{ Address: 'x' }, 'InvalidParameterValue'],
  [{ PublicIpv4Pool: 'nobody' }, 'InvalidPoolID.NotFound'],
  [{ PublicIpv4Pool: 'public', Address: '198.51.100.7' }, 'InvalidAddress.NotFound'],
  [{ NetworkBorderGroup: 'moon' }, 'InvalidParameterValue'],
  [{ Domain: 'standard' }, 'UnsupportedOperation'],
  [{ CustomerOwnedIpv4Pool: 'x' }, 'UnsupportedOperation'],
  [{ DryRun: true }, 'DryRunOperation'],
])('refuses to allocate by %j: %s', async (input, code) => {
  await using cloud = await openPools([PUBLIC, ELSEWHERE])
  expect(await cloud.refusal(allocateAddress, input)).toBe(code)
  expect(await show(cloud)).toEqual([])
})

it('has no addresses without pools', async () => {
  await using cloud = await openPools([])
  expect(await cloud.refusal(allocateAddress)).toBe('UnsupportedOperation')
  const input = { ImageId: cloud.image, MinCount: 1, ...nicWith(PUBLIC_NIC) }
  expect(await cloud.refusal(runInstances, input)).toBe('UnsupportedOperation')
})

it('holds the quota of each account', async () => {
  await using cloud = await openPools([PUBLIC], 2)
  await allocate(cloud)
  await allocate(cloud)
  expect(await cloud.refusal(allocateAddress)).toBe('AddressLimitExceeded')
  await allocate(cloud, {}, BOB)
  expect(
    await cloud.run(describeAccountAttributes, { AttributeNames: ['max-elastic-ips'] }),
  ).toEqual({
    AccountAttributes: [
      { AttributeName: 'max-elastic-ips', AttributeValues: [{ AttributeValue: '2' }] },
    ],
  })
})

it('never hands out the address of a host', async () => {
  await using cloud = await openPools([pool('small', '203.0.113.10', '203.0.113.11')])
  const host = hostRow('host1', { vcpus: 64, memoryMiB: 65_536 })
  const fabricAddress = ipv4('203.0.113.10')
  await cloud.store.change((tx) => tx.upsertHost({ ...host, fabricAddress }, 60_000))
  expect((await allocate(cloud)).PublicIp).toBe('203.0.113.11')
  expect(await cloud.refusal(allocateAddress)).toBe('InsufficientAddressCapacity')
})

it('associates with an instance, and shows it wherever EC2 does', async () => {
  await using cloud = await openPools()
  const InstanceId = await launchId(cloud)
  const { AllocationId, PublicIp } = await allocate(cloud)
  expect(await showInstance(cloud, InstanceId)).toMatchObject({ PublicDnsName: '' })
  cloud.rung.length = 0
  const AssociationId = await associate(cloud, { AllocationId, InstanceId })
  expect(cloud.rung).toContain('host1')
  const PublicDnsName = `ec2-${PublicIp.replaceAll('.', '-')}.atoll.internal`
  const Association = { PublicIp, PublicDnsName, IpOwnerId: ALICE }
  const instance = await showInstance(cloud, InstanceId)
  expect(instance).toMatchObject({
    PublicIpAddress: PublicIp,
    PublicDnsName,
    NetworkInterfaces: [{ Association, PrivateIpAddresses: [{ Association }] }],
  })
  const NetworkInterfaceId = instance.NetworkInterfaces?.[0]?.NetworkInterfaceId ?? ''
  const [address] = await show(cloud, { Filters: [{ Name: 'instance-id', Values: [InstanceId] }] })
  expect(address).toMatchObject({
    AllocationId,
    AssociationId,
    InstanceId,
    NetworkInterfaceId,
    NetworkInterfaceOwnerId: ALICE,
    PrivateIpAddress: instance.PrivateIpAddress,
    PublicIp,
  })
  for (const [filter, value] of [
    ['association.allocation-id', AllocationId],
    ['association.association-id', AssociationId],
    ['association.public-ip', PublicIp],
    ['addresses.association.public-ip', PublicIp],
    ['association.ip-owner-id', ALICE],
  ] as const)
    expect(await showNics(cloud, filter, value)).toMatchObject([
      { NetworkInterfaceId, Association: { ...Association, AllocationId, AssociationId } },
    ])
  for (const [name, value] of [
    ['ip-address', PublicIp],
    ['dns-name', PublicDnsName],
    ['network-interface.association.allocation-id', AllocationId],
    ['network-interface.addresses.association.public-ip', PublicIp],
  ])
    expect(
      await cloud.run(describeInstances, { Filters: [{ Name: name, Values: [value] }] }),
    ).toMatchObject({ Reservations: [{ Instances: [{ InstanceId }] }] })
})

it('answers the same association again', async () => {
  await using cloud = await openPools()
  const InstanceId = await launchId(cloud)
  const { AllocationId, PublicIp } = await allocate(cloud)
  const id = await associate(cloud, { AllocationId, InstanceId })
  expect(await associate(cloud, { PublicIp, InstanceId, AllowReassociation: false })).toBe(id)
})

it('moves an address from one instance to another, unless that is forbidden', async () => {
  await using cloud = await openPools()
  const [a, b] = [await launchId(cloud), await launchId(cloud)]
  const { AllocationId, PublicIp } = await allocate(cloud)
  await associate(cloud, { AllocationId, InstanceId: a })
  const input = { AllocationId, InstanceId: b }
  expect(await cloud.refusal(associateAddress, { ...input, AllowReassociation: false })).toBe(
    'Resource.AlreadyAssociated',
  )
  await associate(cloud, input)
  expect((await showInstance(cloud, a)).PublicIpAddress).toBeUndefined()
  expect((await showInstance(cloud, b)).PublicIpAddress).toBe(PublicIp)
})

it('lets an address take the place of another, which stays allocated', async () => {
  await using cloud = await openPools()
  const InstanceId = await launchId(cloud)
  const [one, two] = [await allocate(cloud), await allocate(cloud)]
  await associate(cloud, { AllocationId: one.AllocationId, InstanceId })
  const input = { AllocationId: two.AllocationId, InstanceId }
  expect(await cloud.refusal(associateAddress, { ...input, AllowReassociation: false })).toBe(
    'Resource.AlreadyAssociated',
  )
  await associate(cloud, input)
  expect((await showInstance(cloud, InstanceId)).PublicIpAddress).toBe(two.PublicIp)
  expect(await show(cloud, { AllocationIds: [one.AllocationId] })).toMatchObject([
    { PublicIp: one.PublicIp },
  ])
  expect((await show(cloud)).filter(({ InstanceId }) => InstanceId !== undefined)).toHaveLength(1)
})

it('refuses what cannot be associated', async () => {
  await using cloud = await openPools([PUBLIC, ELSEWHERE])
  const InstanceId = await launchId(cloud)
  const NetworkInterfaceId = (await showInstance(cloud, InstanceId)).NetworkInterfaces?.[0]
    ?.NetworkInterfaceId
  const { AllocationId, PublicIp } = await allocate(cloud)
  const far = await allocate(cloud, { PublicIpv4Pool: 'elsewhere' })
  const theirs = await allocate(cloud, {}, BOB)
  for (const [input, code] of [
    [{ InstanceId }, 'MissingParameter'],
    [{ AllocationId }, 'MissingParameter'],
    [{ AllocationId, PublicIp, InstanceId }, 'InvalidParameterCombination'],
    [{ AllocationId, InstanceId, NetworkInterfaceId }, 'InvalidParameterCombination'],
    [{ AllocationId, InstanceId: numbered('i', 99) }, 'InvalidInstanceID.NotFound'],
    [{ AllocationId, InstanceId: 'i-x' }, 'InvalidInstanceID.Malformed'],
    [
      { AllocationId, NetworkInterfaceId: numbered('eni', 99) },
      'InvalidNetworkInterfaceID.NotFound',
    ],
    // No instance has the gateway's, whatever is drawn for it.
    [{ AllocationId, InstanceId, PrivateIpAddress: '172.31.0.1' }, 'InvalidParameterValue'],
    [{ AllocationId: numbered('eipalloc', 99), InstanceId }, 'InvalidAllocationID.NotFound'],
    [{ AllocationId: 'eipalloc-x', InstanceId }, 'InvalidAllocationID.NotFound'],
    [{ PublicIp: '203.0.113.99', InstanceId }, 'InvalidAddress.NotFound'],
    [{ AllocationId: theirs.AllocationId, InstanceId }, 'InvalidAllocationID.NotFound'],
    [{ PublicIp: theirs.PublicIp, InstanceId }, 'InvalidAddress.NotFound'],
    [{ AllocationId: far.AllocationId, InstanceId }, 'InvalidParameterCombination'],
    [{ AllocationId, InstanceId, DryRun: true }, 'DryRunOperation'],
  ] as const)
    expect([input, await cloud.refusal(associateAddress, input)]).toEqual([input, code])
  expect(await cloud.refusal(associateAddress, { AllocationId, InstanceId }, BOB)).toBe(
    'InvalidAllocationID.NotFound',
  )
  expect((await showInstance(cloud, InstanceId)).PublicIpAddress).toBeUndefined()
})

it('disassociates by association or by address, and is content when nothing is left to do', async () => {
  await using cloud = await openPools()
  const InstanceId = await launchId(cloud)
  const { AllocationId, PublicIp } = await allocate(cloud)
  const AssociationId = await associate(cloud, { AllocationId, InstanceId })
  expect(await cloud.refusal(disassociateAddress, { AssociationId }, BOB)).toBe(
    'InvalidAssociationID.NotFound',
  )
  expect(await cloud.refusal(disassociateAddress, { PublicIp }, BOB)).toBe(
    'InvalidAddress.NotFound',
  )
  cloud.rung.length = 0
  await cloud.run(disassociateAddress, { AssociationId })
  expect(cloud.rung).toContain('host1')
  expect(await cloud.refusal(disassociateAddress, { AssociationId })).toBe(
    'InvalidAssociationID.NotFound',
  )
  await cloud.run(disassociateAddress, { PublicIp })
  expect(await cloud.refusal(disassociateAddress, {})).toBe('MissingParameter')
  expect(await cloud.refusal(disassociateAddress, { AssociationId, PublicIp })).toBe(
    'InvalidParameterCombination',
  )
  expect((await showInstance(cloud, InstanceId)).PublicIpAddress).toBeUndefined()
})

it('releases what leads nowhere, and only for its owner', async () => {
  await using cloud = await openPools()
  const InstanceId = await launchId(cloud)
  const { AllocationId, PublicIp } = await allocate(cloud)
  await associate(cloud, { AllocationId, InstanceId })
  expect(await cloud.refusal(releaseAddress, { AllocationId })).toBe('InvalidIPAddress.InUse')
  await cloud.run(disassociateAddress, { PublicIp })
  expect(await cloud.refusal(releaseAddress, { AllocationId }, BOB)).toBe(
    'InvalidAllocationID.NotFound',
  )
  expect(await cloud.refusal(releaseAddress, { PublicIp }, BOB)).toBe('InvalidAddress.NotFound')
  await cloud.run(releaseAddress, { AllocationId, NetworkBorderGroup: 'atoll' })
  expect(await cloud.refusal(releaseAddress, { AllocationId })).toBe('InvalidAllocationID.NotFound')
  expect(await cloud.refusal(describeAddresses, { AllocationIds: [AllocationId] })).toBe(
    'InvalidAllocationID.NotFound',
  )
})

it('shows the attributes of addresses as Terraform asks for them', async () => {
  await using cloud = await openPools()
  const { AllocationId, PublicIp } = await allocate(cloud)
  const input = { AllocationIds: [AllocationId], Attribute: 'domain-name' }
  expect(await cloud.run(describeAddressesAttribute, input)).toEqual({
    Addresses: [{ AllocationId, PublicIp }],
  })
  expect(await cloud.refusal(describeAddressesAttribute, input, BOB)).toBe(
    'InvalidAllocationID.NotFound',
  )
})

it('gives a launch public addresses that nobody allocated, and takes them back with it', async () => {
  await using cloud = await openPools([PUBLIC], 0)
  const instances = await launch(cloud, nicWith(PUBLIC_NIC, 2))
  const ips = instances.map(({ PublicIpAddress }) => PublicIpAddress)
  expect(new Set(ips).size).toBe(2)
  const [first, second] = instances.map(({ InstanceId = '' }) => InstanceId)
  expect(await showInstance(cloud, first ?? '')).toMatchObject({
    PublicIpAddress: ips[0],
    NetworkInterfaces: [{ Association: { PublicIp: ips[0], IpOwnerId: 'amazon' } }],
  })
  expect(await show(cloud)).toEqual([])
  expect(await cloud.refusal(releaseAddress, { PublicIp: ips[0] })).toBe('InvalidAddress.NotFound')
  const input = { PublicIp: ips[0], InstanceId: second }
  expect(await cloud.refusal(associateAddress, input)).toBe('InvalidAddress.NotFound')
  await cloud.store.change((tx) => tx.deleteNics(first as never))
  expect(await cloud.store.read((tx) => tx.allocatedAddresses())).toMatchObject({ ips: [ips[1]] })
})

it('launches as many as there are public addresses for, and none with fewer than asked', async () => {
  await using cloud = await openPools([PUBLIC])
  expect(await launch(cloud, nicWith(PUBLIC_NIC, 9))).toHaveLength(4)
  const input = { ImageId: cloud.image, MinCount: 1, ...nicWith(PUBLIC_NIC) }
  expect(await cloud.refusal(runInstances, input)).toBe('InsufficientAddressCapacity')
  await using far = await openPools([ELSEWHERE])
  const there = { ...input, ImageId: far.image, Placement: { AvailabilityZone: ZONE } }
  expect(await far.refusal(runInstances, there)).toBe('InsufficientAddressCapacity')
  const { Reservations } = await cloud.run(describeInstances)
  expect(Reservations).toHaveLength(1)
})

it('lets an allocated address take the place of one that came with the launch', async () => {
  await using cloud = await openPools()
  const [instance] = await launch(cloud, nicWith(PUBLIC_NIC))
  const { AllocationId, PublicIp } = await allocate(cloud)
  const input = { AllocationId, InstanceId: instance?.InstanceId, AllowReassociation: false }
  await associate(cloud, input)
  expect((await showInstance(cloud, instance?.InstanceId ?? '')).PublicIpAddress).toBe(PublicIp)
  expect(await cloud.store.read((tx) => tx.allocatedAddresses())).toMatchObject({ ips: [PublicIp] })
})

it('keeps an allocated address whose instance is gone', async () => {
  await using cloud = await openPools()
  const InstanceId = await launchId(cloud)
  const { AllocationId, PublicIp } = await allocate(cloud)
  await associate(cloud, { AllocationId, InstanceId })
  await cloud.store.change((tx) => tx.deleteNics(InstanceId as never))
  expect(await show(cloud)).toEqual([
    expect.not.objectContaining({ InstanceId, AssociationId: expect.anything() }),
  ])
  await cloud.run(releaseAddress, { AllocationId })
  expect((await allocate(cloud, { Address: PublicIp })).PublicIp).toBe(PublicIp)
})

it('shows the pools, and how much of them is free', async () => {
  await using cloud = await openPools([PUBLIC, ELSEWHERE])
  await allocate(cloud, { Address: '203.0.113.11' })
  const { PublicIpv4Pools } = (await cloud.run(describePublicIpv4Pools)) as {
    PublicIpv4Pools: PublicIpv4Pool[]
  }
  expect(PublicIpv4Pools).toMatchObject([
    { PoolId: 'elsewhere', TotalAddressCount: 1, TotalAvailableAddressCount: 1 },
    {
      PoolId: 'public',
      TotalAddressCount: 4,
      TotalAvailableAddressCount: 3,
      PoolAddressRanges: [
        { FirstAddress: '203.0.113.10', LastAddress: '203.0.113.13', AvailableAddressCount: 3 },
      ],
    },
  ])
  expect(await cloud.refusal(describePublicIpv4Pools, { PoolIds: ['nobody'] })).toBe(
    'InvalidPoolID.NotFound',
  )
})

it('hands out no address of a pool while one of it cannot be read, and counts that as taken', async () => {
  const second = pool('second', '198.51.100.1', '198.51.100.2')
  await using cloud = await openPools([PUBLIC, second])
  const { AllocationId } = await allocate(cloud, { Address: '203.0.113.11' }, BOB)
  const [row] = await cloud.store.read((tx) => tx.addresses({ account: BOB }))
  const damaged = { ...known(row), ip: '-1' as Ipv4 }
  await cloud.store.change(async (tx) => {
    await tx.deleteAddress(AllocationId as never)
    await tx.insertAddress(damaged)
  })
  expect(await cloud.run(describePublicIpv4Pools)).toMatchObject({
    PublicIpv4Pools: [
      { TotalAvailableAddressCount: 3, PoolAddressRanges: [{ AvailableAddressCount: 3 }] },
      { TotalAvailableAddressCount: 2 },
    ],
  })
  await expect(allocate(cloud, { PublicIpv4Pool: 'public' })).rejects.toMatchObject({
    code: 'Unavailable',
  })
  await expect(allocate(cloud, { Address: '203.0.113.11' })).rejects.toMatchObject({
    code: 'Unavailable',
  })
  for (let i = 0; i < 2; i += 1)
    expect(await allocate(cloud)).toMatchObject({ PublicIpv4Pool: 'second' })
  const nowhere = { ...damaged, pool: 'gone' }
  await cloud.store.change(async (tx) => {
    await tx.deleteAddress(damaged.id)
    await tx.insertAddress(nowhere)
  })
  await expect(allocate(cloud)).rejects.toMatchObject({ code: 'Unavailable' })
})

it('gives each launch into a subnet that says so a public address, unless the launch says otherwise', async () => {
  await using cloud = await openPools()
  const SubnetId = cloud.subnet.id
  await cloud.run(modifySubnetAttribute, { SubnetId, MapPublicIpOnLaunch: { Value: true } })
  const publicIpOf = async (more: object) => (await launch(cloud, more))[0]?.PublicIpAddress
  expect(await publicIpOf({})).toMatch(/^203\.0\.113\./)
  expect(await publicIpOf(nicWith({ AssociatePublicIpAddress: false }))).toBeUndefined()
  await cloud.run(modifySubnetAttribute, { SubnetId, MapPublicIpOnLaunch: { Value: false } })
  await using bare = await openPools([])
  const there = { SubnetId: bare.subnet.id, MapPublicIpOnLaunch: { Value: true } }
  expect(await bare.refusal(modifySubnetAttribute, there)).toBe('UnsupportedOperation')
})

it('pools may be changed while addresses are in use: whoever has one keeps it', async () => {
  const pools: Pool[] = [PUBLIC]
  await using cloud = await openPools(pools)
  const [a, b] = [await launchId(cloud), await launchId(cloud)]
  const used = await allocate(cloud, { Address: '203.0.113.13' })
  const spare = await allocate(cloud, { Address: '203.0.113.12' })
  await associate(cloud, { AllocationId: used.AllocationId, InstanceId: a })
  const shrunk = pool('public', '203.0.113.10', '203.0.113.11')
  const elsewhere = pool('moved', '203.0.113.12', '203.0.113.13', ['atoll-9z'])
  const views: object[] = []
  for (const now of [[shrunk], [shrunk, elsewhere], [ELSEWHERE], []]) {
    pools.splice(0, pools.length, ...now)
    views.push(await show(cloud))
    expect((await showInstance(cloud, a)).PublicIpAddress).toBe('203.0.113.13')
    const { PublicIpv4Pools } = (await cloud.run(describePublicIpv4Pools)) as {
      PublicIpv4Pools: PublicIpv4Pool[]
    }
    for (const { TotalAddressCount = 0, TotalAvailableAddressCount = -1 } of PublicIpv4Pools) {
      expect(TotalAvailableAddressCount).toBeGreaterThanOrEqual(0)
      expect(TotalAvailableAddressCount).toBeLessThanOrEqual(TotalAddressCount)
    }
  }
  // What records say does not depend on the settings.
  expect(new Set(views.map((view) => JSON.stringify(view)))).toHaveProperty('size', 1)
  // It moves, comes back, and goes, while it is in no pool.
  pools.splice(0, pools.length, shrunk)
  await associate(cloud, { AllocationId: used.AllocationId, InstanceId: b })
  await associate(cloud, { AllocationId: spare.AllocationId, InstanceId: a })
  expect((await showInstance(cloud, b)).PublicIpAddress).toBe('203.0.113.13')
  for (const { AllocationId, PublicIp } of [used, spare]) {
    await cloud.run(disassociateAddress, { PublicIp })
    await cloud.run(releaseAddress, { AllocationId })
  }
  const left = [await allocate(cloud), await allocate(cloud)].map(({ PublicIp }) => PublicIp)
  expect(left.toSorted()).toEqual(['203.0.113.10', '203.0.113.11'])
  expect(await cloud.refusal(allocateAddress)).toBe('InsufficientAddressCapacity')
  expect(await cloud.refusal(allocateAddress, { Address: '203.0.113.13' })).toBe(
    'InvalidAddress.NotFound',
  )
})
