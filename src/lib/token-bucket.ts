/**
 * A token bucket: limits the bursts and the long-term rate of one source.
 *
 * Time is an argument in milliseconds, from a clock that never jumps (`Clock.monotonic`).
 */

export interface BucketLimits {
  /** Maximum number of tokens, available after a quiet time. */
  readonly burst: number
  /** Tokens that are added each second. */
  readonly perSecond: number
}

export interface TokenBucket {
  /** Takes one token. False when there is none. */
  take(nowMs: number): boolean
}

/** A full bucket. */
export function createTokenBucket(limits: BucketLimits, nowMs: number): TokenBucket {
  let tokens = limits.burst
  let filledAtMs = nowMs
  return {
    take(now) {
      const flowed = (Math.max(0, now - filledAtMs) / 1000) * limits.perSecond
      tokens = Math.min(limits.burst, tokens + flowed)
      filledAtMs = now
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
