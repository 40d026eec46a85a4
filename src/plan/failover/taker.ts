/**
 * Taking over the instances of a lost host, and coming back as that host. Both go by the records,
 * and only one of two can have its way: each replaces the host's epoch, if it is still the one that
 * it has read before anything else. Pure.
 *
 * A taker reads the epoch, asks for consent, and with a majority's consent commits, in one
 * transaction and if the epoch is still that one: another epoch, and each instance as its own, with
 * the next run number. A host whose permission had ended does the same with its own instances.
 * Either starts nothing before its commit is so old that it cannot be lost, and then only what the
 * records still say is its own: a lost takeover would otherwise be done twice.
 *
 * An epoch and the id of an assignment are random, so that nobody ever writes the same again. A
 * counter would come back to a number that somebody has read, after commits were lost.
 */
import type { HostName } from '../../model/ids.ts'
import { isWon, type Round } from './round.ts'
import type { FailoverTimes } from './times.ts'

/** A takeover, as far as it has come. */
export interface Takeover {
  readonly host: HostName
  /** The host's epoch, read before the members were asked. */
  readonly epoch: string
  readonly round: Round
}

/** Who runs an instance, by the records. */
export interface Assignment {
  readonly host: HostName
  /** One more each time that it may be started somewhere else. For people and volumes. */
  readonly run: number
  /** Of the commit that made it so. Never used before. */
  readonly id: string
}

/** What a host has written, so that it may start something. */
export interface OwnCommit extends Assignment {
  /** When its commit was confirmed, by the host's own clock. */
  readonly confirmedAtMs: number
}

/** Whether the members consent, and the records may be asked: if the epoch is still `epoch`. */
export function mayCommit({ round }: Takeover, nowMs: number, times: FailoverTimes): boolean {
  return isWon(round, nowMs, times)
}

/** When what was committed cannot be lost any more, and the records may be asked again. */
export function durableAtMs(
  { confirmedAtMs }: Pick<OwnCommit, 'confirmedAtMs'>,
  { durableMs }: FailoverTimes,
): number {
  return confirmedAtMs + durableMs
}

/**
 * Whether the instance may be started. `found` is what the records say, read at or after
 * `readAtMs`; null: nothing.
 */
export function mayStart(
  own: OwnCommit,
  found: Assignment | null,
  readAtMs: number,
  times: FailoverTimes,
): boolean {
  return readAtMs >= durableAtMs(own, times) && found?.host === own.host && found.id === own.id
}
