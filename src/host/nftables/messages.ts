/**
 * Messages of nftables as a netlink socket receives them (nfnetlink; layout:
 * linux/netfilter/nf_tables.h). Pure.
 */

/** NFNL_SUBSYS_NFTABLES, the upper byte of a message's type. */
export const SUBSYSTEM = 10
/** struct nlmsghdr, followed by struct nfgenmsg, whose first byte is the family. */
const MESSAGE_HEADER_BYTES = 16
/** Both of them. Attributes follow. */
export const HEADER_BYTES = 20
/** NFPROTO_… of linux/netfilter.h. */
const FAMILIES: ReadonlyMap<number, string> = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
])

/** One message. */
export interface NftMessage {
  /** The subsystem, and what the message is about. */
  readonly type: number
  /** With its headers. */
  readonly body: Buffer
}

/** The messages in what a socket has received. Ends at the first that is not whole. */
export function* messagesIn(bytes: Buffer): Generator<NftMessage> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    if (length < MESSAGE_HEADER_BYTES || at + length > bytes.length) break
    yield { type: bytes.readUInt16LE(at + 4), body: bytes.subarray(at, at + length) }
    at += (length + 3) & ~3
  }
}

/** The family of a message's table, as nft(8) names it. */
export function familyOf(body: Buffer): string {
  return familyName(body.readUInt8(MESSAGE_HEADER_BYTES))
}

/** A family as nft(8) names it. */
export function familyName(family: number | undefined): string {
  return FAMILIES.get(family ?? 0) ?? 'unknown'
}

/** A name: a text that a zero byte ends. */
export function nameIn(bytes: Buffer | undefined): string | undefined {
  return bytes?.toString('utf8').replace(/\0.*$/s, '')
}
