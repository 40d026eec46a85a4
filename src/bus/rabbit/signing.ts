/**
 * Signs and verifies envelopes. Without the cluster's key nobody can write or change one, or have a
 * question answered twice.
 *
 * An envelope is 32 bytes of HMAC-SHA256 (RFC 2104), followed by JSON with the messages. The
 * signature covers all of it, including addressee, time and id. The broker does not know the key,
 * which is used for nothing else.
 *
 * Bells and answers of any age are accepted: a bell does no harm, and an answer names an open
 * question by an id that nobody else knows. A question must be recent by the receiver's clock, and
 * is accepted once. If its time is wrong, the receiver answers with its own time. The asker then
 * uses that clock for this host (`asking.ts`).
 */
import { timingSafeEqual } from 'node:crypto'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import type { Clock } from '../../lib/clock.ts'
import type { HostName } from '../../model/ids.ts'
import {
  type BusMessage,
  busMessageSchema,
  ENVELOPE_LIMIT_BYTES,
  envelopeSchema,
  type QuestionMessage,
} from './messages.ts'

/** Maximum difference between a question's time and ours. */
export const QUESTION_AGE_MS = 60_000
/** Maximum number of remembered message ids. Above it the oldest are forgotten early. */
const SEEN_LIMIT = 50_000
const MAC_BYTES = 32
const SESSION_BYTES = 12
/** Maximum number of remembered clocks of hosts. Forgotten ones are learned again. */
const CLOCKS_LIMIT = 8_192

/** Why an envelope was dropped, or a message in it (`unknown`). */
export type Drop =
  | 'oversized'
  | 'forged'
  | 'malformed'
  | 'misaddressed'
  | 'stale'
  | 'repeated'
  | 'unknown'

/** The result of verifying: the known messages, or why there are none. `from` is authenticated. */
export interface VerifiedEnvelope {
  readonly messages: readonly BusMessage[]
  readonly from?: HostName
  readonly drop?: Drop
  /** When it was written, by the clock of `from`. */
  readonly atMs?: number
  readonly ageMs?: number
  /** Questions with a wrong time. They only get an answer that says so. */
  readonly late?: readonly QuestionMessage[]
}

/** Writes and verifies envelopes for one host. */
export interface Signer {
  /** An id that no other process or message has. */
  newId(): string
  /** An envelope to `to`, or to all hosts, with messages that are JSON already. */
  sign(to: HostName | null, messages: readonly string[]): Buffer
  verify(content: Buffer): VerifiedEnvelope
  /**
   * Learns another host's clock from an answer to an open question, which must be recent. Envelopes
   * to the host then use that clock.
   */
  learn(from: HostName, atMs: number): void
  /** The messages of an envelope that this host wrote and the broker returned. */
  readOwn(content: Buffer): readonly BusMessage[]
}

/** Only hosts with the same `key` accept each other's envelopes. `random` makes ids unique. */
export function createSigner(options: {
  readonly host: HostName
  readonly key: Uint8Array
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
}): Signer {
  const { host, clock } = options
  const macOf = keyedMac(options.key)
  const session = Buffer.from(options.random(SESSION_BYTES)).toString('base64url')
  const isFresh = rememberer(clock)
  /** How far the clocks of others are ahead of ours, in milliseconds. */
  const ahead = new Map<HostName, number>()
  let written = 0
  const newId = (): string => {
    written += 1
    return `${session}.${written.toString(36)}`
  }

  const timesFor = (to: HostName | null) => {
    const own = clock.now()
    const at = own + (to === null ? 0 : (ahead.get(to) ?? 0))
    // Times before 1970 cannot be written.
    return { at: Math.max(0, Math.round(at)), clock: Math.max(0, Math.round(own)) }
  }

  return {
    newId,
    learn(from, atMs) {
      ahead.delete(from)
      const [oldest] = ahead.keys()
      if (ahead.size >= CLOCKS_LIMIT && oldest !== undefined) ahead.delete(oldest)
      ahead.set(from, atMs - clock.now())
    },
    sign(to, messages) {
      const head = JSON.stringify({ from: host, to, ...timesFor(to), id: newId() })
      const json = `${head.slice(0, -1)},"letters":[${messages.join(',')}]}`
      const content = Buffer.allocUnsafe(MAC_BYTES + Buffer.byteLength(json))
      content.write(json, MAC_BYTES)
      content.set(macOf(content.subarray(MAC_BYTES)))
      return content
    },
    verify(content) {
      if (content.length > MAC_BYTES + ENVELOPE_LIMIT_BYTES) return dropped('oversized')
      if (content.length <= MAC_BYTES) return dropped('forged')
      const body = content.subarray(MAC_BYTES)
      if (!timingSafeEqual(macOf(body), content.subarray(0, MAC_BYTES))) return dropped('forged')
      const envelope = parseEnvelope(body)
      if (envelope === undefined) return dropped('malformed')
      const { from, to, at, clock: atMs = at, id } = envelope
      if (to !== null && to !== host) return { ...dropped('misaddressed'), from }
      const messages = knownMessages(envelope.letters)
      const unknown = messages.length < envelope.letters.length ? { drop: 'unknown' as const } : {}
      const verified: VerifiedEnvelope = { messages, from, atMs, ...unknown }
      const asks = messages.filter((message) => message.kind === 'ask')
      if (asks.length === 0) return verified
      const ageMs = clock.now() - at
      const others = messages.filter(({ kind }) => kind !== 'ask')
      if (Math.abs(ageMs) > QUESTION_AGE_MS)
        return { ...verified, messages: others, drop: 'stale', ageMs, late: asks }
      return isFresh(id) ? verified : { ...verified, messages: others, drop: 'repeated' }
    },
    readOwn: (content) => knownMessages(parseEnvelope(content.subarray(MAC_BYTES))?.letters ?? []),
  }
}

/**
 * HMAC-SHA256 with one key, in JavaScript. A host sends few messages, so OpenSSL's code and data
 * are usually no longer in the processor's caches: `createHmac` takes 70 us then, and this takes
 * 30, four times for a question and its answer. In close succession each takes 7 us.
 */
function keyedMac(key: Uint8Array): (body: Uint8Array) => Uint8Array {
  const keyed = hmac.create(sha256, key)
  return (body) => keyed.clone().update(body).digest()
}

function dropped(drop: Drop): VerifiedEnvelope {
  return { messages: [], drop }
}

function parseEnvelope(body: Buffer) {
  try {
    return envelopeSchema.safeParse(JSON.parse(body.toString('utf8'))).data
  } catch {
    return undefined
  }
}

/** Messages of kinds that this version does not know are left out. */
function knownMessages(messages: readonly unknown[]): readonly BusMessage[] {
  return messages.flatMap((message) => busMessageSchema.safeParse(message).data ?? [])
}

/**
 * Tells whether an id is new. It remembers an id as long as a message with it would still count as
 * recent.
 */
function rememberer(clock: Clock): (id: string) => boolean {
  const seen = new Map<string, number>()
  return (id) => {
    const now = clock.monotonic()
    for (const [old, sinceMs] of seen) {
      if (now - sinceMs <= 2 * QUESTION_AGE_MS && seen.size < SEEN_LIMIT) break
      seen.delete(old)
    }
    if (seen.has(id)) return false
    seen.set(id, now)
    return true
  }
}
