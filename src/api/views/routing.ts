/**
 * How packets leave a VPC, in the terms of the SDK, and the filters of these Describe actions: its
 * main route table and the internet gateway that the default route leads to. Both follow from the
 * VPC. Pure.
 *
 * What takes the gateway's place is the host of each instance, which routes and masquerades
 * (`host/network/fabric.ts`).
 */
import type {
  AttachmentStatus,
  InternetGateway,
  Route,
  RouteTableAssociation,
  RouteTable as RouteTableOutput,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import { formatCidr } from '../../model/addr.ts'
import type { Vpc } from '../../model/records.ts'
import { derivedId } from '../derived-ids.ts'
import type { Comparables, FilterTable } from '../filters.ts'

/** The gateway to the outside, attached for good. */
export function internetGatewayView(vpc: Vpc, tags: TagOutput[]): InternetGateway {
  return {
    // EC2's own word for a gateway that is attached, which the SDK's union lacks.
    Attachments: [{ State: 'available' as AttachmentStatus, VpcId: vpc.id }],
    InternetGatewayId: derivedId('igw', vpc.id),
    OwnerId: vpc.account,
    Tags: tags,
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html,
 * "Filter.N".
 */
export const INTERNET_GATEWAY_FILTERS: FilterTable<InternetGateway> = {
  'attachment.state': (gateway) => gateway.Attachments?.map((one) => one.State),
  'attachment.vpc-id': (gateway) => gateway.Attachments?.map((one) => one.VpcId),
  'internet-gateway-id': (gateway) => gateway.InternetGatewayId,
  'owner-id': (gateway) => gateway.OwnerId,
}

/** The main route table: all of the VPC's subnets go by it. */
export function routeTableView(vpc: Vpc, tags: TagOutput[]): RouteTableOutput {
  const id = derivedId('rtb', vpc.id)
  return {
    Associations: [
      {
        Main: true,
        RouteTableAssociationId: derivedId('rtbassoc', vpc.id),
        RouteTableId: id,
        AssociationState: { State: 'associated' },
      },
    ],
    PropagatingVgws: [],
    RouteTableId: id,
    Routes: [
      {
        DestinationCidrBlock: formatCidr(vpc.cidr),
        GatewayId: 'local',
        Origin: 'CreateRouteTable',
        State: 'active',
      },
      {
        DestinationCidrBlock: '0.0.0.0/0',
        GatewayId: derivedId('igw', vpc.id),
        Origin: 'CreateRoute',
        State: 'active',
      },
    ],
    Tags: tags,
    VpcId: vpc.id,
    OwnerId: vpc.account,
  }
}

function ofRoutes(read: (route: Route) => Comparables) {
  return (table: RouteTableOutput): Comparables => table.Routes?.flatMap(read)
}

function ofAssociations(read: (association: RouteTableAssociation) => Comparables) {
  return (table: RouteTableOutput): Comparables => table.Associations?.flatMap(read)
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html, "Filter.N".
 */
export const ROUTE_TABLE_FILTERS: FilterTable<RouteTableOutput> = {
  'association.main': ofAssociations((one) => one.Main),
  'association.route-table-association-id': ofAssociations((one) => one.RouteTableAssociationId),
  'association.route-table-id': ofAssociations((one) => one.RouteTableId),
  'owner-id': (table) => table.OwnerId,
  'route-table-id': (table) => table.RouteTableId,
  'route.destination-cidr-block': ofRoutes((route) => route.DestinationCidrBlock),
  'route.gateway-id': ofRoutes((route) => route.GatewayId),
  'route.origin': ofRoutes((route) => route.Origin),
  'route.state': ofRoutes((route) => route.State),
  'vpc-id': (table) => table.VpcId,
}
