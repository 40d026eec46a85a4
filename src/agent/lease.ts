/**
 * The lease: how a host says that it is alive, and how all others know when it is not.
 *
 * Each host renews its own in the store, for some seconds by the store's clock; whoever reads a
 * host sees whether its lease is live. No host watches another, none decides for all, and no host's
 * clock matters. A host without a live lease starts nothing that it has not claimed before, because
 * claiming asks for the lease in the same statement (`store.ts`, `claimInstance`).
 *
 * What was accepted for a host and is lost with it before it was ever started is given to another
 * host here (`orphans.ts`), by whichever host comes first.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { explain } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { HostAnnouncement } from '../store/records/host.ts'
import type { Store } from '../store/store.ts'
import { createAnnouncer, type Rival } from './announcement.ts'
import { startLoop } from './loop.ts'
import { adoptOrphans } from './orphans.ts'

export interface LeaseParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /**
   * What this host lacks for taking new instances, in words; null when nothing. Nothing waits for
   * it. Never rejects.
   */
  readonly shortage: () => Promise<string | null>
  /** How many hosts there are, as far as is known. */
  readonly hosts: () => number
  /** From 0 up to 1. */
  readonly random: () => number
}

export interface LeaseSettings {
  /** This host's row. */
  readonly self: Omit<HostAnnouncement, 'lastSeenAt' | 'shortOf'>
  /** How long a lease lasts without being renewed, in milliseconds. */
  readonly leaseMs: number
  /** How often it is renewed; several times within `leaseMs`. */
  readonly renewMs: number
  /** Called when the lease was got, for the first time or again after it had run out. */
  readonly onHeld: () => void
  /** Called when another machine is found to live under this host's name or identity. */
  readonly onRival?: (kind: Rival, by: HostName) => void
}

export interface Lease {
  /** Whether this host has a live lease, as far as it can know: it counts from before it asked. */
  held(): boolean
  /** Whether another machine held one under this host's name when this host last asked. */
  taken(): boolean
  /** Why it could not be renewed the last time; null: it could. */
  trouble(): string | null
  close(): Promise<void>
}

/**
 * Hosts that see the same orphans wait up to this long, each its own time, so that seldom two reach
 * for the same one.
 */
const ADOPTION_JITTER_MS = 500
/** A host looks for orphans this often at most... */
const LOOK_INTERVAL_MS = 4_000
/** ...and all of them together ten times a second: whoever finds one first is soon enough. */
const LOOK_INTERVAL_MS_PER_HOST = 100
/** Characters that the records have for what a host lacks. */
const SHORTAGE_LIMIT = 255
/**
 * After an absence of the store everybody's lease has run out: leave the others this long to renew
 * theirs.
 */
const GRACE_MS = 3_000

/**
 * Announces this host and renews its lease until closed. A store that is away is tried again and
 * again.
 */
export function startLease(parts: LeaseParts, settings: LeaseSettings): Lease {
  const { store, clock, log } = parts
  const { self, leaseMs, renewMs, onHeld } = settings
  const gauge = parts.metrics.gauge(
    'atoll_lease_held',
    '1 while this host has a live lease in the records',
  )
  const tell = createTeller(log, self.name)
  const announceAnew = createAnnouncer(parts, leaseMs)
  const adopt = createAdoption(parts)
  const lookForShortage = createShortageLook(parts)
  let announced = false
  let taken = false
  let trouble: string | null = null
  let heldUntil = Number.NEGATIVE_INFINITY
  let heldSince = Number.NEGATIVE_INFINITY
  const held = () => clock.monotonic() < heldUntil

  /** Says that this host is there; false when another machine has its name. */
  async function announce(): Promise<boolean> {
    const said = { shortOf: lookForShortage(), lastSeenAt: isoTime(clock.now()) }
    tell.shortage(said.shortOf)
    if (announced) {
      const renewed = await store.single((tx) => tx.renewLease(self, leaseMs, said))
      if (renewed === 'done') return true
    }
    const found = await announceAnew({ ...self, ...said })
    if (found.outcome === 'unsure') return false
    taken = found.outcome === 'rival'
    tell.taken(taken)
    announced = !taken
    if (found.outcome === 'rival') settings.onRival?.(found.kind, found.by)
    return !taken
  }

  async function renew(): Promise<void> {
    const began = clock.monotonic()
    if (!(await announce())) return
    const hadLease = held()
    heldUntil = began + leaseMs
    if (hadLease) return
    heldSince = began
    onHeld()
  }

  async function tick(signal: AbortSignal): Promise<void> {
    try {
      await renew()
      trouble = null
      if (held() && clock.monotonic() - heldSince >= leaseMs + GRACE_MS) await adopt(signal)
    } catch (error) {
      trouble = explain(error)
      if (!signal.aborted) log.debug({ error }, 'lease not renewed')
    } finally {
      gauge.set(held() ? 1 : 0)
    }
  }

  const loop = startLoop({
    work: tick,
    intervalMs: renewMs,
    clock,
    onError: (error) => log.error({ error }, 'lease renewal failed'),
  })
  return { held, taken: () => taken, trouble: () => trouble, close: () => loop.close() }
}

/**
 * What was lacking when it was last looked at, and begins to look again: what is slow to answer
 * must not cost the lease.
 */
function createShortageLook({ shortage }: LeaseParts): () => string | null {
  let known: string | null = null
  let isLooking = false
  const look = async () => {
    isLooking = true
    known = (await shortage())?.slice(0, SHORTAGE_LIMIT) ?? null
    isLooking = false
  }
  return () => {
    if (!isLooking) void look()
    return known
  }
}

/** Gives orphans to other hosts, looking for some now and then. */
function createAdoption({ store, clock, log, hosts, random }: LeaseParts) {
  let lookedAt = clock.monotonic() - random() * LOOK_INTERVAL_MS
  return async (signal: AbortSignal): Promise<void> => {
    const intervalMs = Math.max(LOOK_INTERVAL_MS, hosts() * LOOK_INTERVAL_MS_PER_HOST)
    if (clock.monotonic() - lookedAt < intervalMs) return
    lookedAt = clock.monotonic()
    if ((await store.single((tx) => tx.orphans(1))).length === 0) return
    await clock.sleep(random() * ADOPTION_JITTER_MS, signal)
    for (const { instance, from, to } of await adoptOrphans(store, clock)) {
      log.warn(
        { instance, from, to },
        'instance of a lost host was never started: placed elsewhere',
      )
    }
  }
}

/** Says what changed with this host's announcements, once each time. */
function createTeller(log: Log, host: string) {
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
