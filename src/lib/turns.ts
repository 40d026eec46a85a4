/**
 * Splits long work into short pieces, so that nothing else on the event loop has to wait for it.
 *
 * Each turn of the event loop runs one piece, however many wait; between two pieces the loop serves
 * sockets and timers. Owners take turns (`round-robin.ts`).
 */
import type { Clock } from './clock.ts'
import { createRoundRobin } from './round-robin.ts'

/**
 * How long one piece may run, in milliseconds. A piece can overrun by the time between two checks,
 * and several kinds of work may each run a piece in one turn of the loop.
 */
const TIME_SLICE_MS = 2

/** Measures the piece that is running. It begins when it is created. */
export interface TimeSlice {
  /**
   * Whether the piece has used up its time. Then others get a turn, and `begin` starts the next
   * piece.
   */
  isOver(): boolean
  begin(): void
}

/** A piece that begins now. */
export function createTimeSlice(clock: Pick<Clock, 'monotonic'>): TimeSlice {
  let begunMs = clock.monotonic()
  return {
    isOver: () => clock.monotonic() - begunMs >= TIME_SLICE_MS,
    begin() {
      begunMs = clock.monotonic()
    },
  }
}

/** The turns that all long work of a process shares. */
export interface Turns {
  /**
   * Resolves when it is the caller's turn: one for each owner, in the order in which the owner
   * asked.
   */
  next(owner: string): Promise<void>
}

/** Nobody waits yet. */
export function createTurns(): Turns {
  const waiting = createRoundRobin<() => void>()
  const run = (): void => {
    waiting.take()?.item()
    if (waiting.size > 0) setImmediate(run)
  }
  return {
    next: (owner) =>
      new Promise((resolve) => {
        if (waiting.size === 0) setImmediate(run)
        waiting.add(owner, resolve)
      }),
  }
}
