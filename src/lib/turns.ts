/**
 * Splits long work into short pieces, so that nothing else on the event loop has to wait for it.
 *
 * Each turn of the event loop runs one piece, however many wait. Between two pieces the loop serves
 * sockets and timers. Owners take turns (`round-robin.ts`).
 */
import type { Clock } from './clock.ts'
import { createRoundRobin } from './round-robin.ts'

/**
 * Maximum length of a piece, in milliseconds. A piece can exceed it by the time between two checks.
 * Several kinds of work may each run a piece in one turn of the loop.
 */
const TIME_SLICE_MS = 2

/** Measures the current piece. It begins when it is created. */
export interface TimeSlice {
  /**
   * Whether the piece has used its time. Then others get a turn, and `begin` starts the next piece.
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

/** The turns of all long work in a process. */
export interface Turns {
  /** Resolves when it is the caller's turn: one for each owner, in the order of their requests. */
  next(owner: string): Promise<void>
}

/** Nobody waits at first. */
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
