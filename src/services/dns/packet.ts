/**
 * The DNS wire format: constants of the protocol, and readers for queries, names and records.
 * Pure.
 *
 * All input comes from guests or from outside and may be hostile. Every function checks its
 * bounds, none throws on any input, and no loop is longer than the message. Names stay in wire
 * form (RFC 1035 section 3.1). This keeps the client's letter case, and a label may contain a
 * dot.
 */

/** Message header (RFC 1035 section 4.1.1). */
export const HEADER_BYTES = 12
/** Longest name in wire form (RFC 1035 section 2.3.4). */
export const MAX_NAME_BYTES = 255
const MAX_LABEL_BYTES = 63
/** Most pointers in a name: one behind each label, of which 255 bytes have 127 at most. */
const MAX_POINTERS = 127
/** The fixed part of a record after its owner name: type, class, TTL, length of the data. */
export const RECORD_FIXED_BYTES = 10
/** What a client without EDNS accepts by UDP (RFC 1035 section 2.3.4). */
export const PLAIN_UDP_BYTES = 512
/**
 * The largest UDP message that we send or ask for. It passes every IPv6-capable path without
 * fragmentation; fragments make forging answers easy (DNS Flag Day 2020,
 * https://www.dnsflagday.net/2020/).
 */
export const MAX_UDP_BYTES = 1232
/** Largest value of TCP's two-byte length prefix (RFC 1035 section 4.2.2). */
export const MAX_TCP_BYTES = 65_535
/** An OPT record without options (RFC 6891 section 6.1.2). */
export const OPT_BYTES = 11
/**
 * Maximum number of records beside the question of a query: an OPT, and a signature that we do
 * not check.
 */
const MAX_QUERY_RECORDS = 4

/**
 * A compression pointer to the question's name, which always follows the header (RFC 1035 section
 * 4.1.4).
 */
export const QUESTION_POINTER = 0xc000 | HEADER_BYTES

/** The record types that this resolver treats specially (IANA DNS parameters). */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  AAAA: 28,
  DNAME: 39,
  OPT: 41,
  TKEY: 249,
  ANY: 255,
} as const

/** The Internet class, the only one that we serve. */
export const CLASS_IN = 1

/** Response codes (RFC 1035 section 4.1.1 and RFC 6891 section 9). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** An extended code: its upper bits are in the OPT record (RFC 6891 section 6.1.3). */
  BADVERS: 16,
} as const

/** Header flags (RFC 1035 section 4.1.1, and RFC 4035 section 3.2 for CD). */
export const FLAG = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  CD: 0x0010,
} as const

/**
 * The sender's OPT record: the UDP size that it accepts, and whether it wants DNSSEC records (RFC
 * 3225).
 */
interface Edns {
  readonly udpBytes: number
  readonly version: number
  readonly dnssecOk: boolean
}

/** A well-formed query. */
export interface Query {
  readonly id: number
  readonly flags: number
  /** The question as it was sent: name, type, class. */
  readonly question: Buffer
  /** The name as a map key: wire form in lower case, one character for each byte. */
  readonly key: string
  readonly type: number
  readonly class: number
  readonly edns: Edns | null
}

/** How to answer a message that is not a well-formed query. */
export type Unreadable =
  /**
   * Too short to answer, or itself a reply. Answering replies can make two servers talk to each
   * other for ever.
   */
  | { readonly kind: 'drop'; readonly reason: 'short' | 'response' }
  | { readonly kind: 'error'; readonly id: number; readonly flags: number; readonly rcode: number }

/** Reads a query: opcode QUERY with one question and at most an OPT record after it. */
export function readQuery(
  bytes: Buffer,
): { readonly kind: 'query'; readonly query: Query } | Unreadable {
  if (bytes.length < HEADER_BYTES) return { kind: 'drop', reason: 'short' }
  const id = bytes.readUInt16BE(0)
  const flags = bytes.readUInt16BE(2)
  if ((flags & FLAG.QR) !== 0) return { kind: 'drop', reason: 'response' }
  const error = (rcode: number): Unreadable => ({ kind: 'error', id, flags, rcode })
  if (((flags >> 11) & 15) !== 0) return error(RCODE.NOTIMP)
  if (bytes.readUInt16BE(4) !== 1) return error(RCODE.FORMERR)
  const nameEnd = skipPlainName(bytes, HEADER_BYTES)
  if (nameEnd === undefined || nameEnd + 4 > bytes.length) return error(RCODE.FORMERR)
  const questionEnd = nameEnd + 4
  const edns = questionEnd === bytes.length ? noExtras(bytes) : readExtras(bytes, questionEnd)
  if (edns === undefined) return error(RCODE.FORMERR)
  return {
    kind: 'query',
    query: {
      id,
      flags,
      question: bytes.subarray(HEADER_BYTES, questionEnd),
      key: nameKey(bytes, HEADER_BYTES, nameEnd),
      type: bytes.readUInt16BE(nameEnd),
      class: bytes.readUInt16BE(nameEnd + 2),
      edns,
    },
  }
}

/** A message that ends after its question must not claim to have more records. */
function noExtras(bytes: Buffer): null | undefined {
  return bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10) === 0
    ? null
    : undefined
}

/**
 * The OPT record after the question, or null. Undefined when the records do not fill the message
 * exactly (RFC 6891 section 6.1.1).
 */
function readExtras(bytes: Buffer, start: number): Edns | null | undefined {
  const count = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10)
  if (count > MAX_QUERY_RECORDS) return undefined
  let edns: Edns | null = null
  let offset = start
  for (let left = count; left > 0; left -= 1) {
    const record = readRecord(bytes, offset)
    if (record === undefined) return undefined
    if (record.type === TYPE.OPT) {
      const isRoot = record.ownerEnd === offset + 1
      if (edns !== null || !isRoot || !optionsFit(bytes, record)) return undefined
      edns = {
        udpBytes: record.class,
        version: (record.ttl >>> 16) & 255,
        dnssecOk: (record.ttl & 0x8000) !== 0,
      }
    }
    offset = record.end
  }
  return offset === bytes.length ? edns : undefined
}

/** Whether the options fill the OPT record's data exactly (RFC 6891 section 6.1.2). */
function optionsFit(bytes: Buffer, record: WireRecord): boolean {
  let offset = record.dataStart
  while (offset + 4 <= record.end) offset += 4 + bytes.readUInt16BE(offset + 2)
  return offset === record.end
}

/**
 * End of the uncompressed name at `start`, its final zero included. Undefined when it is
 * malformed.
 */
function skipPlainName(bytes: Buffer, start: number): number | undefined {
  let offset = start
  for (;;) {
    const length = bytes[offset]
    if (length === undefined || length > MAX_LABEL_BYTES) return undefined
    offset += 1 + length
    if (offset - start > MAX_NAME_BYTES) return undefined
    if (length === 0) return offset
  }
}

/**
 * The wire-form name in `bytes` as a lower-case key. Length bytes are below 64, so they are not
 * changed as if they were letters.
 */
function nameKey(bytes: Buffer, start: number, end: number): string {
  return lowerKey(bytes.toString('latin1', start, end))
}

/** Lowers ASCII letters only (RFC 4343). Other bytes stay, even if they are letters in Latin-1. */
export function lowerKey(text: string): string {
  return /[\x80-\xff]/.test(text)
    ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    : text.toLowerCase()
}

/** The positions of one record's parts. */
export interface WireRecord {
  readonly ownerEnd: number
  readonly type: number
  readonly class: number
  /** Unsigned, as in the message. In an OPT record this field is not a TTL. */
  readonly ttl: number
  readonly ttlOffset: number
  readonly dataStart: number
  readonly end: number
}

/** The record at `offset`, or undefined when it is not wholly inside the message. */
export function readRecord(bytes: Buffer, offset: number): WireRecord | undefined {
  const ownerEnd = skipName(bytes, offset)
  if (ownerEnd === undefined) return undefined
  const dataStart = ownerEnd + RECORD_FIXED_BYTES
  if (dataStart > bytes.length) return undefined
  const end = dataStart + bytes.readUInt16BE(dataStart - 2)
  if (end > bytes.length) return undefined
  return {
    ownerEnd,
    type: bytes.readUInt16BE(ownerEnd),
    class: bytes.readUInt16BE(ownerEnd + 2),
    ttl: bytes.readUInt32BE(ownerEnd + 4),
    ttlOffset: ownerEnd + 4,
    dataStart,
    end,
  }
}

/** The end of a possibly compressed name where it stands. Undefined when it is malformed. */
function skipName(bytes: Buffer, start: number): number | undefined {
  let offset = start
  for (;;) {
    const length = bytes[offset]
    if (length === undefined) return undefined
    if (length >= 0xc0) return offset + 2 <= bytes.length ? offset + 2 : undefined
    if (length > MAX_LABEL_BYTES) return undefined
    offset += 1 + length
    if (offset - start > MAX_NAME_BYTES) return undefined
    if (length === 0) return offset
  }
}

/** A possibly compressed name as a lower-case key, and the end of its own bytes. */
export interface WireName {
  readonly key: string
  readonly end: number
}

/**
 * The name at `start`, with its pointers followed. Each pointer must refer to an earlier place
 * than the one before ("a prior occurrence", RFC 1035 section 4.1.4) and not into the header, so
 * there are no loops. A pointer to another pointer is taken, but a long chain of them is not.
 */
export function readName(bytes: Buffer, start: number): WireName | undefined {
  let key = ''
  let pointers = 0
  let end: number | undefined
  let segment = start
  let offset = start
  for (;;) {
    const length = bytes[offset]
    if (length === undefined) return undefined
    if (length >= 0xc0) {
      const low = bytes[offset + 1]
      if (low === undefined) return undefined
      const target = ((length & 0x3f) << 8) | low
      pointers += 1
      if (target >= segment || target < HEADER_BYTES || pointers > MAX_POINTERS) return undefined
      key += bytes.toString('latin1', segment, offset)
      end ??= offset + 2
      segment = target
      offset = target
      continue
    }
    if (length > MAX_LABEL_BYTES) return undefined
    offset += 1 + length
    if (offset > bytes.length || key.length + offset - segment > MAX_NAME_BYTES) return undefined
    if (length === 0)
      return { key: lowerKey(key + bytes.toString('latin1', segment, offset)), end: end ?? offset }
  }
}

/**
 * One of our own dotted names in wire form. Throws RangeError on empty or too long labels, which
 * the checks of settings and records exclude.
 */
export function nameToWire(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  const parts = labels.flatMap((text) => {
    const label = Buffer.from(text, 'latin1')
    if (label.length === 0 || label.length > MAX_LABEL_BYTES)
      throw new RangeError(`not a DNS name: ${name}`)
    return [Buffer.of(label.length), label]
  })
  const wire = Buffer.concat([...parts, Buffer.of(0)])
  if (wire.length > MAX_NAME_BYTES) throw new RangeError(`DNS name is too long: ${name}`)
  return wire
}

/** The key of one of our own dotted names. */
export function keyOf(name: string): string {
  return lowerKey(nameToWire(name).toString('latin1'))
}

/** The key without its first label, or undefined for the root. */
export function parentKey(key: string): string | undefined {
  const length = key.charCodeAt(0)
  return length === 0 ? undefined : key.slice(1 + length)
}
