/**
 * Changes of nftables as the kernel takes them, for the few that must be done in a fraction of a
 * millisecond and without another program: elements of sets, and the rules of one chain (nfnetlink;
 * layout: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h). Pure.
 */
import { SUBSYSTEM } from './messages.ts'

/** NFPROTO_… of linux/netfilter.h. */
const FAMILY = { inet: 1, arp: 3 } as const
export type Family = keyof typeof FAMILY

/** Where a set is. */
interface SetPlace {
  readonly family: Family
  readonly table: string
  readonly set: string
}

/** One change, and whether what it makes may be there already. */
export interface Change {
  readonly message: number
  readonly flags: number
  readonly family: Family
  readonly attributes: Buffer
}

const HEADER_BYTES = 16
const FAMILY_HEADER_BYTES = 4
const ALIGNMENT = 4
/** NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END. */
const BATCH = { begin: 0x10, end: 0x11 } as const
/** NLM_F_… of netlink(7). */
const REQUEST = 0x1
const ACKNOWLEDGE = 0x4
const CREATE = 0x400
const APPEND = 0x800
/** NFT_MSG_…. */
const NEW_RULE = 6
const DELETE_RULE = 8
const NEW_ELEMENTS = 12
const DELETE_ELEMENTS = 14
const NESTED = 0x8000
/** NFTA_LIST_ELEM. */
const ITEM = 1
/** NFT_REG32_00 and NFT_REG_VERDICT. */
const REGISTER = 8
const VERDICT_REGISTER = 0
/** NFT_RETURN and NF_DROP. */
const RETURN = -5
const DROP = 0
const NFT_OBJECT_COUNTER = 1

/** The bytes of one transaction. Each change is acknowledged, in order, with this number on. */
export function batchOf(changes: readonly Change[], firstSequence: number): Buffer {
  const frame = (type: number) => {
    const body = Buffer.alloc(FAMILY_HEADER_BYTES)
    // The subsystem, in network byte order.
    body.writeUInt16BE(SUBSYSTEM, 2)
    return message(type, REQUEST, 0, body)
  }
  return Buffer.concat([
    frame(BATCH.begin),
    ...changes.map(({ message: type, flags, family, attributes }, index) =>
      message(
        (SUBSYSTEM << 8) | type,
        REQUEST | ACKNOWLEDGE | flags,
        firstSequence + index,
        Buffer.concat([Buffer.of(FAMILY[family], 0, 0, 0), attributes]),
      ),
    ),
    frame(BATCH.end),
  ])
}

/** Adds elements to a set. Those that are there stay. `timeoutMs`: when the kernel removes them. */
export function addElements(
  { family, table, set }: SetPlace,
  keys: readonly Uint8Array[],
  timeoutMs?: number,
): Change {
  const each = keys.map((key) =>
    nested(ITEM, [
      nested(1, [attribute(1, key)]),
      ...(timeoutMs === undefined ? [] : [long(4, timeoutMs)]),
    ]),
  )
  const attributes = Buffer.concat([text(1, table), text(2, set), nested(3, each)])
  return { message: NEW_ELEMENTS, flags: CREATE, family, attributes }
}

/** Removes all elements of a set. */
export function emptySet({ family, table, set }: SetPlace): Change {
  const attributes = Buffer.concat([text(1, table), text(2, set)])
  return { message: DELETE_ELEMENTS, flags: 0, family, attributes }
}

/** Removes all rules of a chain. */
export function emptyChain(family: Family, table: string, chain: string): Change {
  const attributes = Buffer.concat([text(1, table), text(2, chain)])
  return { message: DELETE_RULE, flags: 0, family, attributes }
}

/**
 * Appends `numgen inc mod 1 offset SERIAL @SET return`: packets return while the serial is an
 * element of the set.
 */
export function returnWhile(
  family: Family,
  table: string,
  chain: string,
  { serial, set }: { readonly serial: number; readonly set: string },
): Change {
  return rule(family, table, chain, [
    expression('numgen', [number(1, REGISTER), number(2, 1), number(3, 0), number(4, serial)]),
    expression('lookup', [text(1, set), number(2, REGISTER)]),
    verdict(RETURN),
  ])
}

/** Appends `counter name COUNTER drop`; without a counter, `drop`. */
export function dropAll(
  family: Family,
  table: string,
  chain: string,
  counter: string | null,
): Change {
  const counts =
    counter === null
      ? []
      : [expression('objref', [number(1, NFT_OBJECT_COUNTER), text(2, counter)])]
  return rule(family, table, chain, [...counts, verdict(DROP)])
}

/** A serial number as the key of an element: as it lies in a register. */
export function serialKey(serial: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(serial).buffer)
}

function rule(
  family: Family,
  table: string,
  chain: string,
  expressions: readonly Buffer[],
): Change {
  const attributes = Buffer.concat([text(1, table), text(2, chain), nested(4, expressions)])
  return { message: NEW_RULE, flags: CREATE | APPEND, family, attributes }
}

function expression(name: string, data: readonly Buffer[]): Buffer {
  return nested(ITEM, [text(1, name), nested(2, data)])
}

function verdict(code: number): Buffer {
  return expression('immediate', [
    number(1, VERDICT_REGISTER),
    nested(2, [nested(2, [number(1, code)])]),
  ])
}

function message(type: number, flags: number, sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(HEADER_BYTES + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(flags, 6)
  header.writeUInt32LE(sequence, 8)
  return Buffer.concat([header, body])
}

function attribute(type: number, value: Uint8Array): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt16LE(header.length + value.length, 0)
  header.writeUInt16LE(type, 2)
  const padding = Buffer.alloc((ALIGNMENT - (value.length % ALIGNMENT)) % ALIGNMENT)
  return Buffer.concat([header, value, padding])
}

function nested(type: number, parts: readonly Buffer[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(parts))
}

function text(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`))
}

/** In network byte order, as nftables has them. */
function number(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return attribute(type, bytes)
}

function long(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return attribute(type, bytes)
}
