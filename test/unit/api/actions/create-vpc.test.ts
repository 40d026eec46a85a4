import { expect, it } from 'vitest'
import { detachInternetGateway } from '../../../../src/api/actions/attach-internet-gateway.ts'
import { createDefaultVpc } from '../../../../src/api/actions/create-default-vpc.ts'
import { createSecurityGroup } from '../../../../src/api/actions/create-security-group.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { deleteSubnet } from '../../../../src/api/actions/delete-subnet.ts'
import { deleteVpc } from '../../../../src/api/actions/delete-vpc.ts'
import { describeRouteTables } from '../../../../src/api/actions/describe-route-tables.ts'
import { describeSecurityGroups } from '../../../../src/api/actions/describe-security-groups.ts'
import { describeSubnets } from '../../../../src/api/actions/describe-subnets.ts'
import { describeTags } from '../../../../src/api/actions/describe-tags.ts'
import { describeVpcAttribute } from '../../../../src/api/actions/describe-vpc-attribute.ts'
import { describeVpcs } from '../../../../src/api/actions/describe-vpcs.ts'
import { modifyVpcAttribute } from '../../../../src/api/actions/modify-vpc-attribute.ts'
import type { Cidr } from '../../../../src/model/addr.ts'
import { cidr, ipv4 } from '../../../../src/model/addr.ts'
import { derivedId } from '../../../../src/model/derived-ids.ts'
import { BOB, type Cloud, hostRow, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

async function make(cloud: Cloud, CidrBlock = '10.7.0.0/16', more: object = {}): Promise<string> {
  const { Vpc } = await cloud.run(createVpc, { CidrBlock, ...more })
  return (Vpc as { VpcId: string }).VpcId
}

it('makes a VPC with its default group, and removes both with all tags', async () => {
  await using cloud = await openCloud()
  const tags = [{ Key: 'Name', Value: 'blue' }]
  const { Vpc } = await cloud.run(createVpc, {
    CidrBlock: '10.7.9.9/16',
    InstanceTenancy: 'default',
    AmazonProvidedIpv6CidrBlock: false,
    TagSpecifications: [{ ResourceType: 'vpc', Tags: tags }],
  })
  const { VpcId } = Vpc as { VpcId: string }
  const made = { VpcId, CidrBlock: '10.7.0.0/16', IsDefault: false, State: 'available', Tags: tags }
  expect(Vpc).toMatchObject(made)
  expect(await cloud.run(describeVpcs, { VpcIds: [VpcId] })).toMatchObject({ Vpcs: [made] })
  const where = [{ Name: 'vpc-id', Values: [VpcId] }]
  const groups = () => cloud.run(describeSecurityGroups, { Filters: where })
  const { SecurityGroups } = await groups()
  expect(SecurityGroups).toMatchObject([
    {
      GroupName: 'default',
      IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{}] }],
      IpPermissionsEgress: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
    },
  ])
  const group = (SecurityGroups as { GroupId: string }[])[0]?.GroupId
  const { RouteTables } = await cloud.run(describeRouteTables, { Filters: where })
  const [table] = RouteTables as { RouteTableId: string; Routes: object[] }[]
  // It has no way out yet.
  expect(table?.Routes).toMatchObject([{ GatewayId: 'local' }])
  await cloud.run(createTags, { Resources: [VpcId, group, table?.RouteTableId], Tags: tags })
  await cloud.run(deleteVpc, { VpcId })
  expect(await cloud.refusal(describeVpcs, { VpcIds: [VpcId] })).toBe('InvalidVpcID.NotFound')
  expect(await groups()).toMatchObject({ SecurityGroups: [] })
  expect(await cloud.run(describeTags)).toMatchObject({ Tags: [] })
  // The range is free again.
  await make(cloud)
})

it('keeps a VPC that has something, and does not show it to others', async () => {
  await using cloud = await openCloud()
  const VpcId = await make(cloud)
  const { Subnet } = await cloud.run(createSubnet, { VpcId, CidrBlock: '10.7.0.0/24' })
  const { SubnetId } = Subnet as { SubnetId: string }
  expect(await cloud.refusal(deleteVpc, { VpcId })).toBe('DependencyViolation')
  await cloud.run(deleteSubnet, { SubnetId })
  const { GroupId } = await cloud.run(createSecurityGroup, {
    GroupName: 'web',
    Description: 'web',
    VpcId,
  })
  expect(await cloud.refusal(deleteVpc, { VpcId })).toBe('DependencyViolation')
  expect(await cloud.run(describeSecurityGroups, { GroupIds: [GroupId] })).toMatchObject({
    SecurityGroups: [{ VpcId }],
  })
  expect(await cloud.refusal(deleteVpc, { VpcId }, BOB)).toBe('InvalidVpcID.NotFound')
  expect(await cloud.refusal(createSubnet, { VpcId, CidrBlock: '10.7.0.0/24' }, BOB)).toBe(
    'InvalidVpcID.NotFound',
  )
  expect(await cloud.run(describeVpcs, {}, BOB)).toMatchObject({ Vpcs: [] })
})

it('takes only ranges that a VPC may have', async () => {
  const settings = { quotas: { ...LIMITS.quotas, vpcs: 3 } }
  await using cloud = await openCloud({ settings })
  const fabricAddress = ipv4('192.168.9.1')
  await cloud.store.change((tx) =>
    tx.upsertHost({ ...hostRow('peer', { vcpus: 1, memoryMiB: 1 }), fabricAddress }, 60_000),
  )
  const refusal = (CidrBlock: unknown, account = undefined as never) =>
    cloud.refusal(createVpc, { CidrBlock }, account)
  expect(await cloud.refusal(createVpc)).toBe('MissingParameter')
  for (const malformed of ['', '10.0.0.0', '10.0.0/16', '10.0.0.0/33', '10.0.0.0/016', 'fd00::/64'])
    expect(await refusal(malformed)).toBe('InvalidParameterValue')
  for (const range of [
    '10.0.0.0/15',
    '10.0.0.0/29',
    '127.0.0.0/16',
    '169.254.0.0/16',
    '240.0.0.0/16',
  ])
    expect(await refusal(range)).toBe('InvalidVpc.Range')
  // All are in one address space here.
  for (const taken of ['172.31.0.0/16', '172.31.9.0/24', '192.168.9.0/28', '192.0.2.0/24'])
    expect(await refusal(taken)).toBe('CidrConflict')
  expect(await cloud.refusal(createVpc, { CidrBlock: '172.31.0.0/24' }, BOB)).toBe('CidrConflict')
  const dedicated = { CidrBlock: '10.0.0.0/16', InstanceTenancy: 'dedicated' }
  expect(await cloud.refusal(createVpc, dedicated)).toBe('UnsupportedOperation')
  await make(cloud, '10.0.0.0/16')
  await make(cloud, '10.1.0.0/28')
  expect(await refusal('10.2.0.0/16')).toBe('VpcLimitExceeded')
  const { Vpc } = await cloud.run(createVpc, { CidrBlock: '10.2.0.0/16' }, BOB)
  expect(Vpc).toMatchObject({ OwnerId: BOB })
})

it('gives VPCs networks of their own where they may overlap', async () => {
  const peer = { ...hostRow('peer', { vcpus: 1, memoryMiB: 1 }), version: '0.2.9' }
  await using cloud = await openCloud({ settings: { vpcPlace: 'own' } })
  const networks = async () =>
    (await cloud.store.read((tx) => tx.vpcs({}))).flatMap(({ network, cidr }) =>
      network === null ? [] : [[network, cidr.network]],
    )
  const first = await make(cloud, '172.31.0.0/16')
  await make(cloud, '172.31.0.0/16')
  await make(cloud, '8.8.8.0/24')
  expect((await networks()).sort()).toEqual([
    [1, '172.31.0.0'],
    [2, '172.31.0.0'],
    [3, '8.8.8.0'],
  ])
  await cloud.run(deleteVpc, { VpcId: first })
  // A host that takes all VPCs for one would mix them up.
  await cloud.store.change((tx) => tx.upsertHost(peer, 60_000))
  expect(await cloud.refusal(createVpc, { CidrBlock: '10.0.0.0/16' })).toBe('OperationNotPermitted')
  await cloud.store.change((tx) => tx.upsertHost({ ...peer, version: '0.4.0' }, 60_000))
  await make(cloud, '10.0.0.0/16')
  expect((await networks()).sort()).toEqual([
    [2, '172.31.0.0'],
    [3, '8.8.8.0'],
    // Not 1 again: a VPC with a lower number is older.
    [4, '10.0.0.0'],
  ])
})

it('returns and changes the attributes of a VPC', async () => {
  await using cloud = await openCloud()
  const VpcId = await make(cloud)
  const shown = async (Attribute: string) =>
    (await cloud.run(describeVpcAttribute, { VpcId, Attribute }))[
      `E${Attribute.slice(1)}`
    ] as object
  expect(await shown('enableDnsSupport')).toEqual({ Value: true })
  expect(await shown('enableDnsHostnames')).toEqual({ Value: false })
  expect(await shown('enableNetworkAddressUsageMetrics')).toEqual({ Value: false })
  await cloud.run(modifyVpcAttribute, { VpcId, EnableDnsHostnames: { Value: true } })
  expect(await shown('enableDnsHostnames')).toEqual({ Value: true })
  expect(await shown('enableDnsSupport')).toEqual({ Value: true })
  const refusal = (more: object) => cloud.refusal(modifyVpcAttribute, { VpcId, ...more })
  const yes = { Value: true }
  expect(await refusal({})).toBe('InvalidParameterCombination')
  expect(await refusal({ EnableDnsHostnames: yes, EnableDnsSupport: yes })).toBe(
    'InvalidParameterCombination',
  )
  expect(await refusal({ EnableNetworkAddressUsageMetrics: yes })).toBe('UnsupportedOperation')
})

it('makes the default VPC again once it is gone, with a subnet in each zone', async () => {
  const far = { ...hostRow('far', { vcpus: 1, memoryMiB: 1 }), zone: 'atoll-1b' }
  const defaultNetwork = { vpc: cidr('172.31.0.0/16'), subnet: cidr('172.31.32.0/20') }
  await using cloud = await openCloud({ settings: { defaultNetwork } })
  await cloud.store.change((tx) => tx.upsertHost(far, 60_000))
  expect(await cloud.refusal(createDefaultVpc)).toBe('DefaultVpcAlreadyExists')
  await cloud.run(deleteSubnet, { SubnetId: cloud.subnet.id })
  const of = { VpcId: cloud.vpc.id, InternetGatewayId: derivedId('igw', cloud.vpc.id) }
  expect(await cloud.refusal(deleteVpc, { VpcId: of.VpcId })).toBe('DependencyViolation')
  await cloud.run(detachInternetGateway, of)
  await cloud.run(deleteVpc, { VpcId: of.VpcId })
  const { Vpc } = await cloud.run(createDefaultVpc)
  const Filters = [{ Name: 'route.destination-cidr-block', Values: ['0.0.0.0/0'] }]
  expect(await cloud.run(describeRouteTables, { Filters })).toMatchObject({
    RouteTables: [{ Routes: [{}, { State: 'active' }] }],
  })
  expect(Vpc).toMatchObject({ IsDefault: true, CidrBlock: '172.31.0.0/16' })
  const { Subnets } = await cloud.run(describeSubnets)
  const rows = (Subnets as { AvailabilityZone: string; CidrBlock: string }[]).map((one) => [
    one.AvailabilityZone,
    one.CidrBlock,
  ])
  expect(rows.sort()).toEqual([
    ['atoll-1a', '172.31.32.0/20'],
    ['atoll-1b', '172.31.0.0/20'],
  ])
})

/** Beside a VPC of another account that cannot be read, with this number. */
async function besideDamaged(place: 'own' | 'root', network: number | null): Promise<Cloud> {
  const cloud = await openCloud({ settings: { vpcPlace: place } })
  const broken: Cidr = { network: ipv4('10.7.0.1'), prefix: 16 }
  const id = derivedId('vpc', 'x-00000000000000001') as never
  await cloud.store.change((tx) =>
    tx.insertVpc({ ...cloud.vpc, id, account: BOB, cidr: broken, network }),
  )
  return cloud
}

it('makes a VPC in the root namespace only while all VPCs in the records can be read', async () => {
  await using cloud = await besideDamaged('root', null)
  await expect(cloud.run(createVpc, { CidrBlock: '10.8.0.0/16' })).rejects.toMatchObject({
    kind: 'unavailable',
  })
})

it('makes one with a network of its own beside one that cannot be read, with another number', async () => {
  await using cloud = await besideDamaged('own', 41)
  const VpcId = await make(cloud, '10.8.0.0/16')
  const found = (await cloud.store.read((tx) => tx.vpcs({}))).find(({ id }) => id === VpcId)
  expect(found?.network).toBe(42)
})

it('makes none while a number of a VPC in the records is not known', async () => {
  await using cloud = await besideDamaged('own', 70_000)
  await expect(cloud.run(createVpc, { CidrBlock: '10.8.0.0/16' })).rejects.toMatchObject({
    kind: 'unavailable',
  })
})
