/**
 * Limits for each source (such as a client address or access key) of a shared resource: places,
 * amounts, and requests a second.
 */
import { createBoundedMap } from './bounded-map.ts'
import { type BucketLimits, createTokenBucket, type TokenBucket } from './token-bucket.ts'

/**
 * Places, of which no source may hold more than its limit or more than half of the free ones.
 *
 * The second rule lowers the limit when few places are free (a dynamic threshold, as in
 * shared-memory switches: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
 * Whatever others hold, some places stay free for sources that have none.
 */
export interface Places<K> {
  /** Takes a place. False when `key` may not have another one. */
  take(key: K): boolean
  /** Returns a place. */
  give(key: K): void
}

/** `total` places, of which each key may hold at most `limitOfOne`. */
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

/** How much each source holds of an amount. */
export interface Tally<K> {
  /** The amount that all sources hold. */
  all(): number
  of(key: K): number
  /** Adds to the amount. The returned function subtracts it again, once. */
  hold(key: K, amount: number): () => void
}

/** Starts with nothing held. Sources that hold nothing take no memory. */
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
 * A token bucket for each source. Only the sources that asked last are remembered. A forgotten one
 * begins with a full bucket.
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
