/**
 * Deadlines for asynchronous work. Work that is late goes on, but its result and its error are
 * dropped.
 */
import type { Clock } from './clock.ts'

interface Deadline {
  readonly clock: Pick<Clock, 'after'>
  readonly ms: number
  /** What it rejects with when the time is up. */
  readonly late: () => unknown
  /** Ends the waiting, too, with its reason. */
  readonly signal?: AbortSignal
}

/**
 * What `work` gives within `ms`. Otherwise it rejects with `late()`, or with the reason of
 * `signal`, at that moment; the signal that `work` got aborts with the same. Work is not begun when
 * `signal` has aborted already.
 */
export async function withDeadline<T>(
  { clock, ms, late, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const over = new AbortController()
  const stop = clock.after(ms, () => over.abort(late()))
  const onAbort = () => over.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await unlessAborted(over.signal, () => work(over.signal))
  } finally {
    stop()
    signal?.removeEventListener('abort', onAbort)
  }
}

/** What `work` gives. When `signal` aborts first, it rejects with the signal's reason. */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** What `work` gives within `ms`, or null when it takes longer. It goes on then. */
export async function inTime<T>(
  clock: Pick<Clock, 'after'>,
  ms: number,
  work: Promise<T>,
): Promise<T | null> {
  const late = Promise.withResolvers<null>()
  const stop = clock.after(ms, () => late.resolve(null))
  try {
    return await Promise.race([work, late.promise])
  } finally {
    stop()
  }
}

/** Length of one tick of `loadTolerantClock`. */
const TICK_MS = 30

/**
 * A clock for deadlines on answers of others, for a process that may get too little CPU time. It
 * counts short ticks, so time in which this process did not run does not count against the other
 * side. A timer takes at most `maxStretch` times as long as asked. Before it calls `run`, what has
 * arrived is read.
 */
export function loadTolerantClock(
  clock: Pick<Clock, 'after' | 'monotonic'>,
  maxStretch: number,
): Pick<Clock, 'after'> {
  return {
    after(ms, run) {
      const lastMs = clock.monotonic() + ms * maxStretch
      let ticksLeft = Math.ceil(ms / TICK_MS)
      const tick = () => {
        ticksLeft -= 1
        const isOver = ticksLeft <= 0 || clock.monotonic() >= lastMs
        // The turn of the event loop in between reads what has arrived.
        stop = isOver ? clock.after(0, run) : clock.after(TICK_MS, tick)
      }
      let stop = clock.after(TICK_MS, tick)
      return () => stop()
    },
  }
}
