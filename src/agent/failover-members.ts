/**
 * This host as a member: one whose answers count before anybody takes over instances. It joins, has
 * its process `fence` go by the newest membership, and acknowledges that in the records.
 *
 * Two memberships with one number would give two majorities that have no host in common. So a
 * membership counts when it has been read twice, so far apart that its commit cannot be lost any
 * more, and an older one than the process goes by never does.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Ipv4 } from '../model/addr.ts'
import type { HostName } from '../model/ids.ts'
import type { Host } from '../model/records.ts'
import { joinedBy, type Membership, mayFollow } from '../plan/failover/membership.ts'
import type { FailoverTimes } from '../plan/failover/times.ts'
import type { FailoverMembers } from '../store/records/failover-members.ts'
import type { HostSelf } from '../store/records/host.ts'
import type { Store } from '../store/store.ts'
import { type Loop, startLoop } from './loop.ts'

/** What the process `fence` is told of the members. */
export interface MemberOrders {
  readonly times: FailoverTimes
  /** Milliseconds of the clock that failover goes by. */
  nowMs(): number
  /** The version of the membership that the process goes by; 0: none, or it is not heard of. */
  version(): number
  /** Has the process go by this membership, soon. */
  order(change: {
    readonly membership: Membership
    readonly addresses: ReadonlyMap<HostName, Ipv4>
  }): void
}

interface FailoverMembersParts {
  readonly store: Store
  readonly fence: MemberOrders
  readonly clock: Clock
  readonly log: Log
  /** Whether this host has had its lease for long. */
  readonly isSettled: () => boolean
}

/**
 * Members change seldom, but a host that goes by an older membership than most others is granted
 * nothing. So it has to find a newer one long before its permission ends.
 */
export const MEMBERS_LOOK_MS = 2_000

/** Goes on until closed. */
export function startFailoverMembers(parts: FailoverMembersParts, self: HostSelf): Loop {
  const { clock, log, fence } = parts
  const look = createFailoverMembers(parts, self)
  return startLoop({
    work: async (signal, again) => {
      if (await look()) return
      await clock.sleep(fence.times.durableMs, signal)
      again()
    },
    intervalMs: MEMBERS_LOOK_MS,
    clock,
    onError: (error) => log.debug({ error }, 'the members of failover could not be read'),
  })
}

/**
 * A function that does the next thing that is to be done. It returns whether nothing is left to do.
 * Errors: the store's.
 */
export function createFailoverMembers(
  parts: FailoverMembersParts,
  self: HostSelf,
): () => Promise<boolean> {
  const { store, fence, log, isSettled } = parts
  /** The newest membership, and when it had been read for the first time. */
  let seen: { readonly text: string; readonly atMs: number } | null = null
  /** The version that was complained of. */
  let warned: number | null = null

  /** Whether this membership was read so long before that it cannot be lost. */
  function isDurable({ version, members }: Membership, readAtMs: number): boolean {
    const text = [version, ...members].join(' ')
    if (seen?.text !== text) seen = { text, atMs: fence.nowMs() }
    return readAtMs - seen.atMs >= fence.times.durableMs
  }

  /**
   * The records know less than the process, as after a restored backup. Nobody may take this host's
   * word for them: what follows from them may have no majority in common with what it goes by.
   */
  async function refuse({ version, acknowledged }: FailoverMembers): Promise<void> {
    if (warned !== version)
      log.error(
        { version, known: fence.version() },
        'the records have an older list of the hosts with fence.enabled than this host goes by; were they restored from a backup? It goes on with its own. Set fence.enabled back on all hosts, restart atolld on all, and set it again',
      )
    warned = version
    if (acknowledged.has(self.name))
      await store.change((tx) => tx.acknowledgeFailoverMembers(self, 0))
  }

  /** Returns whether the process goes by it, and the records say so. */
  async function follow(found: FailoverMembers, hosts: readonly Host[]): Promise<boolean> {
    const { version, members, acknowledged } = found
    const isKnown = fence.version() === version
    fence.order({ membership: { version, members }, addresses: addressesOf(hosts) })
    if (!isKnown) return false
    if (acknowledged.has(self.name)) return true
    const outcome = await store.change((tx) => tx.acknowledgeFailoverMembers(self, version))
    log.info({ version, members, outcome }, 'this host goes by these hosts with fence.enabled')
    return outcome === 'done'
  }

  return async () => {
    const readAtMs = fence.nowMs()
    const { found, hosts } = await store.read(
      async (tx) => {
        const newest = await tx.failoverMembers()
        return { found: newest, hosts: await tx.hosts(newest?.members ?? []) }
      },
      { sees: 'latest' },
    )
    if (found === null) return false
    if ((found?.version ?? 0) < fence.version()) {
      await refuse(found ?? { version: 0, members: [], acknowledged: new Set() })
      return true
    }
    const isFollowed =
      found !== undefined && isDurable(found, readAtMs) && (await follow(found, hosts))
    if (found?.members.includes(self.name) === true) return isFollowed
    if (isSettled()) await join(parts, self.name)
    return false
  }
}

/** Adds this host to the members, when the present ones have heard of each other. */
async function join({ store, log }: FailoverMembersParts, self: HostName): Promise<void> {
  const joined = await store.change(async (tx) => {
    const current = await tx.failoverMembers()
    if (current === null || current?.members.includes(self) === true) return null
    const next = joinedBy(current ?? { version: 0, members: [] }, self)
    if (current !== undefined && !mayFollow(current, current.acknowledged, next)) return null
    const outcome = await tx.changeFailoverMembers(next.version, next.members)
    return outcome === 'done' ? next : null
  })
  if (joined !== null) log.info({ ...joined }, 'this host has joined those with fence.enabled')
}

function addressesOf(hosts: readonly Host[]): ReadonlyMap<HostName, Ipv4> {
  return new Map(
    hosts.flatMap(({ name, fabricAddress }) =>
      fabricAddress === null ? [] : [[name, fabricAddress] as const],
    ),
  )
}
