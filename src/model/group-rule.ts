/**
 * What a rule of a security group says, and how it is written down. Pure.
 *
 * Semantics: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html. Ports have
 * a meaning for TCP and UDP, type and code for ICMP; rules for other protocols let all of it pass.
 */
import { type Cidr, cidr, formatCidr, parseCidr } from './addr.ts'
import { canonicalIpv6Cidr } from './addr6.ts'
import { type GroupId, parseId } from './ids.ts'

/** Who is at the other end: a network, or the members of a group. */
export type RulePeer =
  | { readonly kind: 'ipv4'; readonly cidr: Cidr }
  /** Canonical text (`canonicalIpv6Cidr`). It lets nothing pass: instances have no IPv6. */
  | { readonly kind: 'ipv6'; readonly cidr: string }
  | { readonly kind: 'group'; readonly group: GroupId }

/** What a rule lets pass. */
export interface RuleMatch {
  /** Out of the instance, or else into it. */
  readonly egress: boolean
  /** IANA's number (https://www.iana.org/assignments/protocol-numbers); -1: every protocol. */
  readonly protocol: number
  /** TCP, UDP: first port. ICMP: type; -1: every type. Else -1. */
  readonly fromPort: number
  /** TCP, UDP: last port. ICMP: code; -1: every code. Else -1. */
  readonly toPort: number
  readonly peer: RulePeer
}

/** Every protocol. */
export const ANY_PROTOCOL = -1
/** Every type or code of ICMP, or no ports at all. */
export const ANY_PORT = -1
/** Highest port of TCP and UDP. */
export const PORT_MAX = 65_535
/** Highest type and code of ICMP. */
export const ICMP_MAX = 255

/** The numbers of the protocols that EC2 has names for. */
export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const

/** Whether rules for the protocol name ports. */
export function hasPorts(protocol: number): boolean {
  return protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.udp
}

/** Whether rules for the protocol name a type and a code. */
export function isIcmp(protocol: number): boolean {
  return protocol === PROTOCOLS.icmp || protocol === PROTOCOLS.icmpv6
}

/**
 * What a new group lets out: everything
 * (https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html).
 */
export const ALL_OUT: RuleMatch = {
  egress: true,
  protocol: ANY_PROTOCOL,
  fromPort: ANY_PORT,
  toPort: ANY_PORT,
  peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') },
}

/** What a default group lets in: everything from its own members. */
export function allFromMembers(group: GroupId): RuleMatch {
  return { ...ALL_OUT, egress: false, peer: { kind: 'group', group } }
}

/** The peer as text: a network, or the id of a group. */
export function formatPeer(peer: RulePeer): string {
  if (peer.kind === 'group') return peer.group
  return peer.kind === 'ipv4' ? formatCidr(peer.cidr) : peer.cidr
}

/** The peer in `text`, or undefined when it is neither a network nor the id of a group. */
export function parsePeer(text: string): RulePeer | undefined {
  const group = parseId('sg', text)
  if (group !== undefined) return { kind: 'group', group }
  const network = parseCidr(text)
  if (network !== undefined) return { kind: 'ipv4', cidr: network }
  return canonicalIpv6Cidr(text) === text ? { kind: 'ipv6', cidr: text } : undefined
}

/** Whether ports, or type and code, are such as a rule for the protocol may have. */
export function isPortRange({
  protocol,
  fromPort,
  toPort,
}: Pick<RuleMatch, 'protocol' | 'fromPort' | 'toPort'>): boolean {
  if (hasPorts(protocol)) return fromPort >= 0 && toPort <= PORT_MAX && fromPort <= toPort
  if (!isIcmp(protocol)) return fromPort === ANY_PORT && toPort === ANY_PORT
  const isNumber = (value: number) => value >= ANY_PORT && value <= ICMP_MAX
  // A code without a type means nothing.
  return isNumber(fromPort) && isNumber(toPort) && (fromPort !== ANY_PORT || toPort === ANY_PORT)
}
