/** NAT gateways in the terms of the SDK, and the filters of DescribeNatGateways. Pure. */
import type { NatGatewayAddress, NatGateway as NatGatewayOutput } from '@aws-sdk/client-ec2'
import { zoneId } from '../../model/zones.ts'
import type { FilterTable } from '../filters.ts'
import type { NatGatewayDetails } from '../networks/nat-gateways.ts'
import type { Place } from './instance.ts'
import { tagsView } from './tags.ts'

/** One gateway. Without a floating IP each host translates to its own address. */
export function natGatewayView(
  details: NatGatewayDetails,
  place: Pick<Place, 'region'>,
): NatGatewayOutput {
  const { id, vpc, subnet, createdAt, address } = details.gateway
  return {
    NatGatewayId: id,
    VpcId: vpc,
    SubnetId: subnet,
    State: 'available',
    ConnectivityType: 'public',
    AvailabilityMode: 'zonal',
    NatGatewayAddresses: address === undefined ? [] : [addressView(address.nic, details, place)],
    CreateTime: new Date(createdAt),
    Tags: tagsView(details.tags, id),
  }
}

function addressView(
  NetworkInterfaceId: string,
  { address, nic, zone }: NatGatewayDetails,
  { region }: Pick<Place, 'region'>,
): NatGatewayAddress {
  return {
    NetworkInterfaceId,
    IsPrimary: true,
    ...(nic === undefined ? {} : { PrivateIp: nic.ip }),
    ...(zone === '' ? {} : { AvailabilityZone: zone, AvailabilityZoneId: zoneId(zone, region) }),
    ...(address === undefined || address.association === null
      ? { Status: 'failed', FailureMessage: 'The records do not have its address any more' }
      : {
          AllocationId: address.id,
          AssociationId: address.association.id,
          PublicIp: address.ip,
          Status: 'succeeded',
        }),
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
