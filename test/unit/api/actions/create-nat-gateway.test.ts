/** NAT gateways with a floating IP: who may have it, what is shown, and what goes with it. */
import { expect, it } from 'vitest'
import { allocateAddress } from '../../../../src/api/actions/allocate-address.ts'
import { assignPrivateIpAddresses } from '../../../../src/api/actions/assign-private-ip-addresses.ts'
import { associateAddress } from '../../../../src/api/actions/associate-address.ts'
import {
  attachInternetGateway,
  detachInternetGateway,
} from '../../../../src/api/actions/attach-internet-gateway.ts'
import { createInternetGateway } from '../../../../src/api/actions/create-internet-gateway.ts'
import { createNatGateway } from '../../../../src/api/actions/create-nat-gateway.ts'
import { createNetworkInterface } from '../../../../src/api/actions/create-network-interface.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { deleteNatGateway } from '../../../../src/api/actions/delete-nat-gateway.ts'
import { deleteNetworkInterface } from '../../../../src/api/actions/delete-network-interface.ts'
import { deleteSubnet } from '../../../../src/api/actions/delete-subnet.ts'
import { deleteVpc } from '../../../../src/api/actions/delete-vpc.ts'
import { describeAddresses } from '../../../../src/api/actions/describe-addresses.ts'
import { describeNatGateways } from '../../../../src/api/actions/describe-nat-gateways.ts'
import { describeNetworkInterfaces } from '../../../../src/api/actions/describe-network-interfaces.ts'
import { disassociateAddress } from '../../../../src/api/actions/disassociate-address.ts'
import { releaseAddress } from '../../../../src/api/actions/release-address.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { BOB, type Cloud, hostRow, openCloud } from '../../../kit/api-cloud.ts'

const IP = '198.51.100.7'
const POOL = {
  name: 'public',
  ranges: [{ first: ipv4(IP), last: ipv4('198.51.100.9') }],
  zones: null,
}
const open = (
  pools: readonly (typeof POOL | (Omit<typeof POOL, 'zones'> & { zones: string[] }))[] = [POOL],
) => openCloud({ settings: { pools, vpcPlace: 'own' } })

const idIn = (answer: object, name: string): string => {
  for (const value of Object.values(answer)) {
    if (typeof value !== 'object' || value === null) continue
    const found: unknown = (value as Readonly<Record<string, unknown>>)[name]
    if (typeof found === 'string') return found
  }
  const own = (answer as Readonly<Record<string, unknown>>)[name]
  return typeof own === 'string' ? own : ''
}

/** A VPC with a subnet and an internet gateway, and an address. */
async function make(cloud: Cloud) {
  const VpcId = idIn(await cloud.run(createVpc, { CidrBlock: '10.7.0.0/16' }), 'VpcId')
  const subnet = await cloud.run(createSubnet, { VpcId, CidrBlock: '10.7.0.0/24' })
  const gateway = await cloud.run(createInternetGateway)
  const InternetGatewayId = idIn(gateway, 'InternetGatewayId')
  await cloud.run(attachInternetGateway, { VpcId, InternetGatewayId })
  const AllocationId = idIn(await cloud.run(allocateAddress, { Address: IP }), 'AllocationId')
  return { VpcId, SubnetId: idIn(subnet, 'SubnetId'), InternetGatewayId, AllocationId }
}

const only = async (cloud: Cloud, action: Parameters<Cloud['run']>[0], list: string) => {
  const all = (await cloud.run(action))[list] as readonly Readonly<Record<string, unknown>>[]
  expect(all).toHaveLength(1)
  return all[0] ?? {}
}

it('has the address, which leads to a network interface of its own', async () => {
  await using cloud = await open()
  const { SubnetId, VpcId, AllocationId } = await make(cloud)
  const asked = { SubnetId, AllocationId, PrivateIpAddress: '10.7.0.77', ClientToken: 'once' }
  const made = await cloud.run(createNatGateway, asked)
  expect(await cloud.run(createNatGateway, asked)).toEqual(made)
  const NatGatewayId = idIn(made, 'NatGatewayId')
  const nic = await only(cloud, describeNetworkInterfaces, 'NetworkInterfaces')
  const { NetworkInterfaceId } = nic
  expect(nic).toMatchObject({
    ...{ InterfaceType: 'nat_gateway', RequesterManaged: true, Status: 'in-use', SubnetId, VpcId },
    ...{ Description: `Interface for NAT Gateway ${NatGatewayId}`, SourceDestCheck: false },
    ...{ PrivateIpAddress: '10.7.0.77', Association: { PublicIp: IP, AllocationId }, Groups: [] },
  })
  const address = await only(cloud, describeAddresses, 'Addresses')
  const { AssociationId } = address
  expect(address).toMatchObject({
    ...{ AllocationId, NetworkInterfaceId, PrivateIpAddress: '10.7.0.77' },
  })
  expect(address).not.toHaveProperty('InstanceId')
  const gateway = await only(cloud, describeNatGateways, 'NatGateways')
  expect(gateway).toEqual((made as { NatGateway: object }).NatGateway)
  expect(gateway).toMatchObject({
    ...{ State: 'available', ConnectivityType: 'public', SubnetId, VpcId },
    NatGatewayAddresses: [
      {
        ...{ AllocationId, AssociationId, NetworkInterfaceId, PublicIp: IP },
        ...{ PrivateIp: '10.7.0.77', IsPrimary: true, Status: 'succeeded' },
      },
    ],
  })
})

it('keeps its address until it is deleted, and gives it back', async () => {
  await using cloud = await open()
  const { SubnetId, VpcId, InternetGatewayId, AllocationId } = await make(cloud)
  const made = await cloud.run(createNatGateway, { SubnetId, AllocationId })
  const NatGatewayId = idIn(made, 'NatGatewayId')
  const { AssociationId } = await only(cloud, describeAddresses, 'Addresses')
  const { NetworkInterfaceId } = await only(cloud, describeNetworkInterfaces, 'NetworkInterfaces')
  const nic = await cloud.run(createNetworkInterface, { SubnetId })
  const other = idIn(nic, 'NetworkInterfaceId')
  const second = idIn(await cloud.run(allocateAddress), 'AllocationId')
  const taken = 'Resource.AlreadyAssociated'
  expect(await cloud.refusal(createNatGateway, { SubnetId, AllocationId })).toBe(taken)
  const move = { AllocationId, NetworkInterfaceId: other }
  expect(await cloud.refusal(associateAddress, move)).toBe(taken)
  for (const by of [{ AssociationId }, { PublicIp: IP }])
    expect(await cloud.refusal(disassociateAddress, by)).toBe('AuthFailure')
  expect(await cloud.refusal(releaseAddress, { AllocationId })).toBe('InvalidIPAddress.InUse')
  const own = 'OperationNotPermitted'
  const put = { AllocationId: second, NetworkInterfaceId }
  expect(await cloud.refusal(associateAddress, put)).toBe(own)
  expect(await cloud.refusal(deleteNetworkInterface, { NetworkInterfaceId })).toBe(own)
  const more = { NetworkInterfaceId, SecondaryPrivateIpAddressCount: 1 }
  expect(await cloud.refusal(assignPrivateIpAddresses, more)).toBe(own)
  const held = 'DependencyViolation'
  expect(await cloud.refusal(detachInternetGateway, { VpcId, InternetGatewayId })).toBe(held)
  await cloud.run(deleteNetworkInterface, { NetworkInterfaceId: other })
  expect(await cloud.refusal(deleteSubnet, { SubnetId })).toBe(held)
  expect(await cloud.refusal(deleteVpc, { VpcId })).toBe(held)

  await cloud.run(deleteNatGateway, { NatGatewayId })
  expect((await cloud.run(describeNetworkInterfaces))['NetworkInterfaces']).toEqual([])
  const [address] = (await cloud.run(describeAddresses))['Addresses'] as object[]
  expect(address).not.toHaveProperty('AssociationId')
  await cloud.run(detachInternetGateway, { VpcId, InternetGatewayId })
  await cloud.run(deleteSubnet, { SubnetId })
  for (const id of [AllocationId, second]) await cloud.run(releaseAddress, { AllocationId: id })
})

it('is refused an address that is not there, not free, or of other zones', async () => {
  await using cloud = await open()
  const { SubnetId, VpcId, InternetGatewayId, AllocationId } = await make(cloud)
  const asked = { SubnetId, AllocationId }
  const missing = { SubnetId, AllocationId: 'eipalloc-00000000' }
  expect(await cloud.refusal(createNatGateway, missing)).toBe('InvalidAllocationID.NotFound')
  const nic = await cloud.run(createNetworkInterface, { SubnetId })
  const NetworkInterfaceId = idIn(nic, 'NetworkInterfaceId')
  await cloud.run(associateAddress, { AllocationId, NetworkInterfaceId })
  expect(await cloud.refusal(createNatGateway, asked)).toBe('Resource.AlreadyAssociated')
  await cloud.run(disassociateAddress, { PublicIp: IP })
  const used = (nic as { NetworkInterface: { PrivateIpAddress: string } }).NetworkInterface
  for (const [PrivateIpAddress, code] of [
    [used.PrivateIpAddress, 'InvalidIPAddress.InUse'],
    ['10.7.0.1', 'InvalidParameterValue'],
    ['10.8.0.9', 'InvalidParameterValue'],
  ])
    expect(await cloud.refusal(createNatGateway, { ...asked, PrivateIpAddress })).toBe(code)
  const alone = { SubnetId, PrivateIpAddress: '10.7.0.77' }
  expect(await cloud.refusal(createNatGateway, alone)).toBe('InvalidParameterCombination')
  for (const more of [{ SecondaryAllocationIds: [AllocationId] }, { ConnectivityType: 'private' }])
    expect(await cloud.refusal(createNatGateway, { ...asked, ...more })).toBe(
      'UnsupportedOperation',
    )
  await cloud.run(detachInternetGateway, { VpcId, InternetGatewayId })
  expect(await cloud.refusal(createNatGateway, asked)).toBe('Gateway.NotAttached')
  const foreign = idIn(await cloud.run(allocateAddress, {}, BOB), 'AllocationId')
  await cloud.run(attachInternetGateway, { VpcId, InternetGatewayId })
  expect(await cloud.refusal(createNatGateway, { SubnetId, AllocationId: foreign })).toBe(
    'InvalidAllocationID.NotFound',
  )
  // Nothing of a refused one is left.
  expect((await cloud.run(describeNatGateways))['NatGateways']).toEqual([])
  expect((await cloud.run(describeNetworkInterfaces))['NetworkInterfaces']).toHaveLength(1)
})

it('is refused an address of a pool that is for other zones', async () => {
  await using cloud = await open([{ ...POOL, zones: ['elsewhere'] }])
  const { SubnetId, AllocationId } = await make(cloud)
  expect(await cloud.refusal(createNatGateway, { SubnetId, AllocationId })).toBe(
    'InvalidParameterCombination',
  )
})

it('has one in the VPC in the network of the hosts, too, unless hosts share a segment', async () => {
  const hosts = [1, 2].map((number) => ({
    ...hostRow(`host${number}`, { vcpus: 64, memoryMiB: 65_536 }),
    fabricAddress: ipv4(`10.0.0.${number}`),
  }))
  for (const [fabricMode, count, isRefused] of [
    ['vxlan', 2, false],
    ['direct', 1, false],
    ['direct', 2, true],
  ] as const) {
    await using cloud = await openCloud({
      settings: { pools: [POOL], vpcPlace: 'own', fabricMode },
    })
    await cloud.store.change(async (tx) => {
      for (const host of hosts.slice(0, count)) await tx.upsertHost(host, 60_000)
    })
    const { AllocationId } = await make(cloud)
    const asked = { SubnetId: cloud.subnet.id, AllocationId }
    if (isRefused) {
      expect(await cloud.refusal(createNatGateway, asked)).toBe('UnsupportedOperation')
      await cloud.run(createNatGateway, { SubnetId: cloud.subnet.id })
    } else await cloud.run(createNatGateway, asked)
  }
})

it('shows that its address is gone when somebody has removed it by hand, and is deleted', async () => {
  await using cloud = await open()
  const { SubnetId, AllocationId } = await make(cloud)
  await cloud.run(createNatGateway, { SubnetId, AllocationId })
  await cloud.store.change((tx) => tx.associateAddress(AllocationId as never, null))
  await cloud.run(releaseAddress, { AllocationId })
  const gateway = await only(cloud, describeNatGateways, 'NatGateways')
  expect(gateway).toMatchObject({ NatGatewayAddresses: [{ Status: 'failed', IsPrimary: true }] })
  await cloud.run(deleteNatGateway, { NatGatewayId: gateway['NatGatewayId'] })
  expect((await cloud.run(describeNetworkInterfaces))['NetworkInterfaces']).toEqual([])
})
