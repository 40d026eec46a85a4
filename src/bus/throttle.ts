/** Turns any number of calls into few: at once when it has been quiet, and once more at the end of a burst. */

/** What `throttle` gives back. */
export interface Throttle {
  /** Asks for a run. There is one after the last call, at most `intervalMs()` later. */
  call(): void
  /** Somebody else has just done what a run does: it serves the calls so far, and the next interval begins. */
  done(): void
  /** Drops a run that waits; later calls do nothing. */
  close(): void
}

/** Runs `work` for calls, never twice within `intervalMs()`. `monotonic` is in milliseconds. */
export function throttle(
  work: () => void,
  intervalMs: () => number,
  monotonic: () => number,
): Throttle {
  let last = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let closed = false
  const run = (): void => {
    timer = undefined
    last = monotonic()
    work()
  }
  return {
    done() {
      clearTimeout(timer)
      timer = undefined
      last = monotonic()
    },
    call() {
      if (closed || timer !== undefined) return
      const wait = last + intervalMs() - monotonic()
      if (wait <= 0) run()
      else timer = setTimeout(run, wait).unref()
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
