/** Retries with exponential backoff and jitter. */
import type { Clock } from './clock.ts'

/** How long to wait between attempts, in milliseconds. */
export interface Backoff {
  readonly firstMs: number
  /** The maximum. Pauses double up to it. */
  readonly lastMs: number
  /**
   * The random share of each pause, so that callers which failed together do not retry together.
   * `random` returns 0 to 1. Without it, pauses are exact.
   */
  readonly jitter?: { readonly share: number; readonly random: () => number }
}

/** The pause after a number of consecutive failures (the first is 1). */
export function pauseMs({ firstMs, lastMs, jitter }: Backoff, failures: number): number {
  const longestMs = Math.min(lastMs, firstMs * 2 ** Math.max(0, failures - 1))
  return jitter === undefined ? longestMs : longestMs * (1 - jitter.share * jitter.random())
}

/**
 * Repeats `attempt` until it succeeds. Rejects with its error when `again` returns false, with what
 * `again` throws, or with the reason of `signal` when that aborts during a pause.
 */
export async function retry<T>(
  options: {
    readonly clock: Pick<Clock, 'sleep'>
    readonly backoff: Backoff
    readonly signal?: AbortSignal
    /** Called after each failure, with the number of failures and the next pause. */
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
