/** Internet gateways: what keeps one in its VPC. */
import { expect, it } from 'vitest'
import { allocateAddress } from '../../../../src/api/actions/allocate-address.ts'
import { associateAddress } from '../../../../src/api/actions/associate-address.ts'
import {
  attachInternetGateway,
  detachInternetGateway,
} from '../../../../src/api/actions/attach-internet-gateway.ts'
import { createInternetGateway } from '../../../../src/api/actions/create-internet-gateway.ts'
import { createNetworkInterface } from '../../../../src/api/actions/create-network-interface.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { disassociateAddress } from '../../../../src/api/actions/disassociate-address.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const range = { first: ipv4('198.51.100.7'), last: ipv4('198.51.100.9') }
const POOL = { name: 'public', ranges: [range], zones: null }

/** A VPC with a subnet and an internet gateway. */
async function make(cloud: Cloud, CidrBlock: string) {
  const made = await cloud.run(createVpc, { CidrBlock })
  const { VpcId } = made['Vpc'] as { VpcId: string }
  const subnet = await cloud.run(createSubnet, { VpcId, CidrBlock })
  const { SubnetId } = subnet['Subnet'] as { SubnetId: string }
  const gateway = await cloud.run(createInternetGateway)
  const { InternetGatewayId } = gateway['InternetGateway'] as { InternetGatewayId: string }
  await cloud.run(attachInternetGateway, { VpcId, InternetGatewayId })
  return { SubnetId, attachment: { VpcId, InternetGatewayId } }
}

it('stays while an address leads to a NIC, also to one without an instance', async () => {
  await using cloud = await openCloud({ settings: { pools: [POOL], vpcPlace: 'own' } })
  const [here, elsewhere] = [await make(cloud, '10.7.0.0/24'), await make(cloud, '10.8.0.0/24')]
  const { SubnetId } = here
  const nic = await cloud.run(createNetworkInterface, { SubnetId })
  const { NetworkInterfaceId } = nic['NetworkInterface'] as { NetworkInterfaceId: string }
  const { AllocationId } = await cloud.run(allocateAddress)
  const { AssociationId } = await cloud.run(associateAddress, { AllocationId, NetworkInterfaceId })
  expect(await cloud.refusal(detachInternetGateway, here.attachment)).toBe('DependencyViolation')
  await cloud.run(detachInternetGateway, elsewhere.attachment)
  await cloud.run(disassociateAddress, { AssociationId })
  await cloud.run(detachInternetGateway, here.attachment)
})
