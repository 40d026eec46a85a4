/**
 * Rules in the namespace of a VPC for what goes to and comes from VPCs that are peered with it.
 * Pure.
 *
 * A packet from another namespace must come from an address of the peer that is routed there, and
 * go to the VPC itself. So a peer reaches neither the outside nor another peer by it. Security
 * groups are asked where the instances are: on the way there packets only pass.
 */
import { formatCidr } from '../model/addr.ts'
import { FABRIC_LINK, PEER_LINK_PREFIX } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import { chain, type NftObject } from './nft-tables.ts'
import { ACCEPT, drop } from './nft-text.ts'

/** Matches the link to any peer. */
const ANY_PEER = `"${PEER_LINK_PREFIX}*"`

/** Chains, and lines of others. */
interface PeeringRules {
  readonly objects: readonly NftObject[]
  /** For what arrives at the namespace. */
  readonly arriving: readonly string[]
  /**
   * For what comes out of the VXLAN device and goes to the VPC or a peer; null: as without peers.
   */
  readonly fromFabric: readonly string[] | null
  /** For what the namespace passes on. */
  readonly forward: readonly string[]
  /** For packets to the namespace itself. */
  readonly input: readonly string[]
  /** For what leaves the VPC. */
  readonly leaving: readonly string[]
}

/** Without peers, and outside of such namespaces. */
const NONE: PeeringRules = {
  ...{ objects: [], arriving: [], fromFabric: null, forward: [], input: [], leaving: [] },
}

/** The rules for the peers of a namespace. */
export function peeringRules({ shared, peered = [] }: HostWant): PeeringRules {
  if (peered.length === 0) return NONE
  // A namespace is that of one VPC.
  const own = shared.vpcs.map(({ cidr }) => formatCidr(cidr)).join()
  const [fromOwn, toOwn] = [`ip saddr ${own}`, `ip daddr ${own}`]
  const linked = peered.flatMap(({ link, cidr }) =>
    link === null ? [] : [{ link: `"${link}"`, net: formatCidr(cidr) }],
  )
  const isRouted = 'fib saddr . iif oif exists'
  return {
    objects: [
      chain('from_peering', [
        `meta nfproto ipv6 ${drop('ipv6')}`,
        `ip daddr @services ${drop('service_outside')}`,
        ...linked.map(
          ({ link, net }) => `iifname ${link} ip saddr ${net} ${toOwn} ${isRouted} accept`,
        ),
        drop('peering'),
      ]),
    ],
    arriving: [`iifname ${ANY_PEER} goto from_peering`],
    fromFabric: [
      `${fromOwn} ${isRouted} accept`,
      ...peered.map(({ cidr }) => `ip saddr ${formatCidr(cidr)} ${toOwn} ${isRouted} accept`),
    ],
    forward: [
      `iifname ${ANY_PEER} oifname "${FABRIC_LINK}" ${ACCEPT}`,
      `iifname "${FABRIC_LINK}" oifname ${ANY_PEER} ${ACCEPT}`,
    ],
    input: [
      `iifname ${ANY_PEER} ct state established,related accept`,
      `iifname ${ANY_PEER} ${drop('peering')}`,
    ],
    leaving: linked.map(({ link, net }) => `oifname ${link} ip daddr ${net} ${ACCEPT}`),
  }
}
