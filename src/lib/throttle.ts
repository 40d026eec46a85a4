/** Limits how often work runs: at once after a quiet time, and once more after a burst of calls. */
import type { Clock } from './clock.ts'

/** The result of `throttle`. */
export interface Throttle {
  /** Requests a run. There is one after the last call, at most `intervalMs()` later. */
  call(): void
  /**
   * Says that the work was just done elsewhere. It counts for all calls so far, and the next
   * interval begins.
   */
  done(): void
  /** Drops a pending run, and returns whether there was one. Later calls do nothing. */
  close(): boolean
}

/** Runs `work` for calls, but never twice within `intervalMs()`. */
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

/** Throttles for many keys, independent of each other. */
interface KeyedThrottle<K> {
  call(key: K): void
  done(key: K): void
  close(): void
}

/**
 * Like `throttle`, for each key. Above `limit` keys, the key that was called first is forgotten;
 * its pending run happens at once.
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

/** Returns a function that is true the first time, and then at most once every `everyMs`. */
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
