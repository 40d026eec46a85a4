/** Deadlines for asynchronous work. Late work goes on, but its result or error is dropped. */
import { type Clock, systemClock } from './clock.ts'

interface Deadline {
  readonly clock: Pick<Clock, 'after'>
  readonly ms: number
  /** The error after the deadline. */
  readonly late: () => unknown
  /** Also ends the wait, with its reason. */
  readonly signal?: AbortSignal
}

/**
 * The result of `work`, if it arrives within `ms`. Otherwise rejects at once with `late()` or with
 * the reason of `signal`, and aborts the signal that `work` got. Does not start `work` if `signal`
 * has already aborted.
 */
export async function withDeadline<T>(
  deadline: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await whileHeard(deadline, (over) => work(over))
}

/** As `withDeadline`, but each call of `heard` gives `work` another `ms`. */
export async function whileHeard<T>(
  { clock, ms, late, signal }: Deadline,
  work: (signal: AbortSignal, heard: () => void) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const over = new AbortController()
  const start = () => clock.after(ms, () => over.abort(late()))
  let stop = start()
  let isOver = false
  const heard = () => {
    stop()
    if (!isOver) stop = start()
  }
  const onAbort = () => over.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await unlessAborted(over.signal, () => work(over.signal, heard))
  } finally {
    isOver = true
    stop()
    signal?.removeEventListener('abort', onAbort)
  }
}

/** The result of `work`. Rejects with the signal's reason when `signal` aborts first. */
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

/** The result of `work` if it arrives within `ms`, otherwise null. The work goes on. */
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
 * A clock for deadlines of other parties' answers, for a process that may get too little CPU time.
 * It counts short ticks, so time in which this process does not run does not count against the
 * other party. A timer takes at most `maxStretch` times its time. Data that has arrived is read
 * before `run` is called.
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
        // One more turn of the event loop reads the data that has arrived.
        stop = isOver ? clock.after(0, run) : clock.after(TICK_MS, tick)
      }
      let stop = clock.after(TICK_MS, tick)
      return () => stop()
    },
  }
}

/** For answers of the kernel. They come at once, and wait for a process that does not run. */
export const kernelClock = loadTolerantClock(systemClock, 10)
