/**
 * Messages of rtnetlink(7) for policy rules: which routing table is asked for packets of a source,
 * or for those that arrive on a link. Pure.
 */
import { AttrStream } from 'netlink'
import { type Cidr, type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../../model/addr.ts'
import { ROUTE_PROTOCOL, ROUTER_ROUTE_PROTOCOL } from '../../model/names.ts'
import { attributesOf, uint32 } from './attributes.ts'
import { AF_INET } from './ip-decode.ts'
import type { Payload } from './ip-encode.ts'

/** FRA_… attributes and FR_ACT_TO_TBL (linux/fib_rules.h). */
const RULE = {
  ...{ source: 2, link: 3, priority: 6, suppress: 14, table: 15, protocol: 21 },
  lookUp: 1,
} as const
/** struct fib_rule_hdr. */
const HEADER_BYTES = 12
const SOURCE_LENGTH_AT = 2
const ACTION_AT = 7
const HOST_PREFIX = 32
/** No limit (FRA_SUPPRESS_PREFIXLEN). */
const NO_LIMIT = 0xffff_ffff

/** A rule of ours for the packets of one source. */
export interface PolicyRule {
  readonly priority: number
  readonly source: Ipv4
  readonly table: number
  /** Routes with a prefix of this length or a shorter one do not count; null: all do. */
  readonly suppress: number | null
}

/** The request to add the rule, or to delete it. */
export function encodePolicyRule({ priority, source, table, suppress }: PolicyRule): Payload {
  const out = new AttrStream()
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt8(AF_INET, 0)
  header.writeUInt8(HOST_PREFIX, SOURCE_LENGTH_AT)
  header.writeUInt8(RULE.lookUp, ACTION_AT)
  out.emit(header)
  out.push(RULE.source, Buffer.from(ipv4ToBytes(source)))
  out.push(RULE.priority, uint32(priority))
  out.push(RULE.table, uint32(table))
  if (suppress !== null) out.push(RULE.suppress, uint32(suppress))
  out.push(RULE.protocol, Buffer.of(ROUTE_PROTOCOL))
  return out.bufs
}

/** The query for all rules. */
export function encodePolicyQuery(): Payload {
  const out = new AttrStream()
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt8(AF_INET, 0)
  out.emit(header)
  return out.bufs
}

/** A rule of ours that looks a source up in a table; nothing for any other. */
export function decodePolicyRule(message: Buffer): readonly PolicyRule[] {
  const attrs = attributesOf(message.subarray(HEADER_BYTES))
  const number = (type: number) => attrs.get(type)?.readUInt32LE()
  const source = attrs.get(RULE.source)
  const isOurs =
    message[0] === AF_INET &&
    message[ACTION_AT] === RULE.lookUp &&
    message[SOURCE_LENGTH_AT] === HOST_PREFIX &&
    attrs.get(RULE.protocol)?.readUInt8() === ROUTE_PROTOCOL
  if (!isOurs || source === undefined) return []
  const suppress = number(RULE.suppress) ?? NO_LIMIT
  return [
    {
      priority: number(RULE.priority) ?? 0,
      source: ipv4FromBytes(source),
      table: number(RULE.table) ?? 0,
      suppress: suppress === NO_LIMIT ? null : suppress,
    },
  ]
}

/**
 * A rule of ours by which the packets of a subnet, or those that arrive on a link, are looked up in
 * a table.
 */
export interface SubnetRule {
  readonly priority: number
  /** Null: any. */
  readonly source: Cidr | null
  /** Null: any. */
  readonly link: string | null
  readonly table: number
}

/** The request to add the rule, or to delete it. */
export function encodeSubnetRule({ priority, source, link, table }: SubnetRule): Payload {
  const out = new AttrStream()
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt8(AF_INET, 0)
  header.writeUInt8(source?.prefix ?? 0, SOURCE_LENGTH_AT)
  header.writeUInt8(RULE.lookUp, ACTION_AT)
  out.emit(header)
  if (source !== null) out.push(RULE.source, Buffer.from(ipv4ToBytes(source.network)))
  if (link !== null) out.push(RULE.link, Buffer.from(`${link}\0`))
  out.push(RULE.priority, uint32(priority))
  out.push(RULE.table, uint32(table))
  out.push(RULE.protocol, Buffer.of(ROUTER_ROUTE_PROTOCOL))
  return out.bufs
}

/** A rule of ours for a subnet or a link; nothing for any other. */
export function decodeSubnetRule(message: Buffer): readonly SubnetRule[] {
  const attrs = attributesOf(message.subarray(HEADER_BYTES))
  const number = (type: number) => attrs.get(type)?.readUInt32LE() ?? 0
  const isOurs =
    message[0] === AF_INET &&
    message[ACTION_AT] === RULE.lookUp &&
    attrs.get(RULE.protocol)?.readUInt8() === ROUTER_ROUTE_PROTOCOL
  if (!isOurs) return []
  const source = attrs.get(RULE.source)
  return [
    {
      priority: number(RULE.priority),
      source:
        source === undefined
          ? null
          : { network: ipv4FromBytes(source), prefix: message[SOURCE_LENGTH_AT] ?? 0 },
      link: attrs.get(RULE.link)?.toString('latin1').replace(/\0.*$/, '') ?? null,
      table: number(RULE.table),
    },
  ]
}
