/** What a host does with its records after each pass, besides making its want real. */
import type { Snapshot } from '../plan/want.ts'

/** One such task. It runs only with records that were read in the same pass. */
export interface Duty {
  /** For the log. */
  readonly name: string
  /**
   * Returns whether another pass should follow at once, because it has changed this host's records
   * or has more to do. What it throws is logged, and it runs again after the next pass.
   */
  run(snapshot: Snapshot, signal: AbortSignal): Promise<boolean>
  /** Ends its timers, and saves what it has. */
  close(): Promise<void>
}
