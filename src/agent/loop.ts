/**
 * One runs, at most one waits.
 *
 * Bell, timer, boot and "an instance ended" are the same wake-up. A wake-up during a run makes
 * exactly one more run start after it, however many come. The work handles its own errors; what it
 * still throws goes to `onError` and the loop goes on.
 */
import type { Clock } from '../lib/clock.ts'

export interface Loop {
  /** Asks for a run. Cheap; may be called from anywhere and as often as one likes. */
  wake(): void
  /** Stops starting runs, aborts the running one's signal and resolves when it has returned. */
  close(): Promise<void>
}

/** Starts the loop with a first run. */
export function startLoop(options: {
  /** `again` asks for another run after this one. */
  readonly work: (signal: AbortSignal, again: () => void) => Promise<void>
  /** Longest time between the end of a run and the start of the next, in milliseconds. */
  readonly intervalMs: number
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}): Loop {
  const { work, intervalMs, clock, onError } = options
  const ending = new AbortController()
  let waiting = true
  let alarm = new AbortController()

  async function runForever(): Promise<void> {
    while (!ending.signal.aborted) {
      if (!waiting) await sleepUntilWoken()
      if (ending.signal.aborted) return
      waiting = false
      try {
        await work(ending.signal, wake)
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
