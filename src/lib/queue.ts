/** One thing after the other. */

/** Does what it is given after all that it was given before, however that ended. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>

/** A queue in which nobody waits yet. */
export function createQueue(): Queue {
  const inTurn = createQueues<null>()
  return (work) => inTurn(null, work)
}

/** A queue for each key, as long as something is done or waits in it. */
export function createQueues<K>(): <T>(key: K, work: () => Promise<T>) => Promise<T> {
  const last = new Map<K, Promise<unknown>>()
  return async (key, work) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work)
    last.set(key, mine)
    try {
      return await mine
    } finally {
      if (last.get(key) === mine) last.delete(key)
    }
  }
}
