/**
 * Layout of the kernel's messages about connections (linux/netfilter/nfnetlink_conntrack.h).
 * Numbers are in network byte order, those of filters in the machine's own. Pure.
 */
import { AF_INET } from '../netlink/ip-decode.ts'

/** NFNL_SUBSYS_CTNETLINK (linux/netfilter/nfnetlink.h), the upper byte of a message type. */
const SUBSYSTEM = 1 << 8
/** Makes an entry, or changes one. */
export const NEW = SUBSYSTEM
/** Reads entries. */
export const GET = SUBSYSTEM | 1
/** Deletes entries. */
export const DELETE = SUBSYSTEM | 2
/** NLA_F_NESTED. */
export const NESTED = 0x8000
/** Attributes of an entry. */
export const CTA = {
  ...{ original: 1, reply: 2, status: 3, protocolInfo: 4, timeout: 7, sent: 9, answered: 10 },
  ...{ id: 12, zone: 18, filter: 25 },
} as const
/** What one direction has carried. */
export const COUNTER = { packets: 1, bytes: 2 } as const
/** The addresses of a direction. */
export const TUPLE_IP = 1
/** Its protocol and ports. */
export const TUPLE_PROTOCOL = 2
/** Parts of `TUPLE_PROTOCOL`. */
export const PROTOCOL = {
  ...{ number: 1, sourcePort: 2, destinationPort: 3, icmpType: 5, icmpCode: 6 },
} as const
/** Parts of `TUPLE_IP`. */
export const IP = { source: 1, destination: 2 } as const
/** What `protocolInfo` has of TCP. */
export const INFO_TCP = 1
/** Parts of that. */
export const TCP_INFO = { state: 1, flagsOriginal: 4, flagsReply: 5 } as const
/** Parts of `filter`. */
export const FILTER = { original: 1, reply: 2 } as const
/** Which part of a tuple counts: bits of net/netfilter/nf_internals.h. */
export const COUNTS = { source: 1, destination: 2 } as const
/** Length of `HEADER`. */
export const HEADER_BYTES = 4
/** struct nfgenmsg: family, version, resource id. */
export const HEADER = Buffer.of(AF_INET, 0, 0, 0)
const ATTRIBUTE_HEADER_BYTES = 4

/** Written by hand, because the package does not set the flag "nested". Padded to four bytes. */
export function attribute(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc((ATTRIBUTE_HEADER_BYTES + payload.length + 3) & ~3)
  bytes.set(new Uint8Array(Uint16Array.of(ATTRIBUTE_HEADER_BYTES + payload.length, type).buffer))
  bytes.set(payload, ATTRIBUTE_HEADER_BYTES)
  return bytes
}
