/**
 * Time as an argument, so that a test or a simulation can be anywhere in it.
 *
 * Nothing outside `lib/` takes the time, waits or sets a timer by Node's own functions
 * (`test/tidy.test.ts` has the list of those that still do).
 */
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds since the epoch. May jump; use it for what people read. */
  now(): number
  /** Milliseconds from an arbitrary start that never jump; use it for deadlines and ages. */
  monotonic(): number
  /**
   * Resolves after `ms`; rejects with the signal's reason when it aborts. Does not keep the process
   * alive.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Calls `run` once after `ms`, unless the function that it returns is called before. Does not
   * keep the process alive.
   */
  after(ms: number, run: () => void): () => void
}

/** The machine's own clock. */
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
 * The machine's own clock, whose sleeps and timers keep the process alive. For a daemon that
 * starts: until it listens, nothing else does.
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
