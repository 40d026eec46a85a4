/** A map of limited size. When it is full, it forgets the entry that was set longest ago. */

export interface BoundedMap<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
}

/** An empty one with room for `limit` keys. */
export function createBoundedMap<K, V>(limit: number): BoundedMap<K, V> {
  const kept = new Map<K, V>()
  return {
    get: (key) => kept.get(key),
    set(key, value) {
      kept.delete(key)
      kept.set(key, value)
      if (kept.size <= limit) return
      for (const oldest of kept.keys()) {
        kept.delete(oldest)
        break
      }
    },
  }
}
