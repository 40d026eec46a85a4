/**
 * What an instance reaches beyond its host's other NICs: a list, and nothing else. Pure.
 *
 * Its VPC on other hosts, the world out through a default route, and what `network.reach` names. A
 * way out is a link together with its gateway, so whatever the kernel routes otherwise is refused
 * without being known: neighbours on a link of the host, containers on a bridge, management
 * networks, a network that was plugged in a moment ago. Where a default route has no gateway, as
 * through a tunnel, the networks that are directly connected are left out by name.
 */
import type { Cidr, Ipv4 } from '../model/addr.ts'
import { cidr } from '../model/addr.ts'
import type { Surroundings } from '../model/host-routing.ts'
import { type Networks, networks } from './networks.ts'
import { block, drop, PASS, set } from './nft-text.ts'

export interface ReachSettings {
  /** Networks that instances reach although the list does not have them. */
  readonly reach: readonly Cidr[]
  /** Database and broker: never reached by way of the world. */
  readonly engines: readonly Ipv4[]
}

/**
 * This network, loopback, link-local, multicast, reserved and broadcast (RFC 6890): nobody's way
 * leads there.
 */
const NOWHERE = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'].map(
  cidr,
)

/** Sets, and the chain that looks into them. */
interface ReachRules {
  readonly sets: readonly string[]
  readonly chain: readonly string[]
}

/**
 * For what is from an instance, to a link that is no NIC. `openPorts` matches the ports of hosts
 * that are open to instances.
 */
export function reachRules(
  settings: ReachSettings,
  around: Surroundings,
  vpcs: Networks,
  openPorts: readonly string[],
): ReachRules {
  const reach = networks('reach', settings.reach)
  const nowhere = networks('nowhere', NOWHERE)
  const connected = networks('connected', around.connected)
  const gated = around.ways.flatMap(({ link, gateway }) =>
    gateway === null ? [] : [`"${link}" . ${gateway}`],
  )
  const open = around.ways.flatMap(({ link, gateway }) => (gateway === null ? [`"${link}"`] : []))
  const into = ({ match }: Networks, rest: string) =>
    match('ip daddr').map((there) => `${there} ${rest}`)
  return {
    sets: [
      ...reach.sets,
      ...set('engines', ['type ipv4_addr'], settings.engines),
      ...nowhere.sets,
      ...set('ways', ['type ifname . ipv4_addr'], gated),
      ...set('open_ways', ['type ifname'], open),
      ...connected.sets,
    ],
    chain: block('chain beyond', [
      // To instances on other hosts, whose next hop is always a peer.
      ...into(vpcs, `rt ip nexthop @peers ${PASS}`),
      ...into(vpcs, drop('reach')),
      // Masqueraded it would look like this host itself, whom the engines and the fabric of the
      // others trust.
      ...openPorts.map((ports) => `ip daddr @peers ${ports} ${PASS}`),
      `ip daddr @peers ${drop('host')}`,
      ...into(reach, PASS),
      `ip daddr @engines ${drop('reach')}`,
      ...into(nowhere, drop('reach')),
      `oifname . rt ip nexthop @ways ${PASS}`,
      ...into(connected, drop('reach')),
      `oifname @open_ways ${PASS}`,
      drop('reach'),
    ]),
  }
}
