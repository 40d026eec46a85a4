/**
 * NICs whose source and destination are not checked (EC2's `SourceDestCheck`), as nft rules: their
 * instances may be routers, so they send what is from others and get what is for others. Pure.
 *
 * - Such a NIC still has one link and one Ethernet address. It may not send as a host, as a service
 *   or as another VPC, nor to the host itself as somebody else.
 * - What it forwards is judged by its own groups: its link says whose they are, as the addresses
 *   are those of others.
 * - What is from others never leaves the VPC: outside nobody could answer it.
 *
 * Without such NICs there are no rules.
 */
import { type Cidr, cidr, formatCidr } from '../model/addr.ts'
import { nicLinkName } from '../model/names.ts'
import { TRANSIT_RANGE } from '../model/transit.ts'
import { addressesOf, type HostWant, type NicWant } from '../model/want.ts'
import type { Networks } from './networks.ts'
import { chain, map, type NftObject, set } from './nft-tables.ts'
import { ACCEPT_VERIFIED, drop } from './nft-text.ts'
import { subnetsLedTo } from './routed-peers.ts'
import { FORWARDED, isRouter, type RouterRouteRules, routerRouteRules } from './router-routes.ts'

/** Chains and sets of the main table, and lines for its chains. */
export interface RouterRules {
  readonly objects: readonly NftObject[]
  /** Of what comes from a NIC and has none of its addresses as source. */
  readonly fromNic: readonly string[]
  /** Of what a NIC sends out of the VPC. */
  readonly leaving: readonly string[]
  /** Of routes to them. Its objects are among those above. */
  readonly routes: RouterRouteRules
}

/** Sources that no packet may have (RFC 6890), and those of links to VPCs. */
const NOBODY: readonly Cidr[] = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'].map(cidr),
  TRANSIT_RANGE,
]

/** The rules for these NICs of a namespace. */
export function routerRules(
  { shared, routedPeers = [] }: Pick<HostWant, 'shared' | 'routedPeers'>,
  nics: readonly NicWant[],
  vpcs: Networks,
): RouterRules {
  const routers = nics.filter(isRouter)
  const routes = routerRouteRules({ shared }, nics)
  if (routers.length === 0) return { objects: routes.objects, fromNic: [], leaving: [], routes }
  const own = routers.flatMap((nic) => addressesOf(nic).map((ip) => `${linkOf(nic)} . ${ip}`))
  const byVpc = [...Map.groupBy(routers, ({ vpc }) => vpc)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const peers = shared.peers.length === 0 ? [] : [`ip saddr @peers ${drop('spoofed')}`]
  const ofPeers = routedPeers.flatMap((peer) =>
    subnetsLedTo(peer, shared).map(
      (led) => `ip saddr ${formatCidr(peer.cidr)} ip daddr ${formatCidr(led)} ${drop('spoofed')}`,
    ),
  )
  return {
    objects: [
      set('router_links', ['type ifname'], routers.map(linkOf)),
      set('router_sources', ['type ifname . ipv4_addr'], own),
      ...byVpc.flatMap(([, some], at) => [
        set(
          `routers_${at}`,
          ['type ifname . ether_addr'],
          some.map((nic) => `${linkOf(nic)} . ${nic.mac}`),
        ),
        chain(`from_router_${at}`, [
          `ip daddr @services ${drop('spoofed')}`,
          `fib daddr type { local, broadcast, multicast } ${drop('spoofed')}`,
          `fib saddr type local ${drop('spoofed')}`,
          // Not a set of networks, which packets may see empty (`networks.ts`).
          ...NOBODY.map((net) => `ip saddr ${formatCidr(net)} ${drop('spoofed')}`),
          ...peers,
          ...some
            .slice(0, 1)
            .flatMap((nic) => [nic.vpcCidr, ...(nic.moreVpcCidrs ?? [])])
            .map((range) => `ip saddr ${formatCidr(range)} ${ACCEPT_VERIFIED}`),
          ...vpcs.match('ip saddr').map((others) => `${others} ${drop('spoofed')}`),
          ...ofPeers,
          ACCEPT_VERIFIED,
        ]),
      ]),
      ...routes.objects,
    ],
    routes,
    fromNic: byVpc.map(
      ([, _some], at) => `iifname . ether saddr @routers_${at} goto from_router_${at}`,
    ),
    leaving: [FORWARDED],
  }
}

/**
 * The map from the links of such NICs to the chains of their groups, and the line that uses it.
 * `chainOf` names the chain of a NIC.
 */
export function routerVerdicts(
  nics: readonly NicWant[],
  direction: 'egress' | 'ingress',
  chainOf: (nic: NicWant) => string,
): { readonly objects: readonly NftObject[]; readonly lines: readonly string[] } {
  const routers = nics.filter(isRouter)
  if (routers.length === 0) return { objects: [], lines: [] }
  const name = `router_${direction}`
  const elements = routers.map((nic) => `${linkOf(nic)} : goto ${chainOf(nic)}`)
  const link = direction === 'egress' ? 'iifname' : 'oifname'
  return {
    objects: [map(name, 'type ifname : verdict', elements)],
    lines: [`${link} vmap @${name}`],
  }
}

/** The first address of each of these NICs, by its link. */
export function routerSenders(nics: readonly NicWant[]): readonly string[] {
  return nics.filter(isRouter).map((nic) => `${linkOf(nic)} : ${nic.ip}`)
}

function linkOf({ id }: Pick<NicWant, 'id'>): string {
  return `"${nicLinkName(id)}"`
}
