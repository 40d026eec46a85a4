/**
 * Which way out of its VPC a subnet has, and what its network ACL says: from the records, and for
 * a packet. Pure.
 */
import { type Cidr, cidrContains, cidrHolds, formatCidr, type Ipv4 } from '../model/addr.ts'
import type { HostName, NicId, PeeringId, RouteTableId, SubnetId } from '../model/ids.ts'
import { byNumber, isOpen, type NetworkAcl } from '../model/network-acl.ts'
import { type ActivePeering, usablePeerings } from '../model/peering.ts'
import type { Nic, PlacedNic, Subnet, Vpc } from '../model/records.ts'
import {
  byDestination,
  type NatGateway,
  type Route,
  type RouteTarget,
} from '../model/route-table.ts'
import type { VpcRouting } from '../model/vpc-routing.ts'
import type { AclWant, SharedWant } from '../model/want.ts'
import type { RouteWant, WayOut } from '../model/ways-out.ts'

/** What tells of a NIC whether a route leads to it. */
type RouteNic = Pick<Nic, 'vpc' | 'ip' | 'attachment' | 'sourceDestCheck'>

/** What routes lead to, beside gateways of the VPC. */
export interface RouteEnds {
  /** Those that are attached to an instance. */
  readonly nics: ReadonlyMap<NicId, RouteNic>
  /** The active ones. */
  readonly peerings: ReadonlySet<PeeringId>
}

/** The same, with the hosts of the NICs. */
export interface PlacedEnds extends RouteEnds {
  readonly nics: ReadonlyMap<NicId, RouteNic & Pick<PlacedNic, 'host'>>
}

/** Of routes that lead to gateways only. */
export const NO_ENDS: PlacedEnds = { nics: new Map(), peerings: new Set() }

/** The ends of the routes of these records. */
export function routeEnds({
  routing,
  nics,
  peerings,
  vpcs,
}: {
  readonly routing: readonly Pick<VpcRouting, 'routes'>[]
  readonly nics: readonly PlacedNic[]
  readonly peerings: readonly ActivePeering[]
  readonly vpcs: readonly Vpc[]
}): PlacedEnds {
  const targets = new Set<string>(
    routing.flatMap(({ routes }) =>
      routes.flatMap(({ target }) => (target.kind === 'network-interface' ? target.id : [])),
    ),
  )
  const found = targets.size === 0 ? [] : nics.filter(({ id }) => targets.has(id))
  return {
    nics: new Map(found.map((nic) => [nic.id, nic])),
    peerings: new Set(usablePeerings(peerings, vpcs).map(({ id }) => id)),
  }
}

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
  ends: RouteEnds,
): readonly SubnetRoute[] | undefined {
  if (routing === undefined) return undefined
  const table = tableOf(subnet, routing)
  // Tables that nothing leads to: what does could not be read.
  if (table === undefined) return routing.tables.length === 0 ? undefined : []
  const own = routing.routes.filter((route) => route.table === table)
  const routes = own.flatMap((route) => waysOf(route, own, { ...routing, ends }))
  return byDestination(routes)
}

/** The records of a VPC, and what its routes lead to. */
interface Known extends VpcRouting {
  readonly ends: RouteEnds
}

/** What a route means. One to a NAT gateway goes on by the routes of the gateway's subnet. */
function waysOf(route: Route, own: readonly Route[], routing: Known): readonly SubnetRoute[] {
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
      ? wayBy(gateway)
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

/** The way out by a NAT gateway. Without the address that it should have there is none. */
function wayBy({ id, address }: NatGateway): WayOut {
  if (address === undefined) return { kind: 'nat' }
  if (address.ip === null) return { kind: 'blackhole' }
  return { kind: 'nat-address', gateway: id, ip: address.ip }
}

/** Where a target that is no NAT gateway leads. */
function wayOf(target: RouteTarget, { vpc, internetGateways, ends }: Known): WayOut {
  switch (target.kind) {
    case 'internet-gateway':
      return {
        kind: internetGateways.some(({ id }) => id === target.id) ? 'internet' : 'blackhole',
      }
    case 'peering':
      return ends.peerings.has(target.id)
        ? { kind: 'peering', peering: target.id }
        : { kind: 'blackhole' }
    case 'network-interface': {
      const nic = ends.nics.get(target.id)
      return isAttached(nic, vpc) && nic.sourceDestCheck === false
        ? { kind: 'nic', nic: target.id, ip: nic.ip }
        : { kind: 'blackhole' }
    }
    case 'nat-gateway':
    case 'unknown':
      return { kind: 'blackhole' }
  }
}

/** Whether packets may pass it: it is of the VPC, and nobody has asked for its detachment. */
function isAttached(nic: RouteNic | undefined, vpc: VpcRouting['vpc']): nic is RouteNic {
  return nic !== undefined && nic.vpc === vpc && nic.attachment?.isEnding !== true
}

/**
 * Whether a route's own target is still there. One that checks the source of packets is, although
 * it gets none.
 */
export function isActive(
  { target }: Pick<Route, 'target'>,
  routing: VpcRouting,
  ends: RouteEnds,
): boolean {
  if (target.kind === 'nat-gateway') return routing.natGateways.some(({ id }) => id === target.id)
  if (target.kind === 'network-interface') return isAttached(ends.nics.get(target.id), routing.vpc)
  return wayOf(target, { ...routing, ends }).kind !== 'blackhole'
}

/** The ACL of a subnet: its own, or the default one of its VPC. Undefined in an older VPC. */
export function aclOf(
  subnet: SubnetId,
  { acls, aclAssociations }: Pick<VpcRouting, 'acls' | 'aclAssociations'>,
): NetworkAcl | undefined {
  const own = aclAssociations.find((one) => one.subnet === subnet)?.acl
  return acls.find(({ id, isDefault }) => (own === undefined ? isDefault : id === own))
}

/**
 * What the records say of a subnet's ways out and its ACL, as its want has it. `viaOf` gives the
 * next hop to another host; undefined: it is this one; null: there is none.
 */
export function subnetRouting(
  { id }: Pick<Subnet, 'id'>,
  routing: VpcRouting | undefined,
  ends: PlacedEnds,
  viaOf: (host: HostName) => Ipv4 | null | undefined,
): { readonly routes?: readonly RouteWant[]; readonly acl?: AclWant } {
  if (routing === undefined) return {}
  const placed = (to: WayOut): WayOut => {
    if (to.kind !== 'nic' && to.kind !== 'nat-address') return to
    const host =
      to.kind === 'nic'
        ? ends.nics.get(to.nic)?.host
        : routing.natGateways.find(({ id }) => id === to.gateway)?.address?.carrier
    const via = host === undefined || host === null ? null : viaOf(host)
    if (via === null) return { kind: 'blackhole' }
    return via === undefined ? to : { ...to, via }
  }
  const routes = routesOf(id, routing, ends)?.map(({ destination, to }) => ({
    destination,
    to: placed(to),
  }))
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
