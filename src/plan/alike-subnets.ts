/** Subnets with the same routes, which share the chains of their rules. Pure. */
import { type Cidr, formatCidr } from '../model/addr.ts'
import type { RouteWant, WayOut } from '../model/ways-out.ts'
import { type Networks, networks } from './networks.ts'

interface RoutedSubnet {
  readonly cidr: Cidr
  readonly routes: readonly RouteWant[]
}

/** Subnets with the same routes. */
export interface AlikeSubnets<Subnet extends RoutedSubnet = RoutedSubnet> {
  /** Tells them from others of the same call. */
  readonly name: string
  readonly members: readonly Subnet[]
  readonly routes: readonly RouteWant[]
  /** Matches of their addresses. */
  readonly subnets: Networks
}

/** The subnets by their routes. `prefix` begins the names of the sets that match them. */
export function alikeSubnets<Subnet extends RoutedSubnet>(
  subnets: readonly Subnet[],
  prefix: string,
): readonly AlikeSubnets<Subnet>[] {
  return [...Map.groupBy(subnets, ({ routes }) => JSON.stringify(routes))]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, members], index) => ({
      name: `${index}`,
      members,
      routes: members[0]?.routes ?? [],
      subnets: networks(
        `${prefix}_${index}`,
        members.map(({ cidr }) => cidr),
      ),
    }))
}

/**
 * A line for each route, in their order (the longest prefix is the first): what is done with a
 * packet whose address in this field is in the route's destination.
 */
export function routeLines(
  routes: readonly RouteWant[],
  field: string,
  verdict: (to: WayOut) => string,
): readonly string[] {
  return routes.map(({ destination, to }) => `${destinedTo(destination, field)}${verdict(to)}`)
}

/** The match of a route's destination, with a space behind it; of the default route none. */
export function destinedTo(destination: Cidr, field: string): string {
  return destination.prefix === 0 ? '' : `${field} ${formatCidr(destination)} `
}
