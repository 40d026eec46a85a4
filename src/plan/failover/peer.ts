/**
 * What a member answers to others. A host asks for a grant: "do not let me be taken over". A taker
 * asks for consent: "this host may be taken over". Who has said yes to one says no to the other
 * until the time that it promised is over. Pure.
 *
 * So a takeover to which a majority consents comes after the end of every permission that a
 * majority has granted: the two majorities share a member. Nothing is written down. A member that
 * has started does not know what it promised before, so it says no to everything for as long as a
 * promise lasts. (PaxosLease: Trencseni, Gazso, Reinhardt, 2012, arXiv:1209.4187.)
 */
import type { HostName } from '../../model/ids.ts'
import type { Membership } from './membership.ts'
import type { FailoverTimes } from './times.ts'

/** What is asked about a host. */
export type Question = 'grant' | 'consent'

/** A member's memory. */
export interface Peer {
  readonly membership: Membership
  /** It says yes to nothing before. */
  readonly silentUntilMs: number
  /** It consents to nothing before: a majority of the membership before may have granted. */
  readonly noConsentUntilMs: number
  /** What it last said yes to, by host, and until when it says no to the other question. */
  readonly promises: ReadonlyMap<HostName, { readonly to: Question; readonly untilMs: number }>
}

/**
 * A member that knows since now who the members are, and nothing of what it said before
 * `startedAtMs`.
 *
 * It is as one that has run since then, whose promises of before count against everybody, to
 * which every question was lost since, and that adopts a membership now. So it grants as soon as a
 * promise of before is over, also when it had to wait for the membership longer than that. But it
 * consents a whole promise after now, as after each `adopt`: while it waited, a majority of an
 * older membership, without it, may have granted, and what it did not promise itself it does not
 * know.
 */
export function startPeer(
  membership: Membership,
  nowMs: number,
  times: FailoverTimes,
  startedAtMs = nowMs,
): Peer {
  return {
    membership,
    silentUntilMs: startedAtMs + times.promiseMs,
    noConsentUntilMs: nowMs + times.promiseMs,
    promises: new Map(),
  }
}

/** The member with a newer membership. An older one changes nothing. */
export function adopt(
  peer: Peer,
  membership: Membership,
  nowMs: number,
  times: FailoverTimes,
): Peer {
  if (membership.version <= peer.membership.version) return peer
  return { ...peer, membership, noConsentUntilMs: nowMs + times.promiseMs }
}

/** What the member says to a question about a host, and its memory after that. */
export function answer(
  peer: Peer,
  question: Question,
  about: HostName,
  version: number,
  nowMs: number,
  times: FailoverTimes,
): { readonly yes: boolean; readonly peer: Peer } {
  if (!maySayYes(peer, question, about, version, nowMs)) return { yes: false, peer }
  const promise = { to: question, untilMs: nowMs + times.promiseMs }
  return { yes: true, peer: { ...peer, promises: new Map(peer.promises).set(about, promise) } }
}

function maySayYes(
  { membership, silentUntilMs, noConsentUntilMs, promises }: Peer,
  question: Question,
  about: HostName,
  version: number,
  nowMs: number,
): boolean {
  if (version !== membership.version || !membership.members.includes(about)) return false
  if (nowMs < silentUntilMs) return false
  if (question === 'consent' && nowMs < noConsentUntilMs) return false
  const last = promises.get(about)
  return last === undefined || last.to === question || nowMs >= last.untilMs
}
