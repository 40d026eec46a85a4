/** Verdicts that all tables share, and why packets are dropped. Pure. */
import {
  ACCEPTED_MARK,
  NIC_LINK_PREFIX,
  PEER_LINK_PREFIX,
  UNVERIFIED_MARK,
} from '../model/names.ts'
import { type NftObject, namedCounter } from './nft-tables.ts'
import { dropBy, dropCounted, dropCounterOf } from './nic-counters.ts'

/** Why a packet was dropped; each has a counter. */
export const DROP_REASONS = [
  /** From a NIC link that is not in the want. */
  'unknown_link',
  'ipv6',
  /** Ethernet or IP source is not the NIC's own. */
  'spoofed',
  /** An instance answering DHCP (server port to client port). */
  'rogue_dhcp',
  /** IP options, which may carry a source route (RFC 7126), and ICMP redirects. */
  'option',
  /** From outside, with a source address of a VPC that is not routed there. */
  'spoofed_outside',
  /** From outside to a gateway or metadata address. */
  'service_outside',
  /** To a service address, where another program than ours would answer: it listens on 0.0.0.0. */
  'foreign_service',
  /** Conntrack's `invalid`: neither part of a connection nor the start of one. */
  'invalid',
  /** VXLAN from an address that is no peer's, or a packet out of it that no peer may send. */
  'fabric',
  /** From the namespace of a peered VPC, and not from the peer to the VPC. */
  'peering',
  /** To or from an instance on another host, from outside: a host routes for its own only. */
  'transit',
  /** From an instance to a host, at no port that is open to instances. */
  'host',
  /** From an instance to a destination that is not allowed (`plan/reach.ts`). */
  'reach',
  /** No route of its subnet leads there, or a blackhole does; nor would its answers come back. */
  'route',
  /** A network ACL denies it. */
  'acl',
  /** To the outside, and no address is on this host that it may go out with (`plan/nat.ts`). */
  'nat_source',
  /** No security group lets it out of its source or into its destination. */
  'group',
  'arp',
  /** Not accepted by the main table, which is missing or damaged (`plan/guard.ts`). */
  'unjudged',
  /** Forwarded, and neither from nor to an instance. */
  'stranger',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** Name of the counter of a reason. */
export function dropCounterName(reason: DropReason): string {
  return dropCounterOf(reason)
}

/** Matches the link of every NIC. */
export const ANY_NIC = `"${NIC_LINK_PREFIX}*"`
/** Matches every link to a peer. */
export const ANY_PEER = `"${PEER_LINK_PREFIX}*"`
/** Accepts, and sets the mark without which the guard drops the packet. */
export const ACCEPT = `meta mark set meta mark | ${hex(ACCEPTED_MARK)} accept`
/** Matches packets without that mark. */
export const NOT_ACCEPTED = `meta mark & ${hex(ACCEPTED_MARK)} == 0`
/**
 * Accepts a packet with a verified source. The lock on the link marks every packet as unverified,
 * and the kernel routes no packet with that mark (`host/network/lock.ts`). This clears it.
 */
export const ACCEPT_VERIFIED = `meta mark set meta mark & ${hex(~UNVERIFIED_MARK >>> 0)} accept`

function hex(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`
}

/** The counter of a reason. */
export function dropCounter(reason: DropReason): NftObject {
  return namedCounter(dropCounterName(reason))
}

/** Drops, and counts for the NICs and by the reason. */
export function drop(reason: DropReason): string {
  return dropBy(reason)
}

/** Drops in a table that does not count for NICs. */
export function dropUnattributed(reason: DropReason): string {
  return dropCounted(reason)
}
