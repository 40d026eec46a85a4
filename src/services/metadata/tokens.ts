/**
 * IMDSv2 session tokens, without a session table.
 *
 * A token is its expiry and an HMAC-SHA-256 over expiry and instance id, so any daemon with the
 * same key accepts it: a restart ends no session, and a token is worth nothing to another instance.
 * Pure; the key and the time are arguments.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { InstanceId } from '../../model/ids.ts'

/** Longest life of a token: six hours. The shortest is one second. */
export const MAX_TOKEN_SECONDS = 21_600

const EXPIRY_BYTES = 8
const MAC_BYTES = 32
const TOKEN_BYTES = EXPIRY_BYTES + MAC_BYTES
const TOKEN_CHARACTERS = Math.ceil((TOKEN_BYTES * 4) / 3)
/** Keeps this use of the key apart from any other. */
const PURPOSE = 'atoll imds token 1'

export interface Tokens {
  /**
   * A token for the instance that ends `ttlSeconds` after `nowMs` (milliseconds since the epoch).
   */
  issue(instance: InstanceId, ttlSeconds: number, nowMs: number): string
  /**
   * Whether the token was issued to this instance and has not ended. Any text may be asked about.
   */
  isValid(token: string, instance: InstanceId, nowMs: number): boolean
}

/** Tokens under a secret key of at least 16 bytes; throws RangeError for a shorter one. */
export function createTokens(key: Uint8Array): Tokens {
  if (key.length < 16) throw new RangeError('the token key needs at least 16 bytes')
  const macOf = (instance: InstanceId, expiry: Uint8Array): Uint8Array =>
    createHmac('sha256', key).update(`${PURPOSE}\n${instance}\n`).update(expiry).digest()
  return {
    issue(instance, ttlSeconds, nowMs) {
      const expiry = Buffer.alloc(EXPIRY_BYTES)
      expiry.writeBigUInt64BE(BigInt(Math.floor(nowMs)) + BigInt(ttlSeconds) * 1000n)
      return Buffer.concat([expiry, macOf(instance, expiry)]).toString('base64url')
    },
    isValid(token, instance, nowMs) {
      if (token.length !== TOKEN_CHARACTERS) return false
      const bytes = Buffer.from(token, 'base64url')
      if (bytes.length !== TOKEN_BYTES) return false
      const expiry = bytes.subarray(0, EXPIRY_BYTES)
      if (!timingSafeEqual(bytes.subarray(EXPIRY_BYTES), macOf(instance, expiry))) return false
      const leftMs = Number(expiry.readBigUInt64BE()) - nowMs
      // More than the longest life is left only when the clock was set back: such a token would
      // outlive its promise.
      return leftMs > 0 && leftMs <= MAX_TOKEN_SECONDS * 1000
    },
  }
}
