/**
 * Route tables, what their routes lead to, and the gateways that they may lead to. Pure.
 *
 * Each subnet goes by the table that it is associated with, or by the main table of its VPC.
 * Every table has the route to its own VPC (`local`). It always counts first, so it is no record.
 * https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
 */
import type { Cidr, Ipv4 } from './addr.ts'
import {
  type AccountId,
  type HostName,
  type InternetGatewayId,
  type NatGatewayId,
  type NicId,
  type PeeringId,
  parseId,
  type RouteTableAssociationId,
  type RouteTableId,
  type SubnetId,
  type VpcId,
} from './ids.ts'

/**
 * What a route leads to. In the records it is the id, whose prefix says the kind. So a new kind
 * takes a member here, a line in `parseRouteTarget`, and its meaning in `plan/routes.ts`
 * (`wayOf`), in `api/networks/route-targets.ts` and in `api/views/route-table.ts`.
 */
export type RouteTarget =
  | { readonly kind: 'internet-gateway'; readonly id: InternetGatewayId }
  | { readonly kind: 'nat-gateway'; readonly id: NatGatewayId }
  | { readonly kind: 'peering'; readonly id: PeeringId }
  /** A NIC of an instance that is a router. */
  | { readonly kind: 'network-interface'; readonly id: NicId }
  /** Only a newer daemon knows it. Here it is a blackhole. */
  | { readonly kind: 'unknown'; readonly id: string }

/** The target with this id; undefined when the text is no id. */
export function parseRouteTarget(id: string): RouteTarget | undefined {
  const internetGateway = parseId('igw', id)
  if (internetGateway !== undefined) return { kind: 'internet-gateway', id: internetGateway }
  const natGateway = parseId('nat', id)
  if (natGateway !== undefined) return { kind: 'nat-gateway', id: natGateway }
  const peering = parseId('pcx', id)
  if (peering !== undefined) return { kind: 'peering', id: peering }
  const nic = parseId('eni', id)
  if (nic !== undefined) return { kind: 'network-interface', id: nic }
  return /^[a-z]{1,16}-[0-9a-f]{17}$/.test(id) ? { kind: 'unknown', id } : undefined
}

/** The way out of at most one VPC. */
export interface InternetGateway {
  readonly id: InternetGatewayId
  readonly account: AccountId
  /** Null: it is attached to no VPC. A VPC has at most one. */
  readonly vpc: VpcId | null
}

/**
 * A way out with the gateway's floating IP or, if it has none, with the address of each instance's
 * own host, also for instances with a floating IP. It goes on as its subnet's own routes say.
 */
export interface NatGateway {
  readonly id: NatGatewayId
  readonly account: AccountId
  readonly vpc: VpcId
  readonly subnet: SubnetId
  readonly createdAt: string
  /** Absent: it has none, and needs no host in particular. */
  readonly address?: NatGatewayAddress
}

/** The floating IP of a NAT gateway. One host at a time answers for it (`plan/nat-carriers.ts`). */
export interface NatGatewayAddress {
  /** The NIC in the gateway's subnet that the floating IP leads to. No instance has it. */
  readonly nic: NicId
  /** Null: the records do not say it any more. Then nothing goes out by the gateway. */
  readonly ip: Ipv4 | null
  /** The host by which everything goes out; null: none yet. */
  readonly carrier: HostName | null
}

export interface RouteTable {
  readonly id: RouteTableId
  readonly account: AccountId
  readonly vpc: VpcId
}

/** A route beside `local`. Its target may be gone: then it is a blackhole. */
export interface Route {
  readonly table: RouteTableId
  /** The VPC of the table. */
  readonly vpc: VpcId
  /** Unique in its table. */
  readonly destination: Cidr
  readonly target: RouteTarget
}

export interface RouteTableAssociation {
  readonly id: RouteTableAssociationId
  readonly table: RouteTableId
  readonly vpc: VpcId
  /** Null: it makes the table the main one of its VPC. */
  readonly subnet: SubnetId | null
}

/** The longest prefix first, then by address: the order in which routes are looked at. */
export function byDestination<T extends { readonly destination: Cidr }>(
  routes: readonly T[],
): readonly T[] {
  return routes.toSorted(
    (a, b) =>
      b.destination.prefix - a.destination.prefix ||
      (a.destination.network < b.destination.network ? -1 : 1),
  )
}
