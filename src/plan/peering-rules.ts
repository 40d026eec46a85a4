/**
 * Rules in the namespace of a VPC for what goes to and comes from VPCs that are peered with it.
 * Pure.
 *
 * A packet from another namespace must come from an address of the peer that is routed there, and
 * go to the VPC itself. So a peer reaches neither the outside nor another peer by it. Security
 * groups are asked where the instances are: on the way there packets only pass.
 *
 * In the machine's own namespace (`routed-peers.ts`) a packet from a peer must go to an instance
 * here, and whether its source is routed there depends on the subnet of that one. The machine
 * itself neither gets nor sends anything by such a link.
 */
import { type Cidr, formatCidr, netmask } from '../model/addr.ts'
import { FABRIC_LINK } from '../model/names.ts'
import type { RoutedPeer } from '../model/peering.ts'
import type { HostWant } from '../model/want.ts'
import { chain, type NftObject } from './nft-tables.ts'
import { ACCEPT, ACCEPT_VERIFIED, ANY_NIC, ANY_PEER, drop } from './nft-text.ts'
import { subnetsLedTo } from './routed-peers.ts'

/** What the routing table says of a source, for the destination that the packet has. */
const [IS_ROUTED, IS_NOT_ROUTED] = [
  'fib saddr . iif oif exists',
  'fib saddr . iif oif missing',
] as const
/** What a router, and so a host, says of a packet that it did not pass on (RFC 1812, 4.3.3). */
const ERRORS = 'icmp type { destination-unreachable, time-exceeded, parameter-problem }'

/** Chains, and lines for those of others. */
export interface PeeringRules {
  readonly objects: readonly NftObject[]
  /** For what arrives at the namespace. */
  readonly arriving: readonly string[]
  /**
   * For what comes out of the VXLAN device and goes to the VPC or a peer; null: as without peers.
   */
  readonly fromFabric: readonly string[] | null
  /** For what the namespace passes on. */
  readonly forward: readonly string[]
  /** For packets to the namespace itself, and from it. */
  readonly input: readonly string[]
  readonly output: readonly string[]
  /** For what leaves the VPC. */
  readonly leaving: readonly string[]
}

/** Without peers. */
const NONE: PeeringRules = {
  ...{ objects: [], arriving: [], fromFabric: null, forward: [], input: [], output: [] },
  leaving: [],
}

/** The rules for the peers of a namespace. */
export function peeringRules(want: HostWant): PeeringRules {
  const { shared, peered = [], routedPeers = [] } = want
  if (routedPeers.length > 0) return routedRules(want, routedPeers)
  if (peered.length === 0) return NONE
  // A namespace is that of one VPC. These are its ranges.
  const own = shared.vpcs.map(({ cidr }) => formatCidr(cidr))
  const linked = peered.flatMap(({ link, cidr }) =>
    link === null ? [] : [{ link: `"${link}"`, net: formatCidr(cidr) }],
  )
  return {
    objects: [
      fromPeering(
        linked.flatMap(({ link, net }) =>
          own.map((range) => `iifname ${link} ip saddr ${net} ip daddr ${range}`),
        ),
        'accept',
      ),
    ],
    arriving: [`iifname ${ANY_PEER} goto from_peering`],
    fromFabric: [
      ...own.map((range) => `ip saddr ${range} ${IS_ROUTED} accept`),
      ...peered.flatMap(({ cidr }) =>
        own.map((range) => `ip saddr ${formatCidr(cidr)} ip daddr ${range} ${IS_ROUTED} accept`),
      ),
    ],
    forward: [
      `iifname ${ANY_PEER} oifname "${FABRIC_LINK}" ${ACCEPT}`,
      `iifname "${FABRIC_LINK}" oifname ${ANY_PEER} ${ACCEPT}`,
    ],
    input: [
      `iifname ${ANY_PEER} ct state established,related ${ACCEPT}`,
      `iifname ${ANY_PEER} ${drop('peering')}`,
    ],
    output: [],
    leaving: linked.map(({ link, net }) => `oifname ${link} ip daddr ${net} ${ACCEPT}`),
  }
}

/** The source check of what comes from peers. */
function fromPeering(matches: readonly string[], verdict: string): NftObject {
  return chain('from_peering', [
    `meta nfproto ipv6 ${drop('ipv6')}`,
    `ip daddr @services ${drop('service_outside')}`,
    ...matches.map((match) => `${match} ${IS_ROUTED} ${verdict}`),
    drop('peering'),
  ])
}

/** Those of the machine's own namespace. */
function routedRules(
  { shared }: Pick<HostWant, 'shared'>,
  routedPeers: readonly RoutedPeer[],
): PeeringRules {
  const peers = routedPeers.map((peer) => ({
    link: `"${peer.link}"`,
    own: formatCidr(peer.ownCidr),
    net: formatCidr(peer.cidr),
    subnets: subnetsLedTo(peer, shared),
  }))
  return {
    objects: [
      fromPeering(
        peers.map(({ link, net, own }) => `iifname ${link} ip saddr ${net} ip daddr ${own}`),
        ACCEPT_VERIFIED,
      ),
    ],
    arriving: [
      `iifname ${ANY_PEER} goto from_peering`,
      // Whom the machine's network has at such an address gets no answers.
      ...peers.flatMap(({ net, subnets }) =>
        subnets.map(
          (led) =>
            `ip saddr ${net} ip daddr ${formatCidr(led)} ${IS_NOT_ROUTED} ${drop('spoofed_outside')}`,
        ),
      ),
    ],
    fromFabric: null,
    forward: [
      `iifname ${ANY_PEER} oifname != ${ANY_NIC} ${drop('peering')}`,
      `oifname ${ANY_PEER} iifname != ${ANY_NIC} ${drop('peering')}`,
    ],
    input: [`iifname ${ANY_PEER} ${drop('peering')}`],
    // The kernel sends an error to whom the machine's network has at the address of the peer.
    output: [
      ...peers.flatMap(({ net, subnets }) =>
        subnets.map((led) => `ip daddr ${net} ${ERRORS} ${about(led)} ${drop('peering')}`),
      ),
      `oifname ${ANY_PEER} ${drop('peering')}`,
    ],
    leaving: [
      ...peers.map(
        ({ link, net, own }) => `oifname ${link} ip saddr ${own} ip daddr ${net} ${ACCEPT}`,
      ),
      `oifname ${ANY_PEER} ${drop('peering')}`,
    ],
  }
}

/** Matches an ICMP error about a packet to this network (RFC 792). */
function about({ network, prefix }: Cidr): string {
  const hex = (ip: string) =>
    `0x${ip
      .split('.')
      .map((byte) => Number(byte).toString(16).padStart(2, '0'))
      .join('')}`
  return `@th,192,32 & ${hex(netmask(prefix))} == ${hex(network)}`
}
