/**
 * Which destinations off this host an instance may reach. Everything that is not listed is dropped.
 * Pure.
 *
 * Allowed are its VPC on other hosts, whatever goes out by a default route, and the networks in the
 * setting `network.reach`. A default route is matched by its link and its gateway. So a network
 * that is directly connected to the host needs no rule to be refused: neighbours on the host's
 * links, containers on a bridge, management networks. A default route without a gateway, such as a
 * tunnel's, cannot be told from these. There the connected networks are refused by address.
 */
import type { Cidr, Ipv4 } from '../model/addr.ts'
import { cidr, cidrContains, formatCidr } from '../model/addr.ts'
import type { HostRouting } from '../model/host-routing.ts'
import { type Networks, networks } from './networks.ts'
import { chain, type NftObject, set } from './nft-tables.ts'
import { ACCEPT, drop } from './nft-text.ts'

export interface ReachSettings {
  /** Networks that instances may reach besides (`network.reach`). */
  readonly reach: readonly Cidr[]
  /** Networks of floating IPs, which may lead to instances on other hosts. */
  readonly pools: readonly Cidr[]
  /** Addresses of the database and the broker. Only `network.reach` can allow them. */
  readonly engines: readonly Ipv4[]
}

/** Never routed (RFC 6890): this network, loopback, link-local, multicast, reserved, broadcast. */
const MARTIANS = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'].map(
  cidr,
)

/** Sets, and the chain that uses them. */
interface ReachRules {
  readonly sets: readonly NftObject[]
  readonly chain: NftObject
}

/**
 * Rules for packets from an instance to a link that is no NIC. `openPorts` matches the ports of
 * hosts that are open to instances; `more` has lines of others: the first ones, and those before
 * whatever leaves the VPCs.
 */
export function reachRules(
  settings: ReachSettings,
  routing: HostRouting,
  vpcs: Networks,
  openPorts: readonly string[],
  more: { readonly first: readonly string[]; readonly outwards: readonly string[] },
): ReachRules {
  const reach = networks('reach', [...settings.reach, ...settings.pools])
  const martians = networks('martians', MARTIANS)
  const connected = networks('connected', routing.connected)
  const gateways = routing.defaultRoutes.flatMap(({ link, gateway }) =>
    gateway === null ? [] : [`"${link}" . ${gateway}`],
  )
  const tunnels = routing.defaultRoutes.flatMap(({ link, gateway }) =>
    gateway === null ? [`"${link}"`] : [],
  )
  const into = ({ match }: Networks, rest: string) =>
    match('ip daddr').map((there) => `${there} ${rest}`)
  return {
    sets: [
      ...reach.sets,
      set('engines', ['type ipv4_addr'], settings.engines),
      ...martians.sets,
      set('gateways', ['type ifname . ipv4_addr'], gateways),
      set('tunnels', ['type ifname'], tunnels),
      ...connected.sets,
    ],
    chain: chain('leave_host', [
      ...more.first,
      // To instances on other hosts, whose next hop is always a peer.
      ...into(vpcs, `rt ip nexthop @peers ${ACCEPT}`),
      ...into(vpcs, drop('reach')),
      ...more.outwards,
      // Masqueraded, the packet would have this host's address, which other hosts and the engines
      // trust.
      ...openPorts.map((ports) => `ip daddr @peers ${ports} ${ACCEPT}`),
      `ip daddr @peers ${drop('host')}`,
      ...into(reach, ACCEPT),
      `ip daddr @engines ${drop('reach')}`,
      ...into(martians, drop('reach')),
      `oifname . rt ip nexthop @gateways ${ACCEPT}`,
      ...into(connected, drop('reach')),
      `oifname @tunnels ${ACCEPT}`,
      drop('reach'),
    ]),
  }
}

/** Whether an instance reaches a destination, and why, as the end of a sentence. */
export interface ReachJudgement {
  readonly passes: boolean
  readonly why: string
}

/**
 * The same answer as the chain `leave_host` gives, for a destination that is neither in a VPC nor
 * a host. Of the host's routes it knows the default routes and the connected networks.
 */
export function judgeReach(
  destination: Ipv4,
  { reach, pools, engines }: ReachSettings,
  { connected, defaultRoutes }: HostRouting,
): ReachJudgement {
  const among = (nets: readonly Cidr[]) => nets.find((net) => cidrContains(net, destination))
  const allowed = among(reach)
  if (allowed !== undefined)
    return { passes: true, why: `the setting network.reach has ${formatCidr(allowed)}` }
  if (among(pools) !== undefined)
    return { passes: true, why: 'a pool of floating IPs (network.pools) has it' }
  if (engines.includes(destination))
    return { passes: false, why: 'it is the database or the broker, and not in network.reach' }
  const martian = among(MARTIANS)
  if (martian !== undefined)
    return { passes: false, why: `${formatCidr(martian)} is never routed (RFC 6890)` }
  const near = among(connected)
  if (near !== undefined) {
    // The next hop to a neighbour is the neighbour itself.
    if (defaultRoutes.some(({ gateway }) => gateway === destination))
      return { passes: true, why: "it is the gateway of the host's default route" }
    const why = `it is in ${formatCidr(near)}, a network of the host itself that the setting network.reach does not have`
    return { passes: false, why }
  }
  const [route] = defaultRoutes
  if (route === undefined) return { passes: false, why: 'the host has no default route' }
  const { link, gateway } = route
  const by = gateway === null ? `on ${link}` : `by ${gateway} on ${link}`
  return { passes: true, why: `the default route of the host goes ${by}` }
}
