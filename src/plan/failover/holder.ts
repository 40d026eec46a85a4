/**
 * The host whose instances others may start again: until when it may run them. Pure.
 *
 * A grant of a majority gives permission from when it was asked for. Without another one in time,
 * the host stops what others may start again. What it may run after that is another question: its
 * instances may be somewhere else by then. So a permission that had ended begins a new term, and
 * nothing is started in a new term before the records have said so (`taker.ts`).
 */
import { isWon, type Round } from './round.ts'
import type { FailoverTimes } from './times.ts'

/** What the host knows of its permission. */
export interface Holder {
  /** Unbroken permission has a number. 0: there was none since the start. */
  readonly term: number
  /** When the newest question was asked that was granted. Null: none was. */
  readonly grantedAtMs: number | null
}

/** A host that has just started. */
export const NO_PERMISSION: Holder = { term: 0, grantedAtMs: null }

/** The holder, after another answer to this round. */
export function granted(holder: Holder, round: Round, nowMs: number, times: FailoverTimes): Holder {
  if (!isWon(round, nowMs, times)) return holder
  const { term, grantedAtMs } = holder
  if (grantedAtMs !== null && round.askedAtMs <= grantedAtMs) return holder
  const isUnbroken = mayRun(holder, nowMs, times)
  return { term: isUnbroken ? term : term + 1, grantedAtMs: round.askedAtMs }
}

/** When the host has to begin to stop. In the past, when it may run nothing. */
export function permittedUntilMs({ grantedAtMs }: Holder, { permissionMs }: FailoverTimes): number {
  return grantedAtMs === null ? Number.NEGATIVE_INFINITY : grantedAtMs + permissionMs
}

/** Whether the host may run what others may start again. */
export function mayRun(holder: Holder, nowMs: number, times: FailoverTimes): boolean {
  return nowMs < permittedUntilMs(holder, times)
}
