/**
 * Which way out of its VPC a subnet has, and what its network ACL says: from the records, and for
 * a packet. Pure.
 */
import { type Cidr, cidrContains, cidrHolds, formatCidr, type Ipv4 } from '../model/addr.ts'
import type { RouteTableId, SubnetId } from '../model/ids.ts'
import { byNumber, isOpen, type NetworkAcl } from '../model/network-acl.ts'
import type { Subnet } from '../model/records.ts'
import { byDestination, type Route, type RouteTarget } from '../model/route-table.ts'
import type { VpcRouting } from '../model/vpc-routing.ts'
import type { AclWant, RouteWant, SharedWant, WayOut } from '../model/want.ts'

/** A route with the record that it comes from. */
export interface SubnetRoute extends RouteWant {
  readonly table: RouteTableId
  readonly target: RouteTarget
}

/** The table that a subnet goes by; undefined for a VPC that an older daemon made. */
export function tableOf(
  subnet: SubnetId,
  { associations }: Pick<VpcRouting, 'associations'>,
): RouteTableId | undefined {
  const own = associations.find((one) => one.subnet === subnet)
  return (own ?? associations.find((one) => one.subnet === null))?.table
}

/**
 * The ways out of a subnet, in the order in which they are looked at; undefined for a VPC that an
 * older daemon made, which has a way out. `local` is not among them.
 */
export function routesOf(
  subnet: SubnetId,
  routing: VpcRouting | undefined,
): readonly SubnetRoute[] | undefined {
  if (routing === undefined) return undefined
  const table = tableOf(subnet, routing)
  // Tables that nothing leads to: what does could not be read.
  if (table === undefined) return routing.tables.length === 0 ? undefined : []
  const own = routing.routes.filter((route) => route.table === table)
  const routes = own.flatMap((route) => waysOf(route, own, routing))
  return byDestination(routes)
}

/** What a route means. One to a NAT gateway goes on by the routes of the gateway's subnet. */
function waysOf(route: Route, own: readonly Route[], routing: VpcRouting): readonly SubnetRoute[] {
  const { destination, table, target } = route
  const way = (to: WayOut, at: Cidr = destination) => ({ destination: at, to, table, target })
  const gateway =
    target.kind === 'nat-gateway'
      ? routing.natGateways.find(({ id }) => id === target.id)
      : undefined
  if (gateway === undefined) return [way(wayOf(target, routing))]
  const onwards = tableOf(gateway.subnet, routing)
  const further = byDestination(routing.routes.filter((one) => one.table === onwards))
  const onward = (one: Route | undefined): WayOut =>
    one !== undefined && wayOf(one.target, routing).kind === 'internet'
      ? { kind: 'nat' }
      : { kind: 'blackhole' }
  const around = further.find((one) => cidrHolds(one.destination, destination))
  const inside = further.filter(
    (one) =>
      cidrHolds(destination, one.destination) &&
      one.destination.prefix > destination.prefix &&
      // There a route of the subnet's own table is more specific.
      !own.some(
        (other) =>
          other.destination.prefix > destination.prefix &&
          cidrHolds(other.destination, one.destination),
      ),
  )
  return [way(onward(around)), ...inside.map((one) => way(onward(one), one.destination))]
}

/** Where a target that is no NAT gateway leads. */
function wayOf(target: RouteTarget, { internetGateways }: VpcRouting): WayOut {
  switch (target.kind) {
    case 'internet-gateway':
      return {
        kind: internetGateways.some(({ id }) => id === target.id) ? 'internet' : 'blackhole',
      }
    case 'peering':
      return { kind: 'peering', peering: target.id }
    case 'nat-gateway':
    case 'unknown':
      return { kind: 'blackhole' }
  }
}

/** Whether a route's own target is still there. */
export function isActive({ target }: Pick<Route, 'target'>, routing: VpcRouting): boolean {
  if (target.kind === 'nat-gateway') return routing.natGateways.some(({ id }) => id === target.id)
  return wayOf(target, routing).kind !== 'blackhole'
}

/** The ACL of a subnet: its own, or the default one of its VPC. Undefined in an older VPC. */
export function aclOf(
  subnet: SubnetId,
  { acls, aclAssociations }: Pick<VpcRouting, 'acls' | 'aclAssociations'>,
): NetworkAcl | undefined {
  const own = aclAssociations.find((one) => one.subnet === subnet)?.acl
  return acls.find(({ id, isDefault }) => (own === undefined ? isDefault : id === own))
}

/** What the records say of a subnet's ways out and its ACL, as its want has it. */
export function subnetRouting(
  { id }: Pick<Subnet, 'id'>,
  routing: VpcRouting | undefined,
): { readonly routes?: readonly RouteWant[]; readonly acl?: AclWant } {
  if (routing === undefined) return {}
  const routes = routesOf(id, routing)?.map(({ destination, to }) => ({ destination, to }))
  const acl = aclWant(id, routing)
  return {
    ...(routes === undefined ? {} : { routes }),
    ...(acl === undefined ? {} : { acl }),
  }
}

/** Undefined when everything passes. */
function aclWant(subnet: SubnetId, routing: VpcRouting): AclWant | undefined {
  const acl = aclOf(subnet, routing)
  if (acl === undefined) return undefined
  const entries = routing.aclEntries.filter((entry) => entry.acl === acl.id)
  if (isOpen(entries)) return undefined
  const rules = byNumber(entries).map(({ acl: _acl, vpc: _vpc, ...rule }) => rule)
  return { id: acl.id, rules }
}

/** The route that a packet to this address takes; undefined when there is none. */
export function routeTo<T extends RouteWant>(
  destination: Ipv4,
  routes: readonly T[],
): T | undefined {
  // The longest prefix is the first.
  return routes.find((route) => cidrContains(route.destination, destination))
}

/** The subnets of a want by id. */
export function subnetsById({ subnets }: SharedWant) {
  return new Map(subnets.map((subnet) => [subnet.id, subnet]))
}

/** A route in words. */
export function routeText({ destination, target, table }: SubnetRoute): string {
  return `route ${formatCidr(destination)} of ${table} to ${target.id}`
}
