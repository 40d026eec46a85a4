/** Further ranges of a VPC: what subnets, routes, peers and clients make of them. */
import { expect, it } from 'vitest'
import { acceptVpcPeeringConnection } from '../../../../src/api/actions/accept-vpc-peering-connection.ts'
import { createRoute } from '../../../../src/api/actions/create-route.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { createVpcPeeringConnection } from '../../../../src/api/actions/create-vpc-peering-connection.ts'
import { deleteSubnet } from '../../../../src/api/actions/delete-subnet.ts'
import { describeRouteTables } from '../../../../src/api/actions/describe-route-tables.ts'
import { describeVpcPeeringConnections } from '../../../../src/api/actions/describe-vpc-peering-connections.ts'
import { describeVpcs } from '../../../../src/api/actions/describe-vpcs.ts'
import {
  associateVpcCidrBlock,
  disassociateVpcCidrBlock,
} from '../../../../src/api/actions/vpc-cidr-blocks.ts'
import type { AccountId } from '../../../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../../../src/model/metadata-options.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers of several actions, read by name.
type Answer = any

async function open(): Promise<Cloud & { readonly made: string }> {
  const cloud = await openCloud({ settings: { vpcPlace: 'own' } })
  return { ...cloud, made: await vpcOf(cloud, '10.7.0.0/16') }
}

async function vpcOf(cloud: Cloud, CidrBlock: string, account: AccountId = ALICE) {
  const { Vpc } = (await cloud.run(createVpc, { CidrBlock }, account)) as Answer
  return Vpc.VpcId as string
}

async function add(cloud: Cloud, VpcId: string, CidrBlock: string): Promise<Answer> {
  const made = (await cloud.run(associateVpcCidrBlock, { VpcId, CidrBlock })) as Answer
  return made.CidrBlockAssociation
}

async function rangesOf(cloud: Cloud, VpcId: string): Promise<readonly Answer[]> {
  const { Vpcs } = (await cloud.run(describeVpcs, { VpcIds: [VpcId] })) as Answer
  return Vpcs[0].CidrBlockAssociationSet
}

it('is shown with the first, and has subnets', async () => {
  await using cloud = await open()
  const made = await add(cloud, cloud.made, '192.168.4.9/24')
  expect(made).toEqual({
    AssociationId: expect.stringMatching(/^vpc-cidr-assoc-[0-9a-f]{17}$/),
    CidrBlock: '192.168.4.0/24',
    CidrBlockState: { State: 'associating' },
  })
  expect(await rangesOf(cloud, cloud.made)).toMatchObject([
    { CidrBlock: '10.7.0.0/16', CidrBlockState: { State: 'associated' } },
    { ...made, CidrBlockState: { State: 'associated' } },
  ])
  for (const [name, value] of [
    ['cidr-block-association.cidr-block', '192.168.4.0/24'],
    ['cidr-block-association.association-id', made.AssociationId],
  ]) {
    const Filters = [{ Name: name, Values: [value] }]
    const { Vpcs } = (await cloud.run(describeVpcs, { Filters })) as Answer
    expect(Vpcs.map((one: Answer) => one.VpcId)).toEqual([cloud.made])
  }
  const VpcId = cloud.made
  const within = { VpcId, CidrBlock: '192.168.4.0/25' }
  const { Subnet } = (await cloud.run(createSubnet, within)) as Answer
  expect(Subnet.CidrBlock).toBe('192.168.4.0/25')
  expect(await cloud.refusal(createSubnet, { VpcId, CidrBlock: '192.168.5.0/24' })).toBe(
    'InvalidSubnet.Range',
  )
  const { AssociationId } = made
  expect(await cloud.refusal(disassociateVpcCidrBlock, { AssociationId })).toBe(
    'DependencyViolation',
  )
  await cloud.run(deleteSubnet, { SubnetId: Subnet.SubnetId })
  const gone = (await cloud.run(disassociateVpcCidrBlock, { AssociationId })) as Answer
  expect(gone).toEqual({
    VpcId,
    CidrBlockAssociation: { ...made, CidrBlockState: { State: 'disassociating' } },
  })
  expect(await rangesOf(cloud, VpcId)).toHaveLength(1)
  expect(await cloud.refusal(disassociateVpcCidrBlock, { AssociationId })).toBe(
    'InvalidVpcCidrBlockAssociationID.NotFound',
  )
})

it('is refused where it is in the way, and there are five', async () => {
  await using cloud = await open()
  const VpcId = cloud.made
  const [{ AssociationId }] = await rangesOf(cloud, VpcId)
  expect(await cloud.refusal(disassociateVpcCidrBlock, { AssociationId })).toBe(
    'OperationNotPermitted',
  )
  const refusal = (CidrBlock: string, more: object = {}) =>
    cloud.refusal(associateVpcCidrBlock, { VpcId, CidrBlock, ...more })
  expect(await refusal('10.7.4.0/24')).toBe('CidrConflict')
  expect(await refusal('10.8.0.0/15')).toBe('InvalidVpc.Range')
  // Between the hosts and their VPCs.
  expect(await refusal('100.64.0.0/16')).toBe('CidrConflict')
  expect(await refusal('169.254.0.0/16')).toBe('InvalidVpc.Range')
  expect(await refusal('10.8.0.0/16', { AmazonProvidedIpv6CidrBlock: true })).toBe(
    'UnsupportedOperation',
  )
  for (const range of ['10.8.0.0/16', '10.9.0.0/16', '10.10.0.0/16', '100.68.0.0/16'])
    await add(cloud, VpcId, range)
  expect(await refusal('10.11.0.0/16')).toBe('CidrLimitExceeded')
})

it("is not given to a VPC in the hosts' own network", async () => {
  await using cloud = await open()
  const asked = { VpcId: cloud.vpc.id, CidrBlock: '10.8.0.0/16' }
  expect(await cloud.refusal(associateVpcCidrBlock, asked)).toBe('OperationNotPermitted')
})

it("is no other account's to give or to take", async () => {
  await using cloud = await open()
  await cloud.store.change((tx) =>
    tx.insertAccount({ id: BOB, name: 'bob', metadata: NO_PREFERENCE }),
  )
  const { AssociationId } = await add(cloud, cloud.made, '10.8.0.0/16')
  const asked = { VpcId: cloud.made, CidrBlock: '10.9.0.0/16' }
  expect(await cloud.refusal(associateVpcCidrBlock, asked, BOB)).toBe('InvalidVpcID.NotFound')
  expect(await cloud.refusal(disassociateVpcCidrBlock, { AssociationId }, BOB)).toBe(
    'InvalidVpcCidrBlockAssociationID.NotFound',
  )
})

it('is local in each route table, and no route leads into it', async () => {
  await using cloud = await open()
  const Filters = [{ Name: 'vpc-id', Values: [cloud.made] }]
  const tables = async () =>
    ((await cloud.run(describeRouteTables, { Filters })) as Answer).RouteTables[0]
  await add(cloud, cloud.made, '10.8.0.0/16')
  expect((await tables()).Routes).toMatchObject([
    { DestinationCidrBlock: '10.7.0.0/16', GatewayId: 'local', State: 'active' },
    { DestinationCidrBlock: '10.8.0.0/16', GatewayId: 'local', State: 'active' },
  ])
  const { RouteTableId } = await tables()
  const other = await vpcOf(cloud, '10.30.0.0/16')
  const peering = await peer(cloud, cloud.made, other)
  const lead = (DestinationCidrBlock: string) => ({
    ...{ RouteTableId, DestinationCidrBlock, VpcPeeringConnectionId: peering },
  })
  expect(await cloud.refusal(createRoute, lead('10.8.4.0/24'))).toBe('InvalidParameterValue')
  await cloud.run(createRoute, lead('10.9.4.0/24'))
  const asked = { VpcId: cloud.made, CidrBlock: '10.9.0.0/16' }
  expect(await cloud.refusal(associateVpcCidrBlock, asked)).toBe('CidrConflict')
})

async function peer(cloud: Cloud, VpcId: string, PeerVpcId: string): Promise<string> {
  const made = (await cloud.run(createVpcPeeringConnection, { VpcId, PeerVpcId })) as Answer
  const id = made.VpcPeeringConnection.VpcPeeringConnectionId
  await cloud.run(acceptVpcPeeringConnection, { VpcPeeringConnectionId: id })
  return id
}

it('stays apart from what peers have, and from what their peers have', async () => {
  await using cloud = await open()
  const [near, far] = [await vpcOf(cloud, '10.30.0.0/16'), await vpcOf(cloud, '10.40.0.0/16')]
  const id = await peer(cloud, cloud.made, near)
  await peer(cloud, near, far)
  for (const CidrBlock of ['10.30.4.0/24', '10.40.4.0/24'])
    expect(await cloud.refusal(associateVpcCidrBlock, { VpcId: cloud.made, CidrBlock })).toBe(
      'CidrConflict',
    )
  await add(cloud, near, '10.31.0.0/16')
  const asked = { VpcId: cloud.made, CidrBlock: '10.31.0.0/20' }
  expect(await cloud.refusal(associateVpcCidrBlock, asked)).toBe('CidrConflict')
  const { VpcPeeringConnections } = (await cloud.run(describeVpcPeeringConnections, {
    VpcPeeringConnectionIds: [id],
  })) as Answer
  expect(VpcPeeringConnections[0].AccepterVpcInfo).toMatchObject({
    CidrBlock: '10.30.0.0/16',
    CidrBlockSet: [{ CidrBlock: '10.30.0.0/16' }, { CidrBlock: '10.31.0.0/16' }],
  })
  // A new connection is judged by all ranges, too.
  const third = await vpcOf(cloud, '10.31.128.0/20')
  const refused = (await cloud.run(createVpcPeeringConnection, {
    ...{ VpcId: third, PeerVpcId: near },
  })) as Answer
  expect(refused.VpcPeeringConnection.Status.Code).toBe('failed')
})
