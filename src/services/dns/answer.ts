/**
 * Decides what to do with a query: reply, forward it, or stay silent. Pure.
 *
 * The order of the decisions is the order of the code. Every reply repeats the question byte for
 * byte, so a client that varies the letter case to detect forged replies gets its own case back. A
 * reply that does not fit the transport is cut, and its TC flag is set.
 */
import {
  CLASS_IN,
  FLAG,
  HEADER_BYTES,
  MAX_TCP_BYTES,
  MAX_UDP_BYTES,
  OPT_BYTES,
  PLAIN_UDP_BYTES,
  type Query,
  RCODE,
  readQuery,
  TYPE,
} from './packet.ts'
import {
  type Authority,
  authorityOf,
  nameExists,
  type RecordSet,
  recordsOf,
  type Zone,
} from './zone.ts'

export type Transport = 'udp' | 'tcp'

export type Answer =
  | { readonly kind: 'reply'; readonly bytes: Buffer; readonly rcode: number }
  /**
   * The name is not in our zones. Forward it, then reply with `upstreamReply` or `failureReply`.
   */
  | { readonly kind: 'forward'; readonly query: Query }
  | { readonly kind: 'drop'; readonly reason: 'short' | 'response' }

/**
 * What follows the question in a reply. Compression pointers in `bytes` may refer to the
 * question, because its offset is always the same.
 */
export interface ReplyBody {
  readonly bytes: Buffer
  readonly answers: number
  readonly authorities: number
  /** End offset of each answer in `bytes`. It allows sending only the answers that fit. */
  readonly answerEnds: readonly number[]
}

const NO_BODY: ReplyBody = {
  bytes: Buffer.alloc(0),
  answers: 0,
  authorities: 0,
  answerEnds: [],
}

/**
 * The whole answer to ANY: HINFO "RFC8482" "" (RFC 8482 section 4.2). It is short, so a query
 * with a forged source address cannot be used for amplification.
 */
const ANY_BODY: ReplyBody = {
  bytes: Buffer.from('c00c000d00010000003c00090752464338343832' + '00', 'hex'),
  answers: 1,
  authorities: 0,
  answerEnds: [],
}

/**
 * Zone transfers and other meta types (RFC 6895 section 3.1, 128-254), and OPT, which is not a
 * question type.
 */
function isRefusedType(type: number): boolean {
  return type === TYPE.OPT || (type >= 128 && type < TYPE.ANY)
}

/**
 * Decides on one message. `rotation` is any integer. Consecutive values start a name's addresses
 * at different positions.
 */
export function answerQuery(
  bytes: Buffer,
  zone: Zone,
  transport: Transport,
  rotation: number,
): Answer {
  const read = readQuery(bytes)
  if (read.kind === 'drop') return read
  if (read.kind === 'error') return { kind: 'reply', bytes: bareReply(read), rcode: read.rcode }
  const { query } = read
  if (query.edns !== null && query.edns.version > 0)
    return reply(query, transport, RCODE.BADVERS, 0, NO_BODY)
  if (query.class !== CLASS_IN || isRefusedType(query.type))
    return reply(query, transport, RCODE.REFUSED, 0, NO_BODY)
  const records = recordsOf(zone, query.key, query.type)
  if (records !== undefined)
    return reply(query, transport, RCODE.NOERROR, FLAG.AA, rotated(records, rotation))
  const authority = authorityOf(zone, query.key)
  if (authority !== undefined)
    return answerWithin(authority, nameExists(zone, query.key), query, transport, rotation)
  // A client that does not ask for recursion gets none: we have no cache to answer it from.
  if ((query.flags & FLAG.RD) === 0) return reply(query, transport, RCODE.REFUSED, 0, NO_BODY)
  // The message may lie in memory that the next one is read into.
  return { kind: 'forward', query: { ...query, question: Buffer.from(query.question) } }
}

/**
 * The name is in one of our zones, but has no records of this type. Answers with a wildcard's
 * records, the answer to ANY, or a negative answer (RFC 2308 section 2).
 */
function answerWithin(
  authority: Authority,
  exists: boolean,
  query: Query,
  transport: Transport,
  rotation: number,
): Answer {
  const wild = authority.wildcard?.get(query.type)
  const found = exists || authority.wildcard !== null
  if (wild !== undefined && query.type !== TYPE.SOA && query.type !== TYPE.NS)
    return reply(query, transport, RCODE.NOERROR, FLAG.AA, rotated(wild, rotation))
  if (found && query.type === TYPE.ANY)
    return reply(query, transport, RCODE.NOERROR, FLAG.AA, ANY_BODY)
  const rcode = found ? RCODE.NOERROR : RCODE.NXDOMAIN
  return reply(query, transport, rcode, FLAG.AA, negativeBody(authority, query))
}

/**
 * All records of a set, starting at a different one each time (RFC 1794, "DNS Support for Load
 * Balancing").
 */
function rotated(records: RecordSet, rotation: number): ReplyBody {
  const { bytes, count, answerEnds } = records
  if (count === 1) return { bytes, answers: 1, authorities: 0, answerEnds }
  // All records of a set have the same size.
  const cut = (rotation % count) * (bytes.length / count)
  return {
    bytes: Buffer.concat([bytes.subarray(cut), bytes.subarray(0, cut)]),
    answers: count,
    authorities: 0,
    answerEnds,
  }
}

/**
 * The SOA record of a negative answer. It says how long the answer is valid. Its owner name
 * points at the apex, inside the question's name.
 */
function negativeBody(authority: Authority, query: Query): ReplyBody {
  const bytes = Buffer.from(authority.soa)
  const apexOffset = HEADER_BYTES + query.key.length - authority.key.length
  bytes.writeUInt16BE(0xc000 | apexOffset, 0)
  return { bytes, answers: 0, authorities: 1, answerEnds: [] }
}

/** The largest message that the client accepts. */
function replyLimit(query: Query, transport: Transport): number {
  if (transport === 'tcp') return MAX_TCP_BYTES
  if (query.edns === null) return PLAIN_UDP_BYTES
  // Values below 512 mean 512 (RFC 6891 section 6.2.3).
  return Math.max(PLAIN_UDP_BYTES, Math.min(query.edns.udpBytes, MAX_UDP_BYTES))
}

function reply(
  query: Query,
  transport: Transport,
  rcode: number,
  flags: number,
  body: ReplyBody,
): Answer {
  const limit = replyLimit(query, transport)
  return { kind: 'reply', bytes: compose(query, rcode, flags, body, limit), rcode }
}

/** A reply with the body of an upstream answer. It is never authoritative. */
export function upstreamReply(
  query: Query,
  transport: Transport,
  rcode: number,
  body: ReplyBody,
): Buffer {
  return compose(query, rcode, 0, body, replyLimit(query, transport))
}

/** SERVFAIL: no upstream server answered, or a limit forbids asking one. */
export function failureReply(query: Query, transport: Transport): Buffer {
  return compose(query, RCODE.SERVFAIL, 0, NO_BODY, replyLimit(query, transport))
}

/** Puts together header, question, body and OPT. */
function compose(
  query: Query,
  rcode: number,
  flags: number,
  body: ReplyBody,
  limit: number,
): Buffer {
  const optBytes = query.edns === null ? 0 : OPT_BYTES
  const headBytes = HEADER_BYTES + query.question.length
  const fits = headBytes + body.bytes.length + optBytes <= limit
  const sent = fits ? body : cutToFit(body, limit - headBytes - optBytes)
  const bytes = Buffer.allocUnsafe(headBytes + sent.bytes.length + optBytes)
  const echoed = query.flags & (FLAG.RD | FLAG.CD)
  bytes.writeUInt16BE(query.id, 0)
  bytes.writeUInt16BE(FLAG.QR | FLAG.RA | echoed | flags | (fits ? 0 : FLAG.TC) | (rcode & 15), 2)
  bytes.writeUInt16BE(1, 4)
  bytes.writeUInt16BE(sent.answers, 6)
  bytes.writeUInt16BE(sent.authorities, 8)
  bytes.writeUInt16BE(query.edns === null ? 0 : 1, 10)
  bytes.set(query.question, HEADER_BYTES)
  bytes.set(sent.bytes, headBytes)
  if (query.edns !== null) writeOpt(bytes, bytes.length - OPT_BYTES, rcode, query.edns.dnssecOk)
  return bytes
}

/**
 * As many whole answers as fit. A client that sees TC asks again by TCP, but some use only what
 * they received (musl before 1.2.4). The authority section is not needed and is left out (RFC
 * 2181 section 9).
 */
function cutToFit(body: ReplyBody, spaceBytes: number): ReplyBody {
  const ends = body.answerEnds.filter((end) => end <= spaceBytes)
  const bytes = body.bytes.subarray(0, ends.at(-1) ?? 0)
  return { bytes, answers: ends.length, authorities: 0, answerEnds: ends }
}

/**
 * Our OPT record: root owner, our UDP size, the upper bits of the code, version 0, and the
 * client's DO bit (RFC 6891 section 6.1.3, RFC 3225).
 */
function writeOpt(bytes: Buffer, offset: number, rcode: number, dnssecOk: boolean): void {
  bytes.writeUInt8(0, offset)
  bytes.writeUInt16BE(TYPE.OPT, offset + 1)
  bytes.writeUInt16BE(MAX_UDP_BYTES, offset + 3)
  bytes.writeUInt32BE((((rcode >> 4) << 24) | (dnssecOk ? 0x8000 : 0)) >>> 0, offset + 5)
  bytes.writeUInt16BE(0, offset + 9)
}

/** Only a header, for messages whose question cannot be read or cannot be repeated. */
function bareReply(error: {
  readonly id: number
  readonly flags: number
  readonly rcode: number
}): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  const echoed = error.flags & (0x7800 | FLAG.RD)
  bytes.writeUInt16BE(error.id, 0)
  bytes.writeUInt16BE(FLAG.QR | echoed | error.rcode, 2)
  return bytes
}
