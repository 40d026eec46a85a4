/** Route tables in the terms of the SDK, and the filters of DescribeRouteTables. Pure. */
import type {
  Route as RouteOutput,
  RouteTableAssociation as RouteTableAssociationOutput,
  RouteTable as RouteTableOutput,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import { type Cidr, formatCidr } from '../../model/addr.ts'
import {
  byDestination,
  type Route,
  type RouteTable,
  type RouteTableAssociation,
  type RouteTarget,
} from '../../model/route-table.ts'
import type { VpcRouting } from '../../model/vpc-routing.ts'
import { isActive } from '../../plan/routes.ts'
import type { RouteTargets } from '../../store/routing.ts'
import type { Comparables, FilterTable } from '../filters.ts'

/** One table. `ranges` are those of its VPC, to which every table has the route `local`. */
export function routeTableView(
  { id, vpc, account }: RouteTable,
  {
    ranges,
    routing,
    targets,
    tags,
  }: {
    readonly ranges: readonly Cidr[]
    readonly routing: VpcRouting
    readonly targets: RouteTargets
    readonly tags: TagOutput[]
  },
): RouteTableOutput {
  const routes = byDestination(routing.routes.filter((route) => route.table === id))
  return {
    Associations: routing.associations.filter(({ table }) => table === id).map(associationView),
    PropagatingVgws: [],
    RouteTableId: id,
    Routes: [
      ...ranges.map((range) => ({
        DestinationCidrBlock: formatCidr(range),
        GatewayId: 'local',
        Origin: 'CreateRouteTable' as const,
        State: 'active' as const,
      })),
      ...routes.map((route) => routeView(route, routing, targets)),
    ],
    Tags: tags,
    VpcId: vpc,
    OwnerId: account,
  }
}

function routeView(route: Route, routing: VpcRouting, targets: RouteTargets): RouteOutput {
  return {
    DestinationCidrBlock: formatCidr(route.destination),
    ...targetView(route.target, targets),
    Origin: 'CreateRoute',
    State: isActive(route, routing, targets) ? 'active' : 'blackhole',
  }
}

function targetView(target: RouteTarget, { nics }: RouteTargets): RouteOutput {
  switch (target.kind) {
    case 'internet-gateway':
    case 'unknown':
      return { GatewayId: target.id }
    case 'nat-gateway':
      return { NatGatewayId: target.id }
    case 'peering':
      return { VpcPeeringConnectionId: target.id }
    case 'network-interface': {
      const nic = nics.get(target.id)
      return {
        ...(nic === undefined ? {} : { InstanceId: nic.instance, InstanceOwnerId: nic.account }),
        NetworkInterfaceId: target.id,
      }
    }
  }
}

function associationView({
  id,
  table,
  subnet,
}: RouteTableAssociation): RouteTableAssociationOutput {
  return {
    Main: subnet === null,
    RouteTableAssociationId: id,
    RouteTableId: table,
    ...(subnet === null ? {} : { SubnetId: subnet }),
    AssociationState: { State: 'associated' },
  }
}

function ofRoutes(read: (route: RouteOutput) => Comparables) {
  return (table: RouteTableOutput): Comparables => table.Routes?.flatMap(read)
}

function ofAssociations(read: (association: RouteTableAssociationOutput) => Comparables) {
  return (table: RouteTableOutput): Comparables => table.Associations?.flatMap(read)
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html, "Filter.N".
 */
export const ROUTE_TABLE_FILTERS: FilterTable<RouteTableOutput> = {
  'association.main': ofAssociations((one) => one.Main),
  'association.route-table-association-id': ofAssociations((one) => one.RouteTableAssociationId),
  'association.route-table-id': ofAssociations((one) => one.RouteTableId),
  'association.subnet-id': ofAssociations((one) => one.SubnetId),
  'owner-id': (table) => table.OwnerId,
  'route-table-id': (table) => table.RouteTableId,
  'route.destination-cidr-block': ofRoutes((route) => route.DestinationCidrBlock),
  'route.gateway-id': ofRoutes((route) => route.GatewayId),
  'route.instance-id': ofRoutes((route) => route.InstanceId),
  'route.nat-gateway-id': ofRoutes((route) => route.NatGatewayId),
  'route.origin': ofRoutes((route) => route.Origin),
  'route.state': ofRoutes((route) => route.State),
  'route.vpc-peering-connection-id': ofRoutes((route) => route.VpcPeeringConnectionId),
  'vpc-id': (table) => table.VpcId,
}
