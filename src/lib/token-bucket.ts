/**
 * A token bucket: how much of something one source may have, in bursts and in the long run.
 *
 * Time is an argument in milliseconds of a clock that never jumps (`Clock.monotonic`).
 */

export interface BucketLimits {
  /** Most that may be taken at once after a quiet time. */
  readonly burst: number
  /** What flows back each second. */
  readonly perSecond: number
}

export interface TokenBucket {
  /** Takes one token; false when there is none. */
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
