/**
 * What the processes `fence` of the hosts send each other: a question or an answer in one datagram,
 * authenticated with a key that only hosts of the cloud have (HMAC-SHA256, RFC 2104).
 *
 * A question names the ticket that its reader gave out last to who asks, and an answer gives out
 * the next one. So a question that somebody has recorded and sends again is answered with a ticket,
 * and nothing else happens. An answer counts for the round that it names, and no other has that
 * name.
 * Pure.
 *
 * Layout, in network byte order: `AF1` and a type; the membership's version, 8 bytes; the round, 16
 * bytes; the ticket, 16 bytes; two names, each with its length in a byte before it (who speaks,
 * then who it is about); the HMAC of all that, 32 bytes.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type HostName, parseHostName } from '../model/ids.ts'
import type { Question } from '../plan/failover/peer.ts'

/** Bytes of a round's id and of a ticket. */
export const NONCE_BYTES = 16
const MAGIC = Buffer.from('AF1')
const HMAC_BYTES = 32
const HEADER_BYTES = MAGIC.length + 1 + 8 + 2 * NONCE_BYTES
/** Two names of 63 characters. */
export const MAX_DATAGRAM_BYTES = HEADER_BYTES + 2 * 64 + HMAC_BYTES

/** `again`: the ticket was not the newest one; ask with that of this answer. */
type Said = 'yes' | 'no' | 'again'
const TYPES = ['grant', 'consent', 'yes', 'no', 'again'] as const

/** One datagram. */
export interface Message {
  readonly type: Question | Said
  /** The membership that the sender knows. */
  readonly version: number
  /** In hexadecimal digits. */
  readonly round: string
  /** In hexadecimal digits. */
  readonly ticket: string
  /** The sender. */
  readonly by: HostName
  readonly about: HostName
}

/** The bytes of a message. */
export function encodeMessage(message: Message, key: Uint8Array): Buffer {
  const version = Buffer.alloc(8)
  version.writeBigUInt64BE(BigInt(message.version))
  const body = Buffer.concat([
    MAGIC,
    Buffer.of(TYPES.indexOf(message.type)),
    version,
    Buffer.from(message.round, 'hex'),
    Buffer.from(message.ticket, 'hex'),
    named(message.by),
    named(message.about),
  ])
  return Buffer.concat([body, macOf(body, key)])
}

/** A message that a host of this cloud has made. Null: it is anything else. */
export function parseMessage(bytes: Buffer, key: Uint8Array): Message | null {
  if (bytes.length < HEADER_BYTES + HMAC_BYTES || bytes.length > MAX_DATAGRAM_BYTES) return null
  const body = bytes.subarray(0, -HMAC_BYTES)
  if (!timingSafeEqual(bytes.subarray(-HMAC_BYTES), macOf(body, key))) return null
  return bodyOf(body)
}

function bodyOf(body: Buffer): Message | null {
  const type = TYPES[body.readUInt8(MAGIC.length)]
  const version = Number(body.readBigUInt64BE(MAGIC.length + 1))
  const names = namesIn(body.subarray(HEADER_BYTES))
  const isOurs = body.subarray(0, MAGIC.length).equals(MAGIC)
  if (!isOurs || type === undefined || names === null) return null
  if (!Number.isSafeInteger(version)) return null
  const nonce = (index: number) => {
    const at = MAGIC.length + 1 + 8 + index * NONCE_BYTES
    return body.subarray(at, at + NONCE_BYTES).toString('hex')
  }
  const [by, about] = names
  return { type, version, round: nonce(0), ticket: nonce(1), by, about }
}

/** Two names and nothing else. */
function namesIn(bytes: Buffer): readonly [HostName, HostName] | null {
  const first = bytes[0] ?? 0
  const second = bytes[1 + first] ?? 0
  if (bytes.length !== 2 + first + second) return null
  const by = parseHostName(bytes.subarray(1, 1 + first).toString('latin1'))
  const about = parseHostName(bytes.subarray(2 + first).toString('latin1'))
  return by === undefined || about === undefined ? null : [by, about]
}

function named(name: HostName): Buffer {
  const bytes = Buffer.from(name, 'latin1')
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

function macOf(body: Uint8Array, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(body).digest()
}
