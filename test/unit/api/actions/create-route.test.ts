/** Internet gateways, NAT gateways and route tables: what EC2 does and refuses, by which code. */
import { expect, it } from 'vitest'
import { allocateAddress } from '../../../../src/api/actions/allocate-address.ts'
import { associateAddress } from '../../../../src/api/actions/associate-address.ts'
import {
  associateRouteTable,
  disassociateRouteTable,
  replaceRouteTableAssociation,
} from '../../../../src/api/actions/associate-route-table.ts'
import {
  attachInternetGateway,
  detachInternetGateway,
} from '../../../../src/api/actions/attach-internet-gateway.ts'
import { createInternetGateway } from '../../../../src/api/actions/create-internet-gateway.ts'
import { createNatGateway } from '../../../../src/api/actions/create-nat-gateway.ts'
import { createRoute, deleteRoute, replaceRoute } from '../../../../src/api/actions/create-route.ts'
import { createRouteTable } from '../../../../src/api/actions/create-route-table.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { deleteInternetGateway } from '../../../../src/api/actions/delete-internet-gateway.ts'
import { deleteNatGateway } from '../../../../src/api/actions/delete-nat-gateway.ts'
import { deleteRouteTable } from '../../../../src/api/actions/delete-route-table.ts'
import { deleteSubnet } from '../../../../src/api/actions/delete-subnet.ts'
import { deleteVpc } from '../../../../src/api/actions/delete-vpc.ts'
import { describeInternetGateways } from '../../../../src/api/actions/describe-internet-gateways.ts'
import { describeNatGateways } from '../../../../src/api/actions/describe-nat-gateways.ts'
import { describeRouteTables } from '../../../../src/api/actions/describe-route-tables.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { derivedId } from '../../../../src/model/derived-ids.ts'
import { BOB, type Cloud, hostRow, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

const ALL = '0.0.0.0/0'
type Named = Readonly<Record<string, string>>

async function idOf(
  cloud: Cloud,
  action: Parameters<Cloud['run']>[0],
  input: object,
  path: string,
) {
  const [member = '', id = ''] = path.split('.')
  return ((await cloud.run(action, input))[member] as Named)[id] ?? ''
}

/** A VPC with a subnet, its main table, and a gateway that is not attached. */
async function make(cloud: Cloud, CidrBlock = '10.7.0.0/16') {
  const VpcId = await idOf(cloud, createVpc, { CidrBlock }, 'Vpc.VpcId')
  const block = CidrBlock.replace('/16', '/24')
  const SubnetId = await idOf(cloud, createSubnet, { VpcId, CidrBlock: block }, 'Subnet.SubnetId')
  const InternetGatewayId = await idOf(
    cloud,
    createInternetGateway,
    {},
    'InternetGateway.InternetGatewayId',
  )
  const [main] = await tables(cloud, VpcId)
  return { VpcId, SubnetId, InternetGatewayId, RouteTableId: main?.RouteTableId ?? '' }
}

interface Table {
  readonly RouteTableId: string
  readonly Routes: readonly Named[]
  readonly Associations: readonly (Named & { readonly Main: boolean })[]
}

async function tables(cloud: Cloud, vpc: string): Promise<readonly Table[]> {
  const Filters = [{ Name: 'vpc-id', Values: [vpc] }]
  return (await cloud.run(describeRouteTables, { Filters }))['RouteTables'] as unknown as Table[]
}

it('attaches a gateway to one VPC, and a VPC has one', async () => {
  await using cloud = await openCloud()
  const { VpcId, InternetGatewayId } = await make(cloud)
  const attached = async () =>
    (
      (await cloud.run(describeInternetGateways, { InternetGatewayIds: [InternetGatewayId] }))[
        'InternetGateways'
      ] as { Attachments: object[] }[]
    )[0]?.Attachments
  expect(await attached()).toEqual([])
  const of = { VpcId, InternetGatewayId }
  expect(await cloud.refusal(detachInternetGateway, of)).toBe('Gateway.NotAttached')
  await cloud.run(attachInternetGateway, of)
  expect(await attached()).toEqual([{ State: 'available', VpcId }])
  expect(await cloud.refusal(attachInternetGateway, of)).toBe('Resource.AlreadyAssociated')
  const second = await idOf(cloud, createInternetGateway, {}, 'InternetGateway.InternetGatewayId')
  expect(await cloud.refusal(attachInternetGateway, { VpcId, InternetGatewayId: second })).toBe(
    'InvalidParameterValue',
  )
  expect(await cloud.refusal(deleteInternetGateway, of)).toBe('UnsupportedOperation')
  expect(await cloud.refusal(deleteInternetGateway, { InternetGatewayId })).toBe(
    'DependencyViolation',
  )
  await cloud.run(detachInternetGateway, of)
  await cloud.run(deleteInternetGateway, { InternetGatewayId })
  expect(await cloud.refusal(deleteInternetGateway, { InternetGatewayId })).toBe(
    'InvalidInternetGatewayID.NotFound',
  )
  expect(
    await cloud.refusal(attachInternetGateway, { VpcId, InternetGatewayId: second }, BOB),
  ).toBe('InvalidInternetGatewayID.NotFound')
})

it('routes lead to a gateway of the VPC, and become blackholes without it', async () => {
  await using cloud = await openCloud()
  const { VpcId, SubnetId, InternetGatewayId: GatewayId, RouteTableId } = await make(cloud)
  const to = (DestinationCidrBlock: string, more: object = { GatewayId }) => ({
    RouteTableId,
    DestinationCidrBlock,
    ...more,
  })
  const refusal = (input: object) => cloud.refusal(createRoute, input)
  // It is not attached.
  expect(await refusal(to(ALL))).toBe('InvalidParameterValue')
  const sixth = { RouteTableId, DestinationIpv6CidrBlock: '::/0', GatewayId }
  await expect(cloud.run(createRoute, sixth)).rejects.toThrow('DestinationIpv6CidrBlock is not')
  await expect(cloud.run(associateRouteTable, { RouteTableId, GatewayId })).rejects.toThrow(
    'GatewayId is not supported',
  )
  await cloud.run(attachInternetGateway, { VpcId, InternetGatewayId: GatewayId })
  await cloud.run(createRoute, to(ALL))
  await cloud.run(createRoute, to('203.0.113.99/24'))
  expect(await refusal(to('203.0.113.0/24'))).toBe('RouteAlreadyExists')
  for (const inside of ['10.7.0.0/16', '10.7.3.0/24'])
    expect(await refusal(to(inside))).toBe('InvalidParameterValue')
  expect(await refusal(to('10.0.0.0/33'))).toBe('InvalidParameterValue')
  expect(await refusal(to('192.0.2.0/24', {}))).toBe('MissingParameter')
  expect(await refusal(to('192.0.2.0/24', { GatewayId: 'igw-00000000' }))).toBe(
    'InvalidGatewayID.NotFound',
  )
  expect(await refusal(to('192.0.2.0/24', { NatGatewayId: 'nat-00000000' }))).toBe(
    'InvalidNatGatewayID.NotFound',
  )
  expect(await refusal(to('192.0.2.0/24', { TransitGatewayId: 'tgw-00000000' }))).toBe(
    'UnsupportedOperation',
  )
  // The gateway of another VPC.
  const other = derivedId('igw', cloud.vpc.id)
  expect(await refusal(to('192.0.2.0/24', { GatewayId: other }))).toBe('InvalidParameterValue')
  const NatGatewayId = await idOf(cloud, createNatGateway, { SubnetId }, 'NatGateway.NatGatewayId')
  expect(await refusal(to('192.0.2.0/24', { GatewayId, NatGatewayId }))).toBe(
    'InvalidParameterCombination',
  )
  await cloud.run(replaceRoute, to('203.0.113.0/24', { NatGatewayId }))
  expect(await cloud.refusal(replaceRoute, to('192.0.2.0/24'))).toBe('InvalidParameterValue')
  const shown = async () =>
    (await tables(cloud, VpcId))[0]?.Routes.map((one) => [
      one['DestinationCidrBlock'],
      one['GatewayId'] ?? one['NatGatewayId'],
      one['State'],
    ])
  expect(await shown()).toEqual([
    ['10.7.0.0/16', 'local', 'active'],
    ['203.0.113.0/24', NatGatewayId, 'active'],
    [ALL, GatewayId, 'active'],
  ])
  await cloud.run(deleteNatGateway, { NatGatewayId })
  await cloud.run(detachInternetGateway, { VpcId, InternetGatewayId: GatewayId })
  expect(await shown()).toEqual([
    ['10.7.0.0/16', 'local', 'active'],
    ['203.0.113.0/24', NatGatewayId, 'blackhole'],
    [ALL, GatewayId, 'blackhole'],
  ])
  const at = (DestinationCidrBlock: string) => ({ RouteTableId, DestinationCidrBlock })
  expect(await cloud.refusal(deleteRoute, at('10.7.0.0/16'))).toBe('InvalidParameterValue')
  await cloud.run(deleteRoute, at(ALL))
  expect(await cloud.refusal(deleteRoute, at(ALL))).toBe('InvalidRoute.NotFound')
  expect(await cloud.refusal(deleteRoute, at(ALL), BOB)).toBe('InvalidRouteTableID.NotFound')
})

it('a subnet goes by one table, or by the main one of its VPC', async () => {
  await using cloud = await openCloud()
  const { VpcId, SubnetId, RouteTableId: main } = await make(cloud)
  const made = { VpcId, ClientToken: 'once' }
  const table = await idOf(cloud, createRouteTable, made, 'RouteTable.RouteTableId')
  expect(await idOf(cloud, createRouteTable, made, 'RouteTable.RouteTableId')).toBe(table)
  expect(await tables(cloud, VpcId)).toHaveLength(2)
  const associate = (input: object) => cloud.run(associateRouteTable, input)
  const { AssociationId } = await associate({ RouteTableId: table, SubnetId })
  // The same once more is the same.
  expect(await associate({ RouteTableId: table, SubnetId })).toMatchObject({ AssociationId })
  expect(await cloud.refusal(associateRouteTable, { RouteTableId: main, SubnetId })).toBe(
    'Resource.AlreadyAssociated',
  )
  const foreign = { RouteTableId: table, SubnetId: cloud.subnet.id }
  expect(await cloud.refusal(associateRouteTable, foreign)).toBe('InvalidParameterValue')
  expect(await cloud.refusal(deleteRouteTable, { RouteTableId: table })).toBe('DependencyViolation')
  expect(await cloud.refusal(deleteRouteTable, { RouteTableId: main })).toBe('DependencyViolation')
  const Filters = [{ Name: 'association.subnet-id', Values: [SubnetId] }]
  expect(await cloud.run(describeRouteTables, { Filters })).toMatchObject({
    RouteTables: [{ RouteTableId: table }],
  })
  const mainAssociation = (await tables(cloud, VpcId))
    .flatMap(({ Associations }) => Associations)
    .find(({ Main }) => Main)?.['RouteTableAssociationId']
  expect(await cloud.refusal(disassociateRouteTable, { AssociationId: mainAssociation })).toBe(
    'InvalidParameterValue',
  )
  // Another main table.
  const { NewAssociationId } = await cloud.run(replaceRouteTableAssociation, {
    AssociationId: mainAssociation,
    RouteTableId: table,
  })
  expect(NewAssociationId).not.toBe(mainAssociation)
  // The same table once more changes nothing.
  const again = { AssociationId: NewAssociationId, RouteTableId: table }
  expect(await cloud.run(replaceRouteTableAssociation, again)).toMatchObject({ NewAssociationId })
  expect(await cloud.refusal(disassociateRouteTable, { AssociationId: mainAssociation })).toBe(
    'InvalidAssociationID.NotFound',
  )
  await cloud.run(deleteRouteTable, { RouteTableId: main })
  await cloud.run(disassociateRouteTable, { AssociationId })
  expect(await cloud.refusal(disassociateRouteTable, { AssociationId })).toBe(
    'InvalidAssociationID.NotFound',
  )
  // An association goes with its subnet, and the main table with its VPC.
  await associate({ RouteTableId: table, SubnetId })
  await cloud.run(deleteSubnet, { SubnetId })
  expect((await tables(cloud, VpcId))[0]?.Associations).toHaveLength(1)
  await cloud.run(deleteVpc, { VpcId })
  expect(await tables(cloud, VpcId)).toEqual([])
})

it('a VPC is kept with a gateway or another table, and a subnet with a NAT gateway', async () => {
  await using cloud = await openCloud()
  const { VpcId, SubnetId, InternetGatewayId } = await make(cloud)
  expect(await cloud.refusal(createNatGateway, { SubnetId })).toBe('Gateway.NotAttached')
  await cloud.run(attachInternetGateway, { VpcId, InternetGatewayId })
  const NatGatewayId = await idOf(cloud, createNatGateway, { SubnetId }, 'NatGateway.NatGatewayId')
  expect(await cloud.refusal(deleteSubnet, { SubnetId })).toBe('DependencyViolation')
  await cloud.run(deleteNatGateway, { NatGatewayId })
  await cloud.run(deleteSubnet, { SubnetId })
  expect(await cloud.refusal(deleteVpc, { VpcId })).toBe('DependencyViolation')
  await cloud.run(detachInternetGateway, { VpcId, InternetGatewayId })
  const RouteTableId = await idOf(cloud, createRouteTable, { VpcId }, 'RouteTable.RouteTableId')
  expect(await cloud.refusal(deleteVpc, { VpcId })).toBe('DependencyViolation')
  await cloud.run(deleteRouteTable, { RouteTableId })
  await cloud.run(deleteVpc, { VpcId })
})

it('says what a NAT gateway has not', async () => {
  await using cloud = await openCloud()
  const SubnetId = cloud.subnet.id
  for (const more of [{ ConnectivityType: 'private' }, { SecondaryPrivateIpAddressCount: 1 }])
    expect(await cloud.refusal(createNatGateway, { SubnetId, ...more })).toBe(
      'UnsupportedOperation',
    )
  const made = { SubnetId, ConnectivityType: 'public', ClientToken: 'once' }
  const NatGatewayId = await idOf(cloud, createNatGateway, made, 'NatGateway.NatGatewayId')
  expect(await idOf(cloud, createNatGateway, made, 'NatGateway.NatGatewayId')).toBe(NatGatewayId)
  const by = (Name: string, value: string) =>
    cloud.run(describeNatGateways, { Filter: [{ Name, Values: [value] }] })
  expect(await by('subnet-id', SubnetId)).toMatchObject({
    NatGateways: [{ NatGatewayId, State: 'available', NatGatewayAddresses: [] }],
  })
  expect(await by('state', 'deleted')).toMatchObject({ NatGateways: [] })
  await cloud.run(deleteNatGateway, { NatGatewayId })
  for (const action of [deleteNatGateway])
    expect(await cloud.refusal(action, { NatGatewayId })).toBe('NatGatewayNotFound')
  expect(await cloud.refusal(describeNatGateways, { NatGatewayIds: [NatGatewayId] })).toBe(
    'NatGatewayNotFound',
  )
})

it('counts against quotas', async () => {
  const quotas = { ...LIMITS.quotas, internetGateways: 2, routesPerTable: 2, routeTablesPerVpc: 2 }
  await using cloud = await openCloud({
    settings: { quotas: { ...quotas, natGatewaysPerZone: 1 } },
  })
  await cloud.run(createInternetGateway)
  expect(await cloud.refusal(createInternetGateway)).toBe('InternetGatewayLimitExceeded')
  const VpcId = cloud.vpc.id
  const RouteTableId = await idOf(cloud, createRouteTable, { VpcId }, 'RouteTable.RouteTableId')
  expect(await cloud.refusal(createRouteTable, { VpcId })).toBe('RouteTableLimitExceeded')
  const GatewayId = derivedId('igw', VpcId)
  const to = (DestinationCidrBlock: string) => ({ RouteTableId, DestinationCidrBlock, GatewayId })
  await cloud.run(createRoute, to('10.0.0.0/8'))
  await cloud.run(createRoute, to('11.0.0.0/8'))
  expect(await cloud.refusal(createRoute, to('12.0.0.0/8'))).toBe('RouteLimitExceeded')
  await cloud.run(createNatGateway, { SubnetId: cloud.subnet.id })
  expect(await cloud.refusal(createNatGateway, { SubnetId: cloud.subnet.id })).toBe(
    'NatGatewayLimitExceeded',
  )
})

it('a VPC with a public address keeps its gateway, and one without gets none', async () => {
  const pools = [
    {
      name: 'public',
      ranges: [{ first: ipv4('203.0.113.9'), last: ipv4('203.0.113.19') }],
      zones: null,
    },
  ]
  await using cloud = await openCloud({ settings: { pools } })
  const { Instances } = await cloud.run(runInstances, {
    ...{ ImageId: cloud.image, MinCount: 1, MaxCount: 1 },
  })
  const [{ InstanceId } = { InstanceId: '' }] = Instances as { InstanceId: string }[]
  const { AllocationId } = await cloud.run(allocateAddress)
  const VpcId = cloud.vpc.id
  const own = { VpcId, InternetGatewayId: derivedId('igw', VpcId) }
  await cloud.run(detachInternetGateway, own)
  expect(await cloud.refusal(associateAddress, { AllocationId, InstanceId })).toBe(
    'Gateway.NotAttached',
  )
  await cloud.run(attachInternetGateway, own)
  await cloud.run(associateAddress, { AllocationId, InstanceId })
  expect(await cloud.refusal(detachInternetGateway, own)).toBe('DependencyViolation')
})

it('restricts nothing that an older host would let pass', async () => {
  await using cloud = await openCloud()
  const older = { ...hostRow('older', { vcpus: 1, memoryMiB: 1 }), version: '0.3.0' }
  await cloud.store.change((tx) => tx.upsertHost(older, 60_000))
  const VpcId = cloud.vpc.id
  const own = { VpcId, InternetGatewayId: derivedId('igw', VpcId) }
  expect(await cloud.refusal(detachInternetGateway, own)).toBe('OperationNotPermitted')
  const route = { RouteTableId: derivedId('rtb', VpcId), DestinationCidrBlock: ALL }
  expect(await cloud.refusal(deleteRoute, route)).toBe('OperationNotPermitted')
})

it.each([
  { SecondaryAllocationIds: ['eipalloc-0123456789abcdef0'] },
  { SecondaryPrivateIpAddresses: ['172.31.0.9'] },
  { SecondaryPrivateIpAddressCount: 1 },
  { ConnectivityType: 'private' },
  { AvailabilityMode: 'regional' },
  { AvailabilityZoneAddresses: [{ AvailabilityZone: 'atoll-1a' }] },
])('refuses a NAT gateway that it does not have, and says what to do: %j', async (more) => {
  await using cloud = await openCloud()
  const input = { SubnetId: cloud.subnet.id, ...more }
  const error = await cloud.run(createNatGateway, input).catch((refusal: unknown) => refusal)
  const [parameter = ''] = Object.keys(more)
  expect(error).toMatchObject({ code: 'UnsupportedOperation' })
  expect(String(error)).toContain(parameter.replace(/e?s$/, ''))
  expect(String(error)).toMatch(/leave it out|use /i)
})
