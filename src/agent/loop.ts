/**
 * A loop that runs its work at an interval and whenever it is woken, one run at a time.
 *
 * However many wake-ups come during a run, exactly one more run follows it. The work handles its
 * own errors. What it still throws goes to `onError`, and the loop goes on.
 */
import type { Clock } from '../lib/clock.ts'

export interface Loop {
  /** Asks for a run. Cheap; may be called as often as one likes. */
  wake(): void
  /** Starts no more runs, aborts the signal of the current one, and waits for it to return. */
  close(): Promise<void>
}

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
  let waiting = true
  let alarm = new AbortController()
  let news = new AbortController()

  async function runForever(): Promise<void> {
    while (!ending.signal.aborted) {
      if (!waiting) await sleepUntilWoken()
      if (ending.signal.aborted) return
      waiting = false
      news = new AbortController()
      try {
        await work(ending.signal, wake, news.signal)
      } catch (error) {
        if (!ending.signal.aborted) onError(error)
      }
    }
  }

  async function sleepUntilWoken(): Promise<void> {
    alarm = new AbortController()
    await clock
      .sleep(intervalMs, AbortSignal.any([alarm.signal, ending.signal]))
      .catch(() => undefined)
  }

  function wake(): void {
    waiting = true
    alarm.abort()
    news.abort()
  }

  const finished = runForever()
  return {
    wake,
    async close() {
      ending.abort()
      await finished
    },
  }
}
