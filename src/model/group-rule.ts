/**
 * The contents of a security group rule, and its text form. Pure.
 *
 * Semantics: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html. TCP and
 * UDP rules have ports, ICMP rules have type and code. Rules for other protocols allow all packets
 * of the protocol.
 */
import { type Cidr, cidr, formatCidr, parseCidr } from './addr.ts'
import { canonicalIpv6Cidr } from './addr6.ts'
import { type GroupId, type PrefixListId, parseId } from './ids.ts'

/** The other end: a network, the members of a group, or the networks of a prefix list. */
export type RulePeer =
  | { readonly kind: 'ipv4'; readonly cidr: Cidr }
  /** Canonical text (`canonicalIpv6Cidr`). It allows nothing, because instances have no IPv6. */
  | { readonly kind: 'ipv6'; readonly cidr: string }
  | {
      readonly kind: 'group'
      readonly group: GroupId
      /**
       * Of a VPC that was peered with the group's own when the rule was made. It may be gone, and
       * so may the peering: then the rule allows nothing.
       */
      readonly isForeign?: true
    }
  | { readonly kind: 'list'; readonly list: PrefixListId }

/** A network. */
export type NetworkPeer = Extract<RulePeer, { readonly kind: 'ipv4' | 'ipv6' }>

/** As hosts enforce it: a prefix list is each of its networks. */
export type EnforcedPeer = Exclude<RulePeer, { readonly kind: 'list' }>

/** The packets that a rule allows. */
export interface RuleMatch {
  /** Whether it is for packets from the instance. Otherwise for packets to it. */
  readonly egress: boolean
  /**
   * IANA's protocol number (https://www.iana.org/assignments/protocol-numbers). -1: every protocol.
   */
  readonly protocol: number
  /** TCP, UDP: first port. ICMP: type, or -1 for every type. Otherwise -1. */
  readonly fromPort: number
  /** TCP, UDP: last port. ICMP: code, or -1 for every code. Otherwise -1. */
  readonly toPort: number
  readonly peer: RulePeer
}

/** As hosts enforce it. */
export interface EnforcedMatch extends RuleMatch {
  readonly peer: EnforcedPeer
}

/** Every protocol. */
export const ANY_PROTOCOL = -1
/** Every ICMP type or code; for other protocols: no ports. */
export const ANY_PORT = -1
/** Highest port of TCP and UDP. */
export const PORT_MAX = 65_535
/** Highest type and code of ICMP. */
export const ICMP_MAX = 255

/** The protocols that have names in EC2, with their numbers. */
export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const

/** Whether rules of the protocol have ports. */
export function hasPorts(protocol: number): boolean {
  return protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.udp
}

/** Whether rules of the protocol have a type and a code. */
export function isIcmp(protocol: number): boolean {
  return protocol === PROTOCOLS.icmp || protocol === PROTOCOLS.icmpv6
}

/**
 * The outbound rule of a new group: everything
 * (https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html).
 */
export const ALL_OUT: EnforcedMatch = {
  egress: true,
  protocol: ANY_PROTOCOL,
  fromPort: ANY_PORT,
  toPort: ANY_PORT,
  peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') },
}

/** The inbound rule of a default group: everything from its own members. */
export function allFromMembers(group: GroupId): EnforcedMatch {
  return { ...ALL_OUT, egress: false, peer: { kind: 'group', group } }
}

/** The peer as text: a network, or the id of a group or a prefix list. */
export function formatPeer(peer: RulePeer): string {
  if (peer.kind === 'group') return peer.group
  if (peer.kind === 'list') return peer.list
  return peer.kind === 'ipv4' ? formatCidr(peer.cidr) : peer.cidr
}

/** Parses a peer. Undefined when it is neither a network nor the id of a group or a list. */
export function parsePeer(text: string): RulePeer | undefined {
  const group = parseId('sg', text)
  if (group !== undefined) return { kind: 'group', group }
  const list = parseId('pl', text)
  return list === undefined ? parseNetwork(text) : { kind: 'list', list }
}

/** Parses a network in its canonical form. Undefined when it is none. */
export function parseNetwork(text: string): NetworkPeer | undefined {
  const network = parseCidr(text)
  if (network !== undefined) return { kind: 'ipv4', cidr: network }
  return canonicalIpv6Cidr(text) === text ? { kind: 'ipv6', cidr: text } : undefined
}

/** Whether a rule of the protocol may have these ports, or this type and code. */
export function isPortRange({
  protocol,
  fromPort,
  toPort,
}: Pick<RuleMatch, 'protocol' | 'fromPort' | 'toPort'>): boolean {
  if (hasPorts(protocol)) return fromPort >= 0 && toPort <= PORT_MAX && fromPort <= toPort
  if (!isIcmp(protocol)) return fromPort === ANY_PORT && toPort === ANY_PORT
  const isNumber = (value: number) => value >= ANY_PORT && value <= ICMP_MAX
  // A code requires a type.
  return isNumber(fromPort) && isNumber(toPort) && (fromPort !== ANY_PORT || toPort === ANY_PORT)
}
