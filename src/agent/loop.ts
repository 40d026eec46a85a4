/**
 * A loop that runs its work at an interval and whenever it is woken, one run at a time.
 *
 * However many wake-ups come during a run, exactly one more run follows it. If none of them was
 * urgent, and runs have taken much time already, it follows after a rest: news that come without a
 * pause, as from a hundred instances that start, take at most a fifth of the time. The work handles
 * its own errors. What it still throws goes to `onError`, and the loop goes on.
 */
import type { Clock } from '../lib/clock.ts'

export interface Loop {
  /** Asks for a run. Cheap; may be called as often as one likes. */
  wake(): void
  /** The same for what is not urgent: after many runs it may take half a second longer. */
  wakeSoon(): void
  /** Starts no more runs, aborts the signal of the current one, and waits for it to return. */
  close(): Promise<void>
}

/** The share of the time that runs may take, and for how long they may take all of it before. */
const SHARE = 0.2
const BURST_MS = 500
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
  /** How long runs may still take without a rest, when the last one ended. */
  let creditMs = BURST_MS
  let endedAt = clock.monotonic()
  let alarm = new AbortController()
  let news = new AbortController()

  async function runForever(): Promise<void> {
    while (!ending.signal.aborted) {
      if (due === 'no') await sleepUntilWoken(intervalMs)
      const restMs = -creditMs / SHARE - (clock.monotonic() - endedAt)
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
      const now = clock.monotonic()
      const earnedMs = Math.min(BURST_MS, creditMs + SHARE * (now - endedAt))
      creditMs = Math.max(earnedMs - (now - began), -SHARE * LONGEST_REST_MS)
      endedAt = now
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
