/**
 * A loop that runs its work at an interval and whenever it is woken, one run at a time.
 *
 * However many wake-ups come during a run, exactly one more run follows it. If none of them was
 * urgent, it follows after a rest: news that come without a pause, as from a hundred instances that
 * start, take at most a fifth of the time. The work handles its own errors. What it still throws
 * goes to `onError`, and the loop goes on.
 */
import type { Clock } from '../lib/clock.ts'

export interface Loop {
  /** Asks for a run. Cheap; may be called as often as one likes. */
  wake(): void
  /** The same, but the run may wait for some times as long as the last one took. */
  wakeSoon(): void
  /** Starts no more runs, aborts the signal of the current one, and waits for it to return. */
  close(): Promise<void>
}

/** How long a rest is, by the run before it, and at most. */
const REST_FOR_RUN = 4
const LONGEST_REST_MS = 500

/** Starts the loop with a first run. */
export function startLoop(options: {
  /**
   * `again` asks for another run after this one. `woken` aborts when another run is asked for
   * meanwhile.
   */
  readonly work: (signal: AbortSignal, again: () => void, woken: AbortSignal) => Promise<void>
  /** Longest time between the end of a run and the start of the next, in milliseconds. */
  readonly intervalMs: number
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}): Loop {
  const { work, intervalMs, clock, onError } = options
  const ending = new AbortController()
  let due: 'no' | 'soon' | 'now' = 'now'
  let restsUntil = Number.NEGATIVE_INFINITY
  let alarm = new AbortController()
  let news = new AbortController()

  async function runForever(): Promise<void> {
    while (!ending.signal.aborted) {
      if (due === 'no') await sleepUntilWoken(intervalMs)
      const restMs = restsUntil - clock.monotonic()
      if (due === 'soon' && restMs > 0) await sleepUntilWoken(restMs)
      if (ending.signal.aborted) return
      due = 'no'
      news = new AbortController()
      const began = clock.monotonic()
      try {
        await work(ending.signal, wake, news.signal)
      } catch (error) {
        if (!ending.signal.aborted) onError(error)
      }
      const ended = clock.monotonic()
      restsUntil = ended + Math.min(REST_FOR_RUN * (ended - began), LONGEST_REST_MS)
    }
  }

  async function sleepUntilWoken(ms: number): Promise<void> {
    alarm = new AbortController()
    await clock.sleep(ms, AbortSignal.any([alarm.signal, ending.signal])).catch(() => undefined)
  }

  function wake(): void {
    due = 'now'
    alarm.abort()
    news.abort()
  }

  function wakeSoon(): void {
    // What rests goes on with it.
    if (due !== 'no') return
    due = 'soon'
    alarm.abort()
    news.abort()
  }

  const finished = runForever()
  return {
    wake,
    wakeSoon,
    async close() {
      ending.abort()
      await finished
    },
  }
}
