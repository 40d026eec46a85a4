/**
 * Controls concurrency: one call after another, at most a number at once, or one call for all who
 * ask for the same.
 */
import { createRoundRobin } from './round-robin.ts'

/** Runs work after all earlier work has ended, successfully or not. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>

/** An empty queue. */
export function createQueue(): Queue {
  const inTurn = createQueues<null>()
  return (work) => inTurn(null, work)
}

/** A queue for each key that has work. */
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

/** Runs work once for all callers that ask for the same key while it runs. */
export function createSingleFlight<K, V>(): (key: K, work: () => Promise<V>) => Promise<V> {
  const underWay = new Map<K, Promise<V>>()
  return (key, work) => {
    const done = underWay.get(key) ?? work().finally(() => underWay.delete(key))
    underWay.set(key, done)
    return done
  }
}

/** A request for a place. */
interface Turn {
  /** Who asks. Owners take turns. Without an owner, all requests have the same one. */
  readonly owner?: string | undefined
  /** At most one request of a key has a place. */
  readonly key?: string
}

/** Places for work. */
export interface Limit {
  /**
   * Waits for a place. Resolves with the function that returns it. Rejects with the reason of
   * `signal` when it aborts first, and with `full(owner)` when too many requests of this owner
   * wait.
   */
  take(turn: Turn, signal?: AbortSignal): Promise<() => void>
  /** Runs `work` in a place. If one is free, it starts before this returns. */
  run<T>(turn: Turn, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

interface Waiting {
  readonly turn: Turn
  readonly admit: () => void
}

/** All places are free at first. */
export function createLimit(limits: {
  /** Total number of places. */
  readonly places: number
  /** Maximum for one owner. All places by default. */
  readonly ofOne?: number
  /** Maximum number of waiting requests for one owner, and the error for further ones. */
  readonly waitingOfOne?: { readonly count: number; readonly full: () => unknown }
}): Limit {
  const { places, ofOne = places, waitingOfOne } = limits
  const working = new Set<Turn>()
  const waiting = createRoundRobin<Waiting>()

  const isFree = ({ owner, key }: Turn): boolean => {
    if (working.size >= places) return false
    let mine = 0
    for (const one of working) {
      if (key !== undefined && one.key === key) return false
      if (one.owner === owner) mine += 1
    }
    return mine < ofOne
  }
  const occupy = (turn: Turn): (() => void) => {
    // A copy, because a caller may pass the same object twice.
    const mine = { ...turn }
    working.add(mine)
    return () => {
      if (working.delete(mine)) admitNext()
    }
  }
  const admitNext = (): void => {
    while (working.size < places) {
      const next = waiting.take((_owner, { turn }) => isFree(turn))
      if (next === undefined) return
      next.item.admit()
    }
  }

  async function wait(turn: Turn, signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted()
    const owner = turn.owner ?? ''
    if (waitingOfOne !== undefined && waiting.sizeOf(owner) >= waitingOfOne.count)
      throw waitingOfOne.full()
    const { promise, resolve, reject } = Promise.withResolvers<() => void>()
    const one: Waiting = { turn, admit: () => resolve(occupy(turn)) }
    const onAbort = () => {
      if (waiting.remove(owner, one)) reject(signal?.reason)
    }
    waiting.add(owner, one)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  const take: Limit['take'] = async (turn, signal) =>
    isFree(turn) ? occupy(turn) : await wait(turn, signal)
  return {
    take,
    async run(turn, work, signal) {
      const leave = isFree(turn) ? occupy(turn) : await wait(turn, signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
