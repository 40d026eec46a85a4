/**
 * Limits for each source (such as a client address or access key) on something that many share:
 * places, amounts, and requests a second.
 */
import { createBoundedMap } from './bounded-map.ts'
import { type BucketLimits, createTokenBucket, type TokenBucket } from './token-bucket.ts'

/**
 * Places that nobody may hold more of than its limit, nor more than half of what is free.
 *
 * The second rule makes the limit shrink while many hold much (a dynamic threshold, as in
 * shared-memory switches: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
 * However many want everything, some places stay free, and whoever holds none gets one.
 */
export interface Places<K> {
  /** Takes a place; false when `key` may not have one more. */
  take(key: K): boolean
  /** Gives one back that was taken. */
  give(key: K): void
}

/** `total` places, of which one key holds at most `limitOfOne`. */
export function createPlaces<K>(limits: {
  readonly total: number
  readonly limitOfOne: number
}): Places<K> {
  const { total, limitOfOne } = limits
  const held = new Map<K, number>()
  let used = 0
  return {
    take(key) {
      const mine = held.get(key) ?? 0
      if (used >= total || mine >= limitOfOne || mine > (total - used) / 2) return false
      held.set(key, mine + 1)
      used += 1
      return true
    },
    give(key) {
      const mine = held.get(key) ?? 0
      if (mine === 0) return
      used -= 1
      if (mine === 1) held.delete(key)
      else held.set(key, mine - 1)
    },
  }
}

/** How much each source holds of something that is counted. */
export interface Tally<K> {
  /** Held by all. */
  all(): number
  of(key: K): number
  /** Counts some more; what it returns gives that back, once. */
  hold(key: K, amount: number): () => void
}

/** Nobody holds anything. Sources that hold nothing take no room. */
export function createTally<K>(): Tally<K> {
  const held = new Map<K, number>()
  let all = 0
  const add = (key: K, amount: number): void => {
    all += amount
    const mine = (held.get(key) ?? 0) + amount
    if (mine === 0) held.delete(key)
    else held.set(key, mine)
  }
  return {
    all: () => all,
    of: (key) => held.get(key) ?? 0,
    hold(key, amount) {
      add(key, amount)
      let isGiven = false
      return () => {
        if (isGiven) return
        isGiven = true
        add(key, -amount)
      }
    },
  }
}

/**
 * A token bucket for each source. Only so many sources are remembered, those that asked last: one
 * that is forgotten begins with a full bucket.
 */
export function createRates<K>(
  limits: BucketLimits,
  remembered: number,
): (key: K, nowMs: number) => boolean {
  const buckets = createBoundedMap<K, TokenBucket>(remembered)
  return (key, nowMs) => {
    const bucket = buckets.get(key) ?? createTokenBucket(limits, nowMs)
    buckets.set(key, bucket)
    return bucket.take(nowMs)
  }
}
