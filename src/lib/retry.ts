/** Retries with exponential backoff and jitter. */
import type { Clock } from './clock.ts'

/** How long to wait between attempts, in milliseconds. */
export interface Backoff {
  readonly firstMs: number
  /** Pauses double up to this. */
  readonly lastMs: number
  /**
   * Which share of each pause is left to chance, so that many who failed together do not come back
   * together. `random` gives from 0 up to 1. Without it pauses are exact.
   */
  readonly jitter?: { readonly share: number; readonly random: () => number }
}

/** The pause after so many failures in a row (the first is 1). */
export function pauseMs({ firstMs, lastMs, jitter }: Backoff, failures: number): number {
  const longestMs = Math.min(lastMs, firstMs * 2 ** Math.max(0, failures - 1))
  return jitter === undefined ? longestMs : longestMs * (1 - jitter.share * jitter.random())
}

/**
 * Does `attempt` until it succeeds. Rejects with its error when `again` says no, with whatever
 * `again` throws, or with the reason of `signal` when that aborts during a pause.
 */
export async function retry<T>(
  options: {
    readonly clock: Pick<Clock, 'sleep'>
    readonly backoff: Backoff
    readonly signal?: AbortSignal
    /** Hears of each failure: how many there are, and the pause that would follow. */
    readonly again: (error: unknown, failures: number, pauseMs: number) => boolean
  },
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt()
    } catch (error) {
      const ms = pauseMs(options.backoff, failures)
      if (!options.again(error, failures, ms)) throw error
      await options.clock.sleep(ms, options.signal)
    }
  }
}
