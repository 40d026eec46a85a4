/**
 * Peers of the VPC in the machine's own network namespace: which subnets of it have routes to them.
 * Pure.
 *
 * The range of a peer is chosen by a tenant, and the machine may have the same one in its network.
 * So nothing of the machine changes for it: a packet takes the link to the peer only if a route of
 * its subnet leads there, by a routing table of the subnet (`host/network/router-routes.ts`), and
 * what the subnet gets from that range must have come by the link. `route-rules.ts` judges both
 * again, and `peering-rules.ts` keeps all else off the link.
 */
import { type Cidr, cidrContains, cidrHolds, type Ipv4 } from '../model/addr.ts'
import type { PeeredVpc, RoutedPeer } from '../model/peering.ts'
import type { RouterRoutes, SubnetRoutes } from '../model/router-routes.ts'
import { transitOf } from '../model/transit.ts'
import type { HostWant, SharedWant } from '../model/want.ts'
import type { RouteWant, WayOut } from '../model/ways-out.ts'
import { routeTo } from './routes.ts'

/** What the routing tables of the subnets say of peers: nothing for a subnet without a route. */
export function routesToPeers({ shared, routedPeers = [] }: HostWant): RouterRoutes['toPeers'] {
  return shared.subnets.flatMap((subnet) => {
    const routes = routedPeers.flatMap((peer) =>
      isOf(subnet, peer) ? routesInto(peer, subnet.routes) : [],
    )
    return routes.some(({ to }) => to !== null) ? [{ cidr: subnet.cidr, routes }] : []
  })
}

/** The subnets that have a route to some addresses of the peer. */
export function subnetsLedTo(
  peer: RoutedPeer,
  { subnets }: Pick<SharedWant, 'subnets'>,
): readonly Cidr[] {
  return subnets.flatMap((subnet) =>
    isOf(subnet, peer) && routesInto(peer, subnet.routes).some(({ to }) => to !== null)
      ? [subnet.cidr]
      : [],
  )
}

function isOf({ vpc }: SharedWant['subnets'][number], { own }: RoutedPeer): boolean {
  return vpc === own
}

/** The routes of a subnet to the peer, and those to others within its range. */
function routesInto(
  peer: RoutedPeer,
  routes: readonly RouteWant[] | undefined,
): SubnetRoutes['routes'] {
  const { cidr, link, network } = peer
  const to = { link, via: transitOf(network).address }
  if (routes === undefined) return [{ destination: cidr, to }]
  // The longest prefix is the first.
  const around = routes.find(({ destination }) => cidrHolds(destination, cidr))
  const inside = routes.filter(
    ({ destination }) => cidrHolds(cidr, destination) && destination.prefix > cidr.prefix,
  )
  return [
    ...(isTo(peer, around?.to) ? [{ destination: cidr, to }] : []),
    ...inside.map((route) => ({
      destination: route.destination,
      to: isTo(peer, route.to) ? to : null,
    })),
  ]
}

function isTo({ id }: Pick<PeeredVpc, 'id'>, way: WayOut | undefined): boolean {
  return way?.kind === 'peering' && way.peering === id
}

/** Whether a subnet with these routes has one to this address of the peer. */
export function leadsToPeer(
  ip: Ipv4,
  routes: readonly RouteWant[] | undefined,
  peer: Pick<PeeredVpc, 'id'>,
): boolean {
  return routes === undefined || isTo(peer, routeTo(ip, routes)?.to)
}

/** The peer to which a subnet with these routes is led at this address; undefined: none. */
export function routedPeerAt(
  ip: Ipv4,
  routes: readonly RouteWant[] | undefined,
  peers: readonly RoutedPeer[],
): RoutedPeer | undefined {
  return peers.find((peer) => cidrContains(peer.cidr, ip) && leadsToPeer(ip, routes, peer))
}
