/**
 * One question to all members, and who has said yes. A round is won by a majority within the time
 * of an answer. It counts from when it was asked, never from when an answer came: an answer may
 * have waited anywhere, and so may its reader. Pure.
 */
import type { HostName } from '../../model/ids.ts'
import { isMajority, type Membership } from './membership.ts'
import type { FailoverTimes } from './times.ts'

/** A question that was asked. */
export interface Round {
  /** Never used before, by whoever. An answer names it. */
  readonly id: string
  /** By the clock of who asked, from before it was sent. */
  readonly askedAtMs: number
  readonly membership: Membership
  readonly yes: ReadonlySet<HostName>
}

/** What a member says to a round. */
export interface Answer {
  readonly round: string
  readonly by: HostName
  /** The membership that it knows. One of another does not count. */
  readonly version: number
  readonly yes: boolean
}

/** A new round, to which nobody has answered. */
export function beginRound(id: string, membership: Membership, askedAtMs: number): Round {
  return { id, askedAtMs, membership, yes: new Set() }
}

/** The round with this answer, if it counts. */
export function counted(round: Round, answer: Answer): Round {
  const { id, membership, yes } = round
  const counts = answer.yes && answer.round === id && answer.version === membership.version
  return counts ? { ...round, yes: new Set([...yes, answer.by]) } : round
}

/** Whether a majority has said yes, and it is not too late. */
export function isWon(round: Round, nowMs: number, { replyMs }: FailoverTimes): boolean {
  const ageMs = nowMs - round.askedAtMs
  return ageMs >= 0 && ageMs <= replyMs && isMajority(round.membership, round.yes)
}
