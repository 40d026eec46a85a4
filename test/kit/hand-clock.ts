/** A clock that a test sets by hand. */
import { type Clock, systemClock } from '../../src/lib/clock.ts'

export interface HandClock extends Clock {
  /** Lets this much time pass. */
  pass(ms: number): void
  /** Sets the wall clock; no time passes. */
  set(ms: number): void
}

/** A clock that stands still at a time. Its waits are the system's. */
export function handClock(startMs: number): HandClock {
  let now = startMs
  let monotonic = 1_000_000
  return {
    now: () => now,
    monotonic: () => monotonic,
    sleep: systemClock.sleep,
    after: systemClock.after,
    pass(ms) {
      now += ms
      monotonic += ms
    },
    set(ms) {
      now = ms
    },
  }
}
