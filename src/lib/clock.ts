/**
 * Time as an argument, so that tests and simulations can control it.
 *
 * Code outside `lib/` does not read the time, wait or set timers with Node's functions.
 * `test/tidy.test.ts` lists the exceptions.
 */
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds since the epoch. It may jump, so use it only for what people read. */
  now(): number
  /** Milliseconds since an arbitrary start. It never jumps, so use it for deadlines and ages. */
  monotonic(): number
  /**
   * Resolves after `ms`. Rejects with the signal's reason when the signal aborts. Does not keep the
   * process alive.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Calls `run` once after `ms`, unless the returned function is called before. Does not keep the
   * process alive.
   */
  after(ms: number, run: () => void): () => void
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    delay(ms, undefined, signal === undefined ? { ref: false } : { ref: false, signal }),
  after(ms, run) {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}

/**
 * The machine's clock, with sleeps and timers that keep the process alive. A starting daemon uses
 * it, because nothing else keeps it alive until it listens.
 */
export const startingClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * Resolves in the next turn of the event loop, after sockets and timers that are due. Keeps the
 * process alive.
 */
export function nextTurn(): Promise<void> {
  return immediate()
}

/** A time in EC2's form, `2026-11-22T08:33:27.000Z`. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
