/**
 * Signed letters: who lacks the cluster's secret cannot write one, change one, or have a question answered twice.
 *
 * A message is 32 bytes of HMAC-SHA256 (RFC 2104) and then the letter in JSON; the signature covers every byte of it, addressee,
 * time and id included. The key is derived from the cluster's secret (RFC 5869), which is often the broker's password as well.
 *
 * A bell is taken at any age and any number of times, since it can do no harm: it is heard even from a host whose clock is wrong.
 * A question or an answer has to be young, and is taken once.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { HostName } from '../../model/ids.ts'
import { LETTER_LIMIT_BYTES, type Letter, letterSchema, type Said } from './letters.ts'

/** How far a letter's time may be from ours, either way. */
export const LETTER_AGE_MS = 60_000
/** Ids of letters that are remembered; beyond it the oldest are forgotten before their time. */
const SEEN_LIMIT = 50_000
const MAC_BYTES = 32
const SESSION_BYTES = 12

/** Why a message was dropped. */
export type Drop = 'oversized' | 'forged' | 'malformed' | 'misaddressed' | 'stale' | 'repeated'

/** What became of a message: the letter, or why it is none; `from` once the signature has proved it. */
export type Opened =
  | { readonly letter: Letter }
  | { readonly drop: Drop; readonly from?: HostName; readonly ageMs?: number }

/** Writes and opens letters for one host. */
export interface Seal {
  /** A letter to `to`, or to all hosts; the id by which an answer names it. */
  write(to: HostName | null, said: Said): { readonly id: string; readonly content: Buffer }
  open(content: Buffer): Opened
}

/** Only hosts with the same `secret` understand each other. `random` makes ids unlike those of any other process. */
export function createSeal(options: {
  readonly host: HostName
  readonly secret: string
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
}): Seal {
  const { host, clock } = options
  const key = Buffer.from(hkdfSync('sha256', options.secret, '', 'atoll bus letters', MAC_BYTES))
  const session = Buffer.from(options.random(SESSION_BYTES)).toString('base64url')
  const isFresh = rememberer(clock)
  let written = 0

  return {
    write(to, said) {
      written += 1
      const id = `${session}.${written.toString(36)}`
      const json = JSON.stringify({ from: host, to, at: clock.now(), id, ...said })
      const length = Buffer.byteLength(json)
      const content = Buffer.allocUnsafe(MAC_BYTES + length)
      content.write(json, MAC_BYTES)
      macOf(key, content.subarray(MAC_BYTES)).copy(content)
      return { id, content }
    },
    open(content) {
      if (content.length > MAC_BYTES + LETTER_LIMIT_BYTES) return { drop: 'oversized' }
      if (content.length <= MAC_BYTES) return { drop: 'forged' }
      const body = content.subarray(MAC_BYTES)
      if (!timingSafeEqual(macOf(key, body), content.subarray(0, MAC_BYTES)))
        return { drop: 'forged' }
      const letter = parseLetter(body)
      if (letter === undefined) return { drop: 'malformed' }
      const { from, to, at, id, kind } = letter
      if (to !== null && to !== host) return { drop: 'misaddressed', from }
      if (kind === 'bell') return { letter }
      const ageMs = clock.now() - at
      if (Math.abs(ageMs) > LETTER_AGE_MS) return { drop: 'stale', from, ageMs }
      return isFresh(id) ? { letter } : { drop: 'repeated', from }
    },
  }
}

function macOf(key: Buffer, body: Buffer): Buffer {
  return createHmac('sha256', key).update(body).digest()
}

function parseLetter(body: Buffer): Letter | undefined {
  try {
    return letterSchema.safeParse(JSON.parse(body.toString('utf8'))).data
  } catch {
    return undefined
  }
}

/** Tells whether an id is met for the first time, as long as a letter with it would still be taken for young. */
function rememberer(clock: Clock): (id: string) => boolean {
  const seen = new Map<string, number>()
  return (id) => {
    const now = clock.monotonic()
    for (const [old, sinceMs] of seen) {
      if (now - sinceMs <= 2 * LETTER_AGE_MS && seen.size < SEEN_LIMIT) break
      seen.delete(old)
    }
    if (seen.has(id)) return false
    seen.set(id, now)
    return true
  }
}
