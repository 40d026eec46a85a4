/**
 * The port to this host's process `fence` (`parts/`), which asks the other hosts for permission to
 * run what they may start again, and stops it at the end of that, whether the agent lives or not.
 *
 * All times are milliseconds of CLOCK_BOOTTIME on this machine, the same in every process.
 */

import type { FenceLevel } from '../model/fence-levels.ts'
import type { Guarded } from '../model/guarded.ts'
import type { HostName } from '../model/ids.ts'
import type { Round } from '../plan/failover/round.ts'
import type { FailoverTimes } from '../plan/failover/times.ts'

/** The permission of this host, as far as the agent knows. */
export interface Permission {
  /** Unbroken permission has a number (`plan/failover/holder.ts`). 0: there was none. */
  readonly term: number
  /** Of the term, and never used before; '' with term 0. */
  readonly id: string
  /** When what may not run any more begins to be stopped. In the past: it may run nothing. */
  readonly untilMs: number
}

export interface Fence {
  /** The times that the hosts of this cloud go by. */
  readonly times: FailoverTimes
  nowMs(): number
  /** What was last heard. It runs out by itself when the process is not heard of. */
  permission(): Permission
  /** Null: the process has not been heard of yet. */
  level(): FenceLevel | null
  /**
   * Calls `listener` when a term begins, and when the permission has run out. Returns what ends
   * that.
   */
  onChange(listener: (permission: Permission) => void): () => void
  /**
   * Replaces the list of what has to be stopped. Resolves when the process has taken it: only then
   * may an instance be started that is new in it. An instance stays in the list until nothing of it
   * runs. Errors: `unavailable` when the process does not answer; then nothing may be started.
   */
  guard(all: readonly Guarded[]): Promise<void>
  /**
   * Asks all members whether this host may take over `about`, and returns who has said yes within
   * the time of an answer: at once when they are a majority (`mayCommit` of
   * `plan/failover/taker.ts`). Errors: `unavailable` when the process does not answer, or when
   * there are no members.
   */
  askConsent(about: HostName): Promise<Round>
}
