/** Turns any number of calls into few: at once when it has been quiet, and once more at the end of a burst. */
import type { Clock } from './clock.ts'

/** What `throttle` gives back. */
export interface Throttle {
  /** Asks for a run. There is one after the last call, at most `intervalMs()` later. */
  call(): void
  /** Somebody else has just done what a run does: it serves the calls so far, and the next interval begins. */
  done(): void
  /** Drops a run that waits; later calls do nothing. */
  close(): void
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
      closed = true
      stop?.()
    },
  }
}
