/**
 * The lease: how a host shows that it is alive.
 *
 * Each host renews its own lease in the store, for some seconds by the store's clock. Whoever reads
 * a host row sees whether its lease is live. No host watches another, none decides for all, and no
 * host's clock matters. A host without a live lease cannot claim an instance, because the statement
 * that claims it checks the lease (`claimInstance` in `store/records/instance.ts`). So it starts
 * only what it has claimed before.
 *
 * The first host to find an instance that a lost host never claimed gives it to a live host
 * (`orphans.ts`).
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { explain } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { HostAnnouncement } from '../store/records/host.ts'
import type { Store } from '../store/store.ts'
import { createAnnouncer, type DuplicateKind } from './announcement.ts'
import { startLoop } from './loop.ts'
import { endStalledMoves } from './moves.ts'
import { adoptOrphans } from './orphans.ts'

export interface LeaseParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Why this host can take no new instances, for people; null if it can. Never rejects. */
  readonly shortage: () => Promise<string | null>
  /**
   * How surely this host stops instances that others may start again; null: it may not run any.
   * Absent: never.
   */
  readonly fenceLevel?: () => string | null
  /** The storage that this host reaches now. Null: none. Absent: never any. Does not wait. */
  readonly storage?: () => string | null
  /** The address from which it last reached that. Null: not known. Absent: it needs none. */
  readonly storageAddress?: () => string | null
  /** The number of hosts, by the last reading. */
  readonly hosts: () => number
  /** From 0 up to 1. */
  readonly random: () => number
}

export interface LeaseSettings {
  /** This host's row. */
  readonly self: Omit<HostAnnouncement, 'lastSeenAt' | 'shortOf'>
  /** How long a lease lasts without being renewed, in milliseconds. */
  readonly leaseMs: number
  /**
   * How often it is renewed; several times within `leaseMs`. Sooner when the last attempt failed,
   * or when the host begins or ceases to lack something.
   */
  readonly renewMs: number
  /** Called when the host gets the lease, the first time or after it had run out. */
  readonly onHeld: () => void
  /** Called when another machine is found under this host's name or identity. */
  readonly onDuplicate?: (kind: DuplicateKind, by: HostName) => void
}

export interface Lease {
  /**
   * Whether this host has a live lease. Counted from before each request, to be on the safe side.
   */
  held(): boolean
  /**
   * Whether it has been held so long that whoever lives has renewed its own, too. After an outage
   * of the store every lease has run out, and says nothing about its host.
   */
  settled(): boolean
  /** Whether another machine had this host's name when it was last announced. */
  taken(): boolean
  /** Why the last renewal failed; null if it did not. */
  trouble(): string | null
  close(): Promise<void>
}

/** Random delay before adoption, so that two hosts seldom try to adopt the same orphan. */
const ADOPTION_JITTER_MS = 500
/** Shortest time between two searches for orphans by one host... */
const SEARCH_INTERVAL_MS = 4_000
/** ...and, times the number of hosts, so that all of them together search ten times a second. */
const SEARCH_INTERVAL_MS_PER_HOST = 100
/** Longest time between two looks at whether the lease has to be renewed, which cost nothing. */
const LOOK_MS = 1_500
/** Characters that the column `shortOf` holds. */
const SHORTAGE_LIMIT = 255
/**
 * After an outage of the store every lease has run out. Nothing is adopted until the other hosts
 * have had this long to renew theirs.
 */
const GRACE_MS = 3_000

/**
 * Announces this host and renews its lease until closed. Retries while the store is unavailable.
 */
export function startLease(parts: LeaseParts, settings: LeaseSettings): Lease {
  const { clock, log } = parts
  const { leaseMs, renewMs, onHeld } = settings
  const gauge = parts.metrics.gauge(
    'atoll_lease_held',
    '1 while this host has a live lease in the records',
  )
  const lookMs = Math.min(renewMs, LOOK_MS)
  const { announce, taken } = createAnnouncing(parts, settings)
  const adopt = createAdoption(parts)
  const lastShortage = createShortageCheck(parts)
  let saidShort = false
  let renewedAt = Number.NEGATIVE_INFINITY
  let trouble: string | null = null
  let heldUntil = Number.NEGATIVE_INFINITY
  let heldSince = Number.NEGATIVE_INFINITY
  const held = () => clock.monotonic() < heldUntil
  const settled = () => held() && clock.monotonic() - heldSince >= leaseMs + GRACE_MS

  async function renew(shortOf: string | null): Promise<void> {
    const began = clock.monotonic()
    renewedAt = Number.NEGATIVE_INFINITY
    if (!(await announce(shortOf))) return
    saidShort = shortOf !== null
    renewedAt = began
    const hadLease = held()
    heldUntil = began + leaseMs
    if (hadLease) return
    heldSince = began
    onHeld()
  }

  async function tick(signal: AbortSignal): Promise<void> {
    const shortOf = lastShortage()
    const isNews = (shortOf !== null) !== saidShort
    // The next look is early enough.
    if (!isNews && clock.monotonic() - renewedAt <= renewMs - lookMs) return
    try {
      await renew(shortOf)
      trouble = null
      if (settled()) await adopt(signal)
    } catch (error) {
      trouble = explain(error)
      if (!signal.aborted) log.debug({ error }, 'lease not renewed')
    } finally {
      gauge.set(held() ? 1 : 0)
    }
  }

  const loop = startLoop({
    work: tick,
    intervalMs: lookMs,
    clock,
    onError: (error) => log.error({ error }, 'lease renewal failed'),
  })
  return { held, settled, taken, trouble: () => trouble, close: () => loop.close() }
}

/** Writes the lease, and knows whether another machine had this host's name then. */
function createAnnouncing(parts: LeaseParts, { self, leaseMs, onDuplicate }: LeaseSettings) {
  const { store, clock, log } = parts
  const stateLog = createStateLog(log, self.name)
  const announceAnew = createAnnouncer(parts, leaseMs)
  let announced = false
  let taken = false
  return {
    taken: () => taken,
    /** Announces this host. Returns false when another machine has its name, or may have. */
    async announce(shortOf: string | null): Promise<boolean> {
      const fenceLevel = parts.fenceLevel?.() ?? null
      const storage = parts.storage?.() ?? null
      const reached = { storage, ...addressOf(parts.storageAddress?.() ?? null) }
      const said = { shortOf, fenceLevel, ...reached, lastSeenAt: isoTime(clock.now()) }
      stateLog.shortage(shortOf)
      if (announced) {
        const renewed = await store.single((tx) => tx.renewLease(self, leaseMs, said))
        if (renewed === 'done') return true
      }
      const found = await announceAnew({ ...self, ...said })
      if (found.outcome === 'unsure') return false
      taken = found.outcome === 'duplicate'
      stateLog.taken(taken)
      announced = !taken
      if (found.outcome === 'duplicate') onDuplicate?.(found.kind, found.by)
      return !taken
    },
  }
}

/** One that is not known now leaves the last one in the records: processes may still have it. */
function addressOf(storageAddress: string | null): { readonly storageAddress?: string } {
  return storageAddress === null ? {} : { storageAddress }
}

/**
 * Returns the result of the last check and starts another. Renewing never waits for a check: a slow
 * disk must not cost the lease.
 */
function createShortageCheck({ shortage }: LeaseParts): () => string | null {
  let known: string | null = null
  let isChecking = false
  const check = async () => {
    isChecking = true
    known = (await shortage())?.slice(0, SHORTAGE_LIMIT) ?? null
    isChecking = false
  }
  return () => {
    if (!isChecking) void check()
    return known
  }
}

/** Searches for orphans from time to time, and gives them to live hosts. */
function createAdoption({ store, clock, log, hosts, random }: LeaseParts) {
  let searchedAt = clock.monotonic() - random() * SEARCH_INTERVAL_MS
  return async (signal: AbortSignal): Promise<void> => {
    const intervalMs = Math.max(SEARCH_INTERVAL_MS, hosts() * SEARCH_INTERVAL_MS_PER_HOST)
    if (clock.monotonic() - searchedAt < intervalMs) return
    searchedAt = clock.monotonic()
    for (const { instance, from, to } of await endStalledMoves(store, clock))
      log.warn({ instance, from, to }, 'ended a move that nobody worked on')
    if ((await store.single((tx) => tx.orphans(1))).length === 0) return
    await clock.sleep(random() * ADOPTION_JITTER_MS, signal)
    for (const { instance, from, to } of await adoptOrphans(store, clock)) {
      log.warn({ instance, from, to }, 'moved an instance that its lost host had never started')
    }
  }
}

/** Logs each change of this host's state once. */
function createStateLog(log: Log, host: string) {
  let wasShort = false
  let wasTaken: boolean | null = null
  return {
    shortage(of: string | null): void {
      if (of !== null && !wasShort)
        log.warn({ host, shortOf: of }, 'this host takes no new instances')
      if (of === null && wasShort) log.info({ host }, 'this host takes new instances again')
      wasShort = of !== null
    },
    taken(isTaken: boolean): void {
      if (isTaken && wasTaken !== true)
        log.error(
          { host },
          'another machine uses the name of this host: set another host.name here, or run atoll forget if the other is gone; until then this host does nothing',
        )
      if (!isTaken && wasTaken !== false) log.info({ host }, 'host announced in the records')
      wasTaken = isTaken
    },
  }
}
