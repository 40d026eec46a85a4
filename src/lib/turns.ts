/**
 * Long work in short pieces, so that nobody else on the event loop waits for it.
 *
 * Each turn of the loop gives one piece of work its turn, however many wait: between two pieces the
 * loop looks at every socket and timer. Without that the pieces of a hundred requests would run one
 * after the other in one turn. Turns go round among the owners of the work (`round-robin.ts`).
 */
import type { Clock } from './clock.ts'
import { createRoundRobin } from './round-robin.ts'

/**
 * How long one piece of long work may last, in milliseconds. A piece overruns by what lies between
 * two looks at the clock, and several kinds of work (a request, a long list from the records) may
 * each have a piece in one turn of the loop: whoever waits, waits for all.
 */
const TIME_SLICE_MS = 2

/** One piece of long work: it begins when it is made. */
export interface TimeSlice {
  /** Whether it has lasted long enough: others are to have a turn, and then it begins anew. */
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
