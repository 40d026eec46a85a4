/**
 * Whose answers count. Any two majorities have a member in common, also one of a membership and one
 * of the next: they differ by one member, and a third is made only when the second is in use. Pure.
 *
 * The argument is that of Raft's single-server changes (Ongaro, "Consensus: Bridging Theory and
 * Practice", section 4.1, and his correction of 2015: the current membership has to be in use by a
 * majority before it is replaced).
 */
import type { HostName } from '../../model/ids.ts'

/** The members, all of whom count, also those that are lost. */
export interface Membership {
  /** Each change is the next number. */
  readonly version: number
  readonly members: readonly HostName[]
}

/** Whether these hosts are more than half of the members. Others among them do not count. */
export function isMajority({ members }: Membership, of: ReadonlySet<HostName>): boolean {
  return 2 * members.filter((member) => of.has(member)).length > members.length
}

/**
 * Whether `next` may replace `current`: one member more or less, and a majority of the current
 * members has `acknowledged` the current membership.
 */
export function mayFollow(
  current: Membership,
  acknowledged: ReadonlySet<HostName>,
  next: Membership,
): boolean {
  const [before, after] = [new Set(current.members), new Set(next.members)]
  return (
    next.version === current.version + 1 &&
    after.size === next.members.length &&
    after.size > 0 &&
    before.symmetricDifference(after).size === 1 &&
    isMajority(current, acknowledged)
  )
}

/** The next membership, with this host, which is none of the members. */
export function joinedBy({ version, members }: Membership, host: HostName): Membership {
  return { version: version + 1, members: [...members, host] }
}

/** The next membership, without this host. */
export function leftBy({ version, members }: Membership, host: HostName): Membership {
  return { version: version + 1, members: members.filter((member) => member !== host) }
}
