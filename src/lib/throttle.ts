/**
 * Limits how often something runs: at once after a quiet time, and once more at the end of a burst
 * of calls.
 */
import type { Clock } from './clock.ts'

/** What `throttle` gives back. */
export interface Throttle {
  /** Asks for a run. There is one after the last call, at most `intervalMs()` later. */
  call(): void
  /**
   * Somebody else has just done what a run does: it serves the calls so far, and the next interval
   * begins.
   */
  done(): void
  /** Drops a run that waits, and says whether there was one; later calls do nothing. */
  close(): boolean
}

/** Runs `work` for calls, never twice within `intervalMs()`. */
export function throttle(
  work: () => void,
  intervalMs: () => number,
  clock: Pick<Clock, 'after' | 'monotonic'>,
): Throttle {
  let last = Number.NEGATIVE_INFINITY
  let stop: (() => void) | undefined
  let closed = false
  const run = (): void => {
    stop = undefined
    last = clock.monotonic()
    work()
  }
  return {
    done() {
      stop?.()
      stop = undefined
      last = clock.monotonic()
    },
    call() {
      if (closed || stop !== undefined) return
      const wait = last + intervalMs() - clock.monotonic()
      if (wait <= 0) run()
      else stop = clock.after(wait, run)
    },
    close() {
      const waits = stop !== undefined && !closed
      closed = true
      stop?.()
      return waits
    },
  }
}

/** Throttles of many keys, each on its own. */
interface KeyedThrottle<K> {
  call(key: K): void
  done(key: K): void
  close(): void
}

/**
 * As `throttle`, for each key. Beyond `limit` keys the one that was first called is forgotten; what
 * it still owed is done at once.
 */
export function throttleByKey<K>(
  work: (key: K) => void,
  intervalMs: () => number,
  clock: Pick<Clock, 'after' | 'monotonic'>,
  limit: number,
): KeyedThrottle<K> {
  const known = new Map<K, Throttle>()
  let closed = false

  function forgetOldest(): void {
    const [oldest] = known
    if (oldest === undefined) return
    const [key, one] = oldest
    known.delete(key)
    if (one.close()) work(key)
  }

  return {
    call(key) {
      if (closed) return
      let one = known.get(key)
      if (one === undefined) {
        if (known.size >= limit) forgetOldest()
        one = throttle(() => work(key), intervalMs, clock)
        known.set(key, one)
      }
      one.call()
    },
    done: (key) => known.get(key)?.done(),
    close() {
      closed = true
      for (const one of known.values()) one.close()
    },
  }
}

/** Returns a function that is true the first time, and then at most once in `everyMs`. */
export function createIntervalCheck(
  clock: Pick<Clock, 'monotonic'>,
  everyMs: number,
): () => boolean {
  let lastMs = Number.NEGATIVE_INFINITY
  return () => {
    if (clock.monotonic() - lastMs < everyMs) return false
    lastMs = clock.monotonic()
    return true
  }
}
