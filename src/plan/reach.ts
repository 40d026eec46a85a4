/**
 * What an instance reaches beyond its host's other NICs: a list, and nothing else. Pure.
 *
 * Its VPC on other hosts, the world out through a default route, and what `network.reach` names. A way out is a link together with
 * its gateway, so whatever the kernel routes otherwise is refused without being known: neighbours on a link of the host, containers on
 * a bridge, management networks, a network that was plugged in a moment ago. Where a default route has no gateway, as through a
 * tunnel, the networks that are directly connected are left out by name.
 */
import type { Cidr, Ipv4 } from '../model/addr.ts'
import { formatCidr } from '../model/addr.ts'
import type { Surroundings } from '../model/surroundings.ts'
import { block, drop, PASS, set } from './nft-text.ts'

export interface ReachSettings {
  /** Networks that instances reach although the list does not have them. */
  readonly reach: readonly Cidr[]
  /** Database and broker: never reached by way of the world. */
  readonly engines: readonly Ipv4[]
}

/** This network, loopback, link-local, multicast, reserved and broadcast (RFC 6890): nobody's way leads there. */
const NOWHERE = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4']

/** The sets that `beyondChain` looks into. */
export function reachSets(settings: ReachSettings, around: Surroundings): readonly string[] {
  const networks = ['type ipv4_addr', 'flags interval', 'auto-merge']
  const gated = around.ways.flatMap(({ link, gateway }) =>
    gateway === null ? [] : [`"${link}" . ${gateway}`],
  )
  const open = around.ways.flatMap(({ link, gateway }) => (gateway === null ? [`"${link}"`] : []))
  return [
    ...set('reach', networks, settings.reach.map(formatCidr)),
    ...set('engines', ['type ipv4_addr'], settings.engines),
    ...set('nowhere', networks, NOWHERE),
    ...set('ways', ['type ifname . ipv4_addr'], gated),
    ...set('open_ways', ['type ifname'], open),
    ...set('connected', networks, around.connected.map(formatCidr)),
  ]
}

/** From an instance, to a link that is no NIC. `openPorts` matches the ports of hosts that are open to instances. */
export function beyondChain(openPorts: readonly string[]): readonly string[] {
  return block('chain beyond', [
    // To instances on other hosts, whose next hop is always a peer.
    `ip daddr @vpcs rt ip nexthop @peers ${PASS}`,
    `ip daddr @vpcs ${drop('reach')}`,
    // Masqueraded it would look like this host itself, whom the engines and the fabric of the others trust.
    ...openPorts.map((ports) => `ip daddr @peers ${ports} ${PASS}`),
    `ip daddr @peers ${drop('host')}`,
    `ip daddr @reach ${PASS}`,
    `ip daddr @engines ${drop('reach')}`,
    `ip daddr @nowhere ${drop('reach')}`,
    `oifname . rt ip nexthop @ways ${PASS}`,
    `ip daddr != @connected oifname @open_ways ${PASS}`,
    drop('reach'),
  ])
}
