/** Routes to network interfaces: what EC2 takes, shows and refuses. */
import type { Instance, NetworkInterface, Route, RouteTable } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { acceptVpcPeeringConnection } from '../../../../src/api/actions/accept-vpc-peering-connection.ts'
import { attachNetworkInterface } from '../../../../src/api/actions/attach-network-interface.ts'
import { createNetworkInterface } from '../../../../src/api/actions/create-network-interface.ts'
import { createRoute, deleteRoute, replaceRoute } from '../../../../src/api/actions/create-route.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { createVpcPeeringConnection } from '../../../../src/api/actions/create-vpc-peering-connection.ts'
import { deleteNetworkInterface } from '../../../../src/api/actions/delete-network-interface.ts'
import { describeRouteTables } from '../../../../src/api/actions/describe-route-tables.ts'
import { detachNetworkInterface } from '../../../../src/api/actions/detach-network-interface.ts'
import { deleteVpcPeeringConnection } from '../../../../src/api/actions/end-vpc-peering-connection.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import type { InstanceState } from '../../../../src/model/records.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const DestinationCidrBlock = '192.0.2.0/24'

/** A VPC with a subnet, and its main table. */
async function make(cloud: Cloud, CidrBlock = '10.7.0.0/16') {
  const { Vpc } = await cloud.run(createVpc, { CidrBlock })
  const { VpcId } = Vpc as { VpcId: string }
  const block = CidrBlock.replace('/16', '/24')
  const { Subnet } = await cloud.run(createSubnet, { VpcId, CidrBlock: block })
  const { SubnetId } = Subnet as { SubnetId: string }
  const [table] = await tables(cloud, { Name: 'vpc-id', Values: [VpcId] })
  return { VpcId, SubnetId, RouteTableId: table?.RouteTableId ?? '' }
}

async function tables(
  cloud: Cloud,
  ...Filters: readonly { readonly Name: string; readonly Values: readonly string[] }[]
): Promise<readonly RouteTable[]> {
  return (await cloud.run(describeRouteTables, { Filters }))['RouteTables'] as RouteTable[]
}

/** The route that the tests make. */
async function shown(cloud: Cloud, RouteTableId: string): Promise<Route | undefined> {
  const [table] = await tables(cloud, { Name: 'route-table-id', Values: [RouteTableId] })
  return table?.Routes?.find((route) => route.DestinationCidrBlock === DestinationCidrBlock)
}

async function nicIn(cloud: Cloud, SubnetId: string): Promise<string> {
  const { NetworkInterface } = await cloud.run(createNetworkInterface, { SubnetId })
  return (NetworkInterface as NetworkInterface).NetworkInterfaceId ?? ''
}

async function launch(cloud: Cloud, SubnetId: string): Promise<Instance> {
  const order = { ImageId: cloud.image, InstanceType: 't3.small', MinCount: 1, MaxCount: 1 }
  const { Instances } = await cloud.run(runInstances, { ...order, SubnetId })
  return (Instances as Instance[])[0] ?? {}
}

async function become(cloud: Cloud, id: string, state: InstanceState): Promise<void> {
  const wanted = state === 'running' ? 'run' : 'stop'
  await cloud.store.change((tx) => tx.updateInstance(id as InstanceId, { state, wanted }))
}

it('a route to an interface is active while an instance has it and runs', async () => {
  await using cloud = await openCloud()
  const { SubnetId, RouteTableId } = await make(cloud)
  const NetworkInterfaceId = await nicIn(cloud, SubnetId)
  const at = { RouteTableId, DestinationCidrBlock }
  await cloud.run(createRoute, { ...at, NetworkInterfaceId })
  const blackhole = { NetworkInterfaceId, State: 'blackhole' }
  expect(await shown(cloud, RouteTableId)).toEqual({
    ...{ DestinationCidrBlock, Origin: 'CreateRoute', ...blackhole },
  })
  const { InstanceId = '' } = await launch(cloud, SubnetId)
  await become(cloud, InstanceId, 'running')
  const place = { NetworkInterfaceId, InstanceId, DeviceIndex: 1 }
  const { AttachmentId } = await cloud.run(attachNetworkInterface, place)
  const active = { NetworkInterfaceId, InstanceId, InstanceOwnerId: ALICE, State: 'active' }
  expect(await shown(cloud, RouteTableId)).toMatchObject(active)
  const found = async (Name: string, value: string) =>
    (await tables(cloud, { Name, Values: [value] })).map((table) => table.RouteTableId)
  expect(await found('route.instance-id', InstanceId)).toEqual([RouteTableId])
  expect(await found('route.instance-id', 'i-00000000000000000')).toEqual([])
  await become(cloud, InstanceId, 'stopped')
  expect(await shown(cloud, RouteTableId)).toMatchObject(blackhole)
  expect(await found('route.instance-id', InstanceId)).toEqual([])
  await become(cloud, InstanceId, 'running')
  expect(await shown(cloud, RouteTableId)).toMatchObject(active)
  await cloud.run(detachNetworkInterface, { AttachmentId })
  expect(await shown(cloud, RouteTableId)).toMatchObject(blackhole)
  await cloud.run(detachNetworkInterface, { AttachmentId, Force: true })
  await cloud.run(deleteNetworkInterface, { NetworkInterfaceId })
  expect(await shown(cloud, RouteTableId)).toMatchObject(blackhole)
  await cloud.run(deleteRoute, at)
  expect(await shown(cloud, RouteTableId)).toBeUndefined()
})

it('an instance means its only interface', async () => {
  await using cloud = await openCloud()
  const { SubnetId, RouteTableId } = await make(cloud)
  const { InstanceId = '', NetworkInterfaces } = await launch(cloud, SubnetId)
  const at = { RouteTableId, DestinationCidrBlock }
  await cloud.run(createRoute, { ...at, InstanceId })
  const { NetworkInterfaceId } = NetworkInterfaces?.[0] ?? {}
  expect(await shown(cloud, RouteTableId)).toMatchObject({ NetworkInterfaceId, State: 'active' })
  await become(cloud, InstanceId, 'running')
  const more = { NetworkInterfaceId: await nicIn(cloud, SubnetId), InstanceId, DeviceIndex: 1 }
  await cloud.run(attachNetworkInterface, more)
  expect(await cloud.refusal(replaceRoute, { ...at, InstanceId })).toBe('InvalidInstanceID')
  await cloud.run(replaceRoute, { ...at, NetworkInterfaceId: more.NetworkInterfaceId })
  expect(await shown(cloud, RouteTableId)).toMatchObject({
    NetworkInterfaceId: more.NetworkInterfaceId,
    State: 'active',
  })
})

it('refuses what cannot be a router of the VPC', async () => {
  await using cloud = await openCloud()
  const { SubnetId, RouteTableId } = await make(cloud)
  const other = await make(cloud, '10.8.0.0/16')
  const own = await nicIn(cloud, SubnetId)
  const foreign = await nicIn(cloud, other.SubnetId)
  const refusal = (target: object, more: object = {}, account = ALICE) => {
    const at = { RouteTableId, DestinationCidrBlock, ...more }
    return cloud.refusal(createRoute, { ...at, ...target }, account)
  }
  const NetworkInterfaceId = own
  for (const [target, code] of [
    [{ NetworkInterfaceId: foreign }, 'InvalidParameterValue'],
    [{ NetworkInterfaceId: 'eni-00000000000000000' }, 'InvalidNetworkInterfaceID.NotFound'],
    [{ NetworkInterfaceId: 'eni-x' }, 'InvalidNetworkInterfaceId.Malformed'],
    [{ InstanceId: 'i-00000000000000000' }, 'InvalidInstanceID.NotFound'],
    [{ InstanceId: 'x' }, 'InvalidInstanceID.Malformed'],
    [{ NetworkInterfaceId, GatewayId: 'igw-00000000' }, 'InvalidParameterCombination'],
    [{ NetworkInterfaceId, InstanceId: 'i-00000000000000000' }, 'InvalidParameterCombination'],
  ] as const)
    expect(await refusal(target), JSON.stringify(target)).toBe(code)
  for (const inside of ['10.7.0.0/16', '10.7.0.128/25'])
    expect(await refusal({ NetworkInterfaceId }, { DestinationCidrBlock: inside })).toBe(
      'InvalidParameterValue',
    )
  expect(await refusal({ NetworkInterfaceId }, {}, BOB)).toBe('InvalidRouteTableID.NotFound')
  const { InstanceId = '' } = await launch(cloud, other.SubnetId)
  expect(await refusal({ InstanceId })).toBe('InvalidParameterValue')
})

it('a route to a peer is a blackhole when the peering has ended', async () => {
  await using cloud = await openCloud({ settings: { vpcPlace: 'own' } })
  const { VpcId, RouteTableId } = await make(cloud)
  const { VpcId: PeerVpcId } = await make(cloud, '10.8.0.0/16')
  const asked = { VpcId, PeerVpcId }
  const { VpcPeeringConnection } = await cloud.run(createVpcPeeringConnection, asked)
  const { VpcPeeringConnectionId } = VpcPeeringConnection as { VpcPeeringConnectionId: string }
  const peering = { VpcPeeringConnectionId }
  await cloud.run(acceptVpcPeeringConnection, peering)
  await cloud.run(createRoute, { RouteTableId, DestinationCidrBlock, ...peering })
  expect(await shown(cloud, RouteTableId)).toMatchObject({ ...peering, State: 'active' })
  const by = { Name: 'route.vpc-peering-connection-id', Values: [VpcPeeringConnectionId] }
  expect(await tables(cloud, by)).toHaveLength(1)
  await cloud.run(deleteVpcPeeringConnection, peering)
  expect(await shown(cloud, RouteTableId)).toMatchObject({ ...peering, State: 'blackhole' })
})
