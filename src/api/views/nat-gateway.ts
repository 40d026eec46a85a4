/** NAT gateways in the terms of the SDK, and the filters of DescribeNatGateways. Pure. */
import type { NatGateway as NatGatewayOutput, Tag as TagOutput } from '@aws-sdk/client-ec2'
import type { NatGateway } from '../../model/route-table.ts'
import type { FilterTable } from '../filters.ts'

/** One gateway. It has no addresses: each host translates to its own. */
export function natGatewayView(
  { id, vpc, subnet, createdAt }: NatGateway,
  tags: TagOutput[],
): NatGatewayOutput {
  return {
    NatGatewayId: id,
    VpcId: vpc,
    SubnetId: subnet,
    State: 'available',
    ConnectivityType: 'public',
    AvailabilityMode: 'zonal',
    NatGatewayAddresses: [],
    CreateTime: new Date(createdAt),
    Tags: tags,
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html, "Filter.N".
 */
export const NAT_GATEWAY_FILTERS: FilterTable<NatGatewayOutput> = {
  'nat-gateway-id': (gateway) => gateway.NatGatewayId,
  state: (gateway) => gateway.State,
  'subnet-id': (gateway) => gateway.SubnetId,
  'vpc-id': (gateway) => gateway.VpcId,
}
