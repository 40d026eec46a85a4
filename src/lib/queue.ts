/**
 * Controls concurrency: one after the other, at most so many at once, or one run for all who ask
 * for the same.
 */
import { createRoundRobin } from './round-robin.ts'

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

/** Work that is done once for all who ask for the same key while it is under way. */
export function createSingleFlight<K, V>(): (key: K, work: () => Promise<V>) => Promise<V> {
  const underWay = new Map<K, Promise<V>>()
  return (key, work) => {
    const done = underWay.get(key) ?? work().finally(() => underWay.delete(key))
    underWay.set(key, done)
    return done
  }
}

/** What wants a place. */
interface Turn {
  /** For whom. Places are given round among the owners; without an owner all are one. */
  readonly owner?: string | undefined
  /** What is worked at: of one key only one turn has a place. */
  readonly key?: string
}

/** Places for work. */
export interface Limit {
  /**
   * Resolves, with what gives the place back, when there is one. Rejects with the reason of
   * `signal` when it aborts before, and with `full(owner)` when too many of this owner wait.
   */
  take(turn: Turn, signal?: AbortSignal): Promise<() => void>
  /** Does `work` in a place of its own: at once, before it returns, where there is one. */
  run<T>(turn: Turn, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

interface Waiting {
  readonly turn: Turn
  readonly admit: () => void
}

/** Nobody works yet. */
export function createLimit(limits: {
  /** How many have a place at once. */
  readonly places: number
  /** How many of one owner; all, unless said otherwise. */
  readonly ofOne?: number
  /** How many of one owner wait, and what those beyond are told. */
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
    // One of its own: a caller may bring the same object twice.
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
