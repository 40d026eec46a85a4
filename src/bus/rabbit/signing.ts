/**
 * Signs and verifies envelopes: who lacks the cluster's key cannot write one, change one, or have a
 * question answered twice.
 *
 * An envelope is 32 bytes of HMAC-SHA256 (RFC 2104) and then JSON with the messages. The signature
 * covers all of it: addressee, time and id, too. The broker does not know the key, which is used
 * for nothing else.
 *
 * Bells and answers are accepted at any age: a bell does no harm, and an answer names an open
 * question by an id that nobody else knows. A question must be recent by the receiver's clock and
 * is accepted once. If its time is wrong, the receiver answers with its own time, and the asker
 * then uses that clock for this host (`asking.ts`).
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

/** How far a question's time may be from ours, either way. */
export const QUESTION_AGE_MS = 60_000
/** Ids of messages that are remembered; beyond it the oldest are forgotten before their time. */
const SEEN_LIMIT = 50_000
const MAC_BYTES = 32
const SESSION_BYTES = 12
/** Hosts whose clocks are remembered; beyond it the first ones are forgotten, and learned again. */
const CLOCKS_LIMIT = 8_192

/** Why a message was dropped, or one message of it (`unknown`). */
export type Drop =
  | 'oversized'
  | 'forged'
  | 'malformed'
  | 'misaddressed'
  | 'stale'
  | 'repeated'
  | 'unknown'

/**
 * What became of a message: the messages that are understood, or why there are none; `from` is
 * proved.
 */
export interface VerifiedEnvelope {
  readonly messages: readonly BusMessage[]
  readonly from?: HostName
  readonly drop?: Drop
  /** When it was written, by the clock of `from`. */
  readonly atMs?: number
  readonly ageMs?: number
  /** Questions that came at the wrong time: not to be answered, but by that. */
  readonly late?: readonly QuestionMessage[]
}

/** Writes and opens messages for one host. */
export interface Signer {
  /** An id that no other process and no other message has. */
  newId(): string
  /** A message to `to`, or to all hosts, of messages that are JSON already. */
  sign(to: HostName | null, messages: readonly string[]): Buffer
  verify(content: Buffer): VerifiedEnvelope
  /**
   * A host's answer to a question that was open, and so is new, was written at this time by its
   * clock: messages to it go by that.
   */
  learn(from: HostName, atMs: number): void
  /** The messages of a message that this host wrote itself; the broker has returned it. */
  readOwn(content: Buffer): readonly BusMessage[]
}

/**
 * Only hosts with the same `key` understand each other. `random` makes ids unlike those of any
 * other process.
 */
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
  /** By how much the clocks of others are ahead of this one, in milliseconds. */
  const ahead = new Map<HostName, number>()
  let written = 0
  const newId = (): string => {
    written += 1
    return `${session}.${written.toString(36)}`
  }

  const timesFor = (to: HostName | null) => {
    const own = clock.now()
    const at = own + (to === null ? 0 : (ahead.get(to) ?? 0))
    // Nothing before 1970 can be written down.
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
 * HMAC-SHA256 with one key, in JavaScript. A host's messages are few and apart, so what OpenSSL
 * needs for each is no longer in the processor's caches when the next one comes: `createHmac` takes
 * 70 us then where this takes 30, four times in a question and its answer. Of messages in close
 * succession each takes 7 us.
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

/** Messages of a kind that is younger than this version are left out. */
function knownMessages(messages: readonly unknown[]): readonly BusMessage[] {
  return messages.flatMap((message) => busMessageSchema.safeParse(message).data ?? [])
}

/**
 * Tells whether an id is met for the first time, as long as a message with it would still be taken
 * for young.
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
