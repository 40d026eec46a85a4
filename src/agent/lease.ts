/**
 * The lease: how a host says that it is alive, and how all others know when it is not.
 *
 * Each host renews its own in the store, for some seconds by the store's clock; whoever reads a host sees whether its lease is live.
 * No host watches another, none decides for all, and no host's clock matters. A host without a live lease starts nothing that it
 * has not claimed before, because claiming asks for the lease in the same statement (`store.ts`, `claimInstance`).
 *
 * What was accepted for a host and is lost with it before it was ever started is given to another host here (`orphans.ts`), by
 * whichever host comes first.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Bus } from '../bus/bus.ts'
import { type Clock, isoTime } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { HostAnnouncement, Store } from '../store/store.ts'
import { startLoop } from './loop.ts'
import { adoptOrphans } from './orphans.ts'

export interface LeaseParts {
  readonly store: Store
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** What this host lacks for taking new instances, in words; null when nothing. Never rejects. */
  readonly shortage: () => Promise<string | null>
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
}

export interface Lease {
  /** Whether this host has a live lease, as far as it can know: it counts from before it asked. */
  held(): boolean
  close(): Promise<void>
}

/** Hosts that see the same orphans wait up to this long, each its own time, so that seldom two reach for the same one. */
const ADOPTION_JITTER_MS = 500
/** How often a host looks for orphans; the more hosts there are, the sooner one of them finds one. */
const LOOK_INTERVAL_MS = 4_000
/** After an absence of the store everybody's lease has run out: leave the others this long to renew theirs. */
const GRACE_MS = 3_000

/** Announces this host and renews its lease until closed. A store that is away is tried again and again. */
export function startLease(parts: LeaseParts, settings: LeaseSettings): Lease {
  const { store, bus, clock, log, random, shortage } = parts
  const { self, leaseMs, renewMs, onHeld } = settings
  const gauge = parts.metrics.gauge(
    'atoll_lease_held',
    '1 while this host has a live lease in the records',
  )
  let announced = false
  let shortOf: string | null = null
  let heldUntil = Number.NEGATIVE_INFINITY
  let heldSince = Number.NEGATIVE_INFINITY
  let lookedAt = clock.monotonic() - random() * LOOK_INTERVAL_MS
  const held = () => clock.monotonic() < heldUntil

  function tellShortage(now: string | null): void {
    if (now === null) log.info({ host: self.name }, 'this host takes new instances again')
    else if (shortOf === null)
      log.warn({ host: self.name, shortOf: now }, 'this host takes no new instances')
    shortOf = now
  }

  async function renew(): Promise<void> {
    const began = clock.monotonic()
    const said = { shortOf: await shortage(), lastSeenAt: isoTime(clock.now()) }
    if (said.shortOf !== shortOf) tellShortage(said.shortOf)
    const renewed = announced
      ? await store.single((tx) => tx.renewLease(self.name, leaseMs, said))
      : 'unknown'
    if (renewed === 'unknown')
      await store.transaction((tx) => tx.upsertHost({ ...self, ...said }, leaseMs))
    if (!announced) {
      log.info({ host: self.name }, 'host announced in the records')
      announced = true
    }
    const hadLease = held()
    heldUntil = began + leaseMs
    if (hadLease) return
    heldSince = began
    onHeld()
  }

  async function adopt(signal: AbortSignal): Promise<void> {
    if (clock.monotonic() - heldSince < leaseMs + GRACE_MS) return
    if (clock.monotonic() - lookedAt < LOOK_INTERVAL_MS) return
    lookedAt = clock.monotonic()
    if ((await store.single((tx) => tx.orphans(1))).length === 0) return
    await delay(random() * ADOPTION_JITTER_MS, undefined, { signal })
    for (const { instance, from, to } of await adoptOrphans(store, clock)) {
      log.warn(
        { instance, from, to },
        'instance of a lost host was never started: placed elsewhere',
      )
      if (to !== null) bus.ring(to)
      bus.ringAll()
    }
  }

  async function tick(signal: AbortSignal): Promise<void> {
    try {
      await renew()
      await adopt(signal)
    } catch (error) {
      if (!signal.aborted) log.debug({ error }, 'the lease was not renewed')
    } finally {
      gauge.set(held() ? 1 : 0)
    }
  }

  const loop = startLoop({
    work: tick,
    intervalMs: renewMs,
    clock,
    onError: (error) => log.error({ error }, 'renewing the lease failed as a whole'),
  })
  return { held, close: () => loop.close() }
}
