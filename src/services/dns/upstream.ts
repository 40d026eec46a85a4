/**
 * Composes questions for upstream servers, and decides which replies to trust. Pure.
 *
 * A reply counts only if it repeats our random id and our question in the random letter case that
 * we used (RFC 5452 section 9, draft-vixie-dnsext-dns0x20). The socket adds a random port and a
 * fixed sender. Of a trusted reply, the answer and authority sections are kept unchanged. They
 * are served only for the same question: no record of one reply answers another question.
 * Additional records are left out, because forged records are usually put there.
 */
import type { ReplyBody } from './answer.ts'
import {
  CLASS_IN,
  FLAG,
  HEADER_BYTES,
  lowerKey,
  MAX_UDP_BYTES,
  OPT_BYTES,
  type Query,
  RCODE,
  readName,
  readRecord,
  TYPE,
  type WireRecord,
} from './packet.ts'

/** Maximum number of records read from a reply. No real record set in 64 KiB has more. */
const MAX_RECORDS = 2000
/** Longest valid TTL. A value with the top bit set means zero (RFC 2181 section 8). */
const MAX_TTL_SECONDS = 0x7fff_ffff

/**
 * Two questions with equal fields are the same for an upstream server. Letter case does not
 * count; whether DNSSEC records are wanted does.
 */
export interface UpstreamQuestion {
  readonly key: string
  readonly type: number
  readonly dnssecOk: boolean
  /** The server is to return data that it could not validate (RFC 4035 section 3.2.2). */
  readonly checkingDisabled: boolean
}

/** One message as it was sent. */
export interface Sent {
  readonly id: number
  readonly question: Buffer
  readonly message: Buffer
}

/** A reply that may be cached. */
export interface UpstreamAnswer {
  readonly rcode: number
  readonly body: ReplyBody
  /** Positions of the TTLs in `body.bytes`. */
  readonly ttlOffsets: readonly number[]
  /** How long the whole answer is valid. 0 means that it must not be cached. */
  readonly ttlSeconds: number
}

export type Reading =
  | { readonly kind: 'answer'; readonly answer: UpstreamAnswer }
  /** A genuine reply that is of no use. Ask another server. */
  | { readonly kind: 'useless'; readonly reason: UselessReason; readonly rcode: number }
  /** The reply did not fit. Ask again by TCP. */
  | { readonly kind: 'truncated' }
  /**
   * Only the letter case differs: a forged reply, or a server that changes the case. TCP tells
   * which.
   */
  | { readonly kind: 'recased' }
  /** Not a reply to this question. Keep waiting. */
  | { readonly kind: 'stray' }

type UselessReason = 'failure' | 'lame' | 'malformed' | 'ours'

/** The question to forward for a client's query. */
export function upstreamQuestion(query: Query): UpstreamQuestion {
  return {
    key: query.key,
    type: query.type,
    dnssecOk: query.edns?.dnssecOk === true,
    checkingDisabled: (query.flags & FLAG.CD) !== 0,
  }
}

/** Equal for equal questions. */
export function questionKey(question: UpstreamQuestion): string {
  const bits = (question.dnssecOk ? 1 : 0) + (question.checkingDisabled ? 2 : 0)
  return `${question.type}/${bits}/${question.key}`
}

/**
 * Composes the message that asks `question`. `random` provides 34 unpredictable bytes: two for
 * the id, and one bit for the letter case of each of up to 255 bytes of the name.
 */
export function composeQuestion(
  question: UpstreamQuestion,
  random: Uint8Array,
  withEdns: boolean,
): Sent {
  const name = Buffer.from(question.key, 'latin1')
  for (const [index, byte] of name.entries()) {
    const flip = ((random[2 + (index >> 3)] ?? 0) >> (index & 7)) & 1
    if (byte >= 0x61 && byte <= 0x7a && flip === 1) name[index] = byte - 0x20
  }
  const id = ((random[0] ?? 0) << 8) | (random[1] ?? 0)
  const questionEnd = HEADER_BYTES + name.length + 4
  const message = Buffer.alloc(questionEnd + (withEdns ? OPT_BYTES : 0))
  message.writeUInt16BE(id, 0)
  message.writeUInt16BE(FLAG.RD | (question.checkingDisabled ? FLAG.CD : 0), 2)
  message.writeUInt16BE(1, 4)
  message.writeUInt16BE(withEdns ? 1 : 0, 10)
  message.set(name, HEADER_BYTES)
  message.writeUInt16BE(question.type, questionEnd - 4)
  message.writeUInt16BE(CLASS_IN, questionEnd - 2)
  if (withEdns) {
    message.writeUInt16BE(TYPE.OPT, questionEnd + 1)
    message.writeUInt16BE(MAX_UDP_BYTES, questionEnd + 3)
    message.writeUInt32BE(question.dnssecOk ? 0x8000 : 0, questionEnd + 5)
  }
  return { id, question: message.subarray(HEADER_BYTES, questionEnd), message }
}

/** The number of random bytes that `composeQuestion` uses. */
export const QUESTION_RANDOM_BYTES = 34

/**
 * Judges a message that arrived after `sent`. `isOurs` says whether a name lies in one of this
 * host's zones.
 */
export function readReply(
  bytes: Buffer,
  sent: Sent,
  question: UpstreamQuestion,
  isOurs: (key: string) => boolean,
): Reading {
  const stray: Reading = { kind: 'stray' }
  const bodyStart = HEADER_BYTES + sent.question.length
  if (bytes.length < bodyStart || bytes.readUInt16BE(0) !== sent.id) return stray
  const flags = bytes.readUInt16BE(2)
  const isReply = (flags & FLAG.QR) !== 0 && ((flags >> 11) & 15) === 0
  if (!isReply || bytes.readUInt16BE(4) !== 1) return stray
  const echoed = bytes.subarray(HEADER_BYTES, bodyStart)
  if (!echoed.equals(sent.question)) {
    const sameName =
      lowerKey(echoed.toString('latin1')) === lowerKey(sent.question.toString('latin1'))
    return sameName && echoed.readUInt16BE(echoed.length - 4) === question.type
      ? { kind: 'recased' }
      : stray
  }
  if ((flags & FLAG.TC) !== 0) return { kind: 'truncated' }
  const rcode = flags & 15
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN)
    return { kind: 'useless', reason: 'failure', rcode }
  const sections = readSections(bytes, bodyStart, isOurs)
  if (typeof sections === 'string') return { kind: 'useless', reason: sections, rcode }
  return judge(bytes, bodyStart, sections, rcode, question)
}

interface Sections {
  readonly answers: readonly WireRecord[]
  readonly authorities: readonly WireRecord[]
  readonly end: number
}

/** The answer and authority sections, or why the reply is not trusted. */
function readSections(
  bytes: Buffer,
  start: number,
  isOurs: (key: string) => boolean,
): Sections | 'malformed' | 'ours' {
  const counts = { answers: bytes.readUInt16BE(6), authorities: bytes.readUInt16BE(8) }
  const records: WireRecord[] = []
  if (counts.answers + counts.authorities > MAX_RECORDS) return 'malformed'
  let offset = start
  for (let left = counts.answers + counts.authorities; left > 0; left -= 1) {
    const owner = readName(bytes, offset)
    const record = readRecord(bytes, offset)
    if (owner === undefined || record === undefined || record.class !== CLASS_IN) return 'malformed'
    if (record.type === TYPE.OPT || !namesInside(bytes, record)) return 'malformed'
    if (isOurs(owner.key)) return 'ours'
    records.push(record)
    offset = record.end
  }
  return {
    answers: records.slice(0, counts.answers),
    authorities: records.slice(counts.answers),
    end: offset,
  }
}

/**
 * Whether names in the record's data end where the data ends, for the types that may compress
 * names (RFC 3597 section 4).
 */
function namesInside(bytes: Buffer, record: WireRecord): boolean {
  switch (record.type) {
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
    case TYPE.DNAME:
      return readName(bytes, record.dataStart)?.end === record.end
    case TYPE.MX:
      return readName(bytes, record.dataStart + 2)?.end === record.end
    case TYPE.SOA: {
      const server = readName(bytes, record.dataStart)
      const mailbox = server === undefined ? undefined : readName(bytes, server.end)
      return mailbox !== undefined && mailbox.end + 20 === record.end
    }
    default:
      return true
  }
}

function judge(
  bytes: Buffer,
  bodyStart: number,
  sections: Sections,
  rcode: number,
  question: UpstreamQuestion,
): Reading {
  const { answers, authorities } = sections
  const positive = answers.some(({ type }) => type === question.type || question.type === TYPE.ANY)
  const soa = authorities.find(({ type }) => type === TYPE.SOA)
  const isReferral = answers.length === 0 && authorities.some(({ type }) => type === TYPE.NS)
  if (rcode === RCODE.NOERROR && isReferral && soa === undefined)
    return { kind: 'useless', reason: 'lame', rcode }
  const records = [...answers, ...authorities]
  const ttls = records.map(({ ttl }) => (ttl > MAX_TTL_SECONDS ? 0 : ttl))
  // A negative answer is cached for the SOA's minimum, and not at all without an SOA (RFC 2308
  // section 5).
  if (!positive) ttls.push(soa === undefined ? 0 : bytes.readUInt32BE(soa.end - 4))
  return {
    kind: 'answer',
    answer: {
      rcode,
      body: {
        // A copy, because a slice would keep the whole message in memory.
        bytes: Buffer.from(bytes.subarray(bodyStart, sections.end)),
        answers: answers.length,
        authorities: authorities.length,
        answerEnds: answers.map(({ end }) => end - bodyStart),
      },
      ttlOffsets: records.map(({ ttlOffset }) => ttlOffset - bodyStart),
      ttlSeconds: Math.min(...ttls),
    },
  }
}

/** The body `ageSeconds` after it arrived: every TTL is shorter by that time. */
export function agedBody(answer: UpstreamAnswer, ageSeconds: number): ReplyBody {
  const bytes = Buffer.from(answer.body.bytes)
  for (const offset of answer.ttlOffsets) {
    const ttl = bytes.readUInt32BE(offset)
    bytes.writeUInt32BE(ttl > MAX_TTL_SECONDS ? 0 : Math.max(0, ttl - ageSeconds), offset)
  }
  return { ...answer.body, bytes }
}
