/**
 * Pieces of nft scripts that every part of the ruleset is written with (nft(8)), and the verdicts
 * that they share. Pure.
 */
import { PASSED_MARK, UNPROVED_MARK } from '../model/names.ts'

/** Why a packet was dropped; each has a counter. */
export const DROP_REASONS = [
  /** From a NIC link that no record speaks of. */
  'unknown_link',
  'ipv6',
  /** Ethernet or IP source is not the NIC's own. */
  'spoofed',
  /** An instance answering DHCP (server port to client port). */
  'rogue_dhcp',
  /**
   * What no guest has to say: IP options, which may name a route (RFC 7126), and ICMP redirects.
   */
  'option',
  /** From elsewhere, with the source address of a VPC that is not routed there. */
  'spoofed_outside',
  /** From elsewhere to a gateway or metadata address. */
  'service_outside',
  /**
   * To a service address, while a program that is not ours listens for it on all of the host's
   * addresses.
   */
  'foreign_service',
  /** Not part of any connection, and not the start of one (conntrack's `invalid`). */
  'invalid',
  /**
   * Into the VXLAN device or its port from somebody who is no peer, or out of it what no peer
   * sends.
   */
  'fabric',
  /**
   * Between elsewhere and an instance on another host, past our own: a host is a router for its own
   * instances only.
   */
  'transit',
  /** From an instance to this host or another, and not one of its services. */
  'host',
  /** From an instance to somewhere beyond the cloud that is not on the list (`plan/reach.ts`). */
  'reach',
  /** No group of the destination lets this source in. */
  'group',
  'arp',
  /**
   * Of a link or a network of ours, and let through by no rule: the main table is away or damaged
   * (`plan/guard.ts`).
   */
  'unjudged',
  /**
   * From one neighbour of the host to another, past all of ours: the host forwards for its
   * instances only.
   */
  'stranger',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** Name of the counter of a reason. */
export function dropCounterName(reason: DropReason): string {
  return `dropped_${reason}`
}

/** Accepts, and says so to the guard, which comes later and trusts nothing else. */
export const PASS = `meta mark set meta mark | ${hex(PASSED_MARK)} accept`
/** Matches what was not accepted so. */
export const NOT_PASSED = `meta mark & ${hex(PASSED_MARK)} == 0`
/**
 * Accepts a packet whose source is proved: the lock on the link marked it, and no such mark is
 * routed (`host/network/lock.ts`).
 */
export const PROVED = `meta mark set meta mark & ${hex(~UNPROVED_MARK >>> 0)} accept`

function hex(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`
}

/** The declaration of a reason's counter. */
export function counter(reason: DropReason): readonly string[] {
  return block(`counter ${dropCounterName(reason)}`, [])
}

/** Counts and drops. */
export function drop(reason: DropReason): string {
  return `counter name "${dropCounterName(reason)}" drop`
}

/** A set with its elements. */
export function set(
  name: string,
  declaration: readonly string[],
  elements: readonly string[],
): readonly string[] {
  return block(`set ${name}`, [...declaration, ...elementLines(elements)])
}

/** A map with its elements. */
export function map(name: string, type: string, elements: readonly string[]): readonly string[] {
  return block(`map ${name}`, [type, ...elementLines(elements)])
}

/**
 * nft takes no empty element list. Twice the same element would be an error: records forbid it, and
 * a set removes the doubt.
 */
function elementLines(elements: readonly string[]): readonly string[] {
  const unique = [...new Set(elements)]
  return unique.length === 0 ? [] : [`elements = { ${unique.join(', ')} }`]
}

/** Something with a body in braces. */
export function block(head: string, body: readonly string[]): readonly string[] {
  return [`${head} {`, ...body.map((line) => `  ${line}`), '}']
}
