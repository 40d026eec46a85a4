/**
 * Places that many share, such as open connections: nobody may hold more than its limit, nor more
 * than half of what is free.
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
