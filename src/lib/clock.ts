/** Time as an argument, so that a test or a simulation can be anywhere in it. */
import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds since the epoch. May jump; use it for what people read. */
  now(): number
  /** Milliseconds from an arbitrary start that never jump; use it for deadlines and ages. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    delay(ms, undefined, signal === undefined ? { ref: false } : { ref: false, signal }),
}

/** A time in EC2's form, `2026-11-22T08:33:27.000Z`. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
