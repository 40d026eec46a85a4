/**
 * Session tokens of IMDSv2, without stored sessions.
 *
 * A token is its expiry time and an HMAC-SHA-256 of expiry and instance id. Any daemon with the
 * same key accepts it, so a restart ends no session. A token is useless to another instance. Pure;
 * key and time are arguments. What is remembered only saves time.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { InstanceId } from '../../model/ids.ts'

/** The longest lifetime of a token: six hours. The shortest is one second. */
export const MAX_TOKEN_SECONDS = 21_600

const EXPIRY_BYTES = 8
const MAC_BYTES = 32
const TOKEN_BYTES = EXPIRY_BYTES + MAC_BYTES
const TOKEN_CHARACTERS = Math.ceil((TOKEN_BYTES * 4) / 3)
/** Tokens that are remembered as genuine. A client uses one for hours. */
const MAX_REMEMBERED = 256
/** Separates this use of the key from all others. */
const PURPOSE = 'atoll imds token 1'

export interface Tokens {
  /**
   * A token for the instance that expires `ttlSeconds` after `nowMs` (milliseconds since the
   * epoch).
   */
  issue(instance: InstanceId, ttlSeconds: number, nowMs: number): string
  /** Whether the text is a token of this instance that has not expired. */
  isValid(token: string, instance: InstanceId, nowMs: number): boolean
}

/** Tokens signed with a secret key of at least 16 bytes. Throws RangeError for a shorter one. */
export function createTokens(key: Uint8Array): Tokens {
  if (key.length < 16) throw new RangeError('the token key needs at least 16 bytes')
  const macOf = (instance: InstanceId, expiry: Uint8Array): Uint8Array =>
    createHmac('sha256', key).update(`${PURPOSE}\n${instance}\n`).update(expiry).digest()
  /** When genuine tokens expire, in milliseconds since the epoch, by instance and token. */
  const genuine = new Map<string, number>()
  const expiryOf = (token: string, instance: InstanceId): number | undefined => {
    const name = `${instance} ${token}`
    const known = genuine.get(name)
    if (known !== undefined) return known
    const bytes = Buffer.from(token, 'base64url')
    if (bytes.length !== TOKEN_BYTES) return undefined
    const expiry = bytes.subarray(0, EXPIRY_BYTES)
    if (!timingSafeEqual(bytes.subarray(EXPIRY_BYTES), macOf(instance, expiry))) return undefined
    const expiresMs = Number(expiry.readBigUInt64BE())
    if (genuine.size >= MAX_REMEMBERED) genuine.clear()
    genuine.set(name, expiresMs)
    return expiresMs
  }
  return {
    issue(instance, ttlSeconds, nowMs) {
      const expiry = Buffer.alloc(EXPIRY_BYTES)
      expiry.writeBigUInt64BE(BigInt(Math.floor(nowMs)) + BigInt(ttlSeconds) * 1000n)
      return Buffer.concat([expiry, macOf(instance, expiry)]).toString('base64url')
    },
    isValid(token, instance, nowMs) {
      if (token.length !== TOKEN_CHARACTERS) return false
      const expiresMs = expiryOf(token, instance)
      if (expiresMs === undefined) return false
      const leftMs = expiresMs - nowMs
      // More than the longest lifetime is left only if the clock was set back. Such a token would
      // be valid for too long.
      return leftMs > 0 && leftMs <= MAX_TOKEN_SECONDS * 1000
    },
  }
}
