/**
 * Publishes events (`model/cloud-event.ts`), and notices hosts that are lost or live again.
 *
 * An event is in the records from the commit that made it happen until the bus has taken it. This
 * host publishes its own at once. What another host has not published in time, because it died or
 * its broker is away, any host publishes. So an event is published at least once, always with the
 * same id. Only what a broker did not take for a day, or what is more than can be kept, is dropped
 * and counted.
 *
 * Nothing waits for this loop, and it has at most one batch of events in memory. That a host is
 * lost is one row of the records: the host that inserts it notes the event.
 */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { createIntervalCheck } from '../lib/throttle.ts'
import { cloudEventId, cloudEventOf, type PendingEvent } from '../model/cloud-event.ts'
import { explain } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { Store, Tx } from '../store/store.ts'
import { startLoop } from './loop.ts'

/** Events of one batch. */
const BATCH = 250
/** How long the events of many changes are gathered. */
const GATHER_MS = 50
/** After the bus took no events, how long it is left alone. */
const PAUSE_MS = 2_000
/** The shortest time between two looks of a host at what others left, and at their leases. */
const LOOK_MS = 5_000
/** All hosts together look about this often, or less where they are few. */
const LOOK_MS_OF_ALL = 1_000
/** A lone host has nobody to look for. */
const LOOK_ALONE_MS = 60_000
/** `EventSettings.leftMs` unless it is given. */
const LEFT_MS = 15_000
/**
 * After an outage of the store every lease has run out. No loss is noted until the other hosts have
 * had this long to renew theirs.
 */
const GRACE_MS = 10_000
/** How often an event is offered to queues that refuse it, which are full. */
const REFUSALS_MAX = 3
/** What is kept while no broker takes events. */
const KEPT = { keep: 100_000, ageMs: 86_400_000 }
const WARN_MS = 60_000

/** What publishing needs. */
export interface EventParts {
  readonly store: Store
  readonly bus: Pick<Bus, 'publish'>
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** From 0 up to 1. */
  readonly random: () => number
  /** The number of hosts, as far as known. */
  readonly hosts: () => number
  /** Whether this host has a valid lease, so that the store is there. */
  readonly isLeaseHeld: () => boolean
}

/** This host. */
export interface EventSettings {
  readonly host: HostName
  readonly region: string
  /** After this time an event is published by whoever finds it. */
  readonly leftMs?: number
}

/** The loop. */
export interface EventPublisher {
  /** This host has noted events. */
  wake(): void
  close(): Promise<void>
}

/** Starts to publish. */
export function startEventPublisher(parts: EventParts, settings: EventSettings): EventPublisher {
  const { store, clock, log, random, hosts } = parts
  const { host, leftMs = LEFT_MS } = settings
  const publisher = createPublisher(parts, settings)
  const watch = createHostWatch(parts, host)
  const mayWarn = createIntervalCheck(clock, WARN_MS)
  let lookedAtMs = clock.monotonic() - random() * LOOK_MS
  let pausedUntilMs = Number.NEGATIVE_INFINITY
  /** Whether the records may have events of this host: a run before may have left some. */
  let hasOwn = true

  async function publishOwn(again: () => void): Promise<void> {
    if (!hasOwn || clock.monotonic() < pausedUntilMs) return
    hasOwn = false
    try {
      const { isMore, isStuck } = await publisher.publish({ writer: host })
      hasOwn ||= isMore || isStuck
      if (isMore) again()
      if (isStuck) pausedUntilMs = clock.monotonic() + PAUSE_MS
    } catch (error) {
      hasOwn = true
      throw error
    }
  }

  async function look(): Promise<void> {
    const isAlone = hosts() <= 1
    const intervalMs = isAlone ? LOOK_ALONE_MS : LOOK_MS
    if (clock.monotonic() - lookedAtMs < intervalMs) return
    lookedAtMs = clock.monotonic()
    // By chance, not in turn: hosts that started together would all look at the same time.
    if (random() * hosts() * LOOK_MS_OF_ALL > intervalMs) return
    if (!isAlone) await watch()
    const left = await publisher.publish({ ageMs: leftMs })
    if (left.isStuck) await store.change((tx) => tx.trimPendingEvents(KEPT))
  }

  const loop = startLoop({
    intervalMs: LOOK_MS,
    clock,
    onError: (error) => log.error({ error }, 'publishing events failed because of a bug'),
    async work(signal, again) {
      try {
        await clock.sleep(GATHER_MS, signal)
        await publishOwn(again)
        await look()
      } catch (error) {
        // The events stay in the records.
        if (!signal.aborted && mayWarn()) log.debug({ error }, 'events wait to be published')
      }
    },
  })
  return {
    wake() {
      hasOwn = true
      loop.wake()
    },
    close: loop.close,
  }
}

/** Publishes batches of events, and deletes from the records what the bus has taken. */
function createPublisher(
  { store, bus, clock, log, metrics }: EventParts,
  { region }: EventSettings,
) {
  const total = metrics.counter(
    'atoll_events_total',
    'Events of the bus by result: published; refused by a full queue; failed and kept',
    ['result'],
  )
  const mayWarn = createIntervalCheck(clock, WARN_MS)
  /** How often events were refused by full queues. */
  const refusals = new Map<string, number>()

  /** Whether the event need not be offered again. */
  async function offer(pending: PendingEvent): Promise<boolean> {
    const id = cloudEventId(pending)
    const outcome = await bus.publish(cloudEventOf(pending, region))
    total.inc({ result: outcome === 'taken' ? 'published' : 'refused' })
    const count = (refusals.get(id) ?? 0) + 1
    if (outcome === 'taken' || count >= REFUSALS_MAX) {
      refusals.delete(id)
      return true
    }
    if (refusals.size < BATCH) refusals.set(id, count)
    return false
  }

  return {
    async publish(
      of: { readonly writer: HostName } | { readonly ageMs: number },
    ): Promise<{ readonly isMore: boolean; readonly isStuck: boolean }> {
      const batch = await store.read((tx) => tx.pendingEvents(of, BATCH))
      if (batch.length === 0) return { isMore: false, isStuck: false }
      const offered = await Promise.allSettled(batch.map(offer))
      const done = batch.filter((_one, at) => {
        const outcome = offered[at]
        return outcome?.status === 'fulfilled' && outcome.value
      })
      if (done.length > 0) await store.change((tx) => tx.deletePendingEvents(done))
      const failed = offered.find((one) => one.status === 'rejected')
      if (failed !== undefined) {
        total.inc({ result: 'failed' })
        const why = explain(failed.reason)
        if (mayWarn()) log.warn({ why }, 'the bus takes no events; they wait in the records')
      }
      return { isMore: batch.length === BATCH && done.length > 0, isStuck: failed !== undefined }
    },
  }
}

/** Looks for hosts that lost their lease, and for such that have one again. */
function createHostWatch({ store, clock, isLeaseHeld }: EventParts, host: HostName) {
  let heldSinceMs: number | null = null
  return async (): Promise<void> => {
    if (!isLeaseHeld()) heldSinceMs = null
    else heldSinceMs ??= clock.monotonic()
    if (heldSinceMs === null || clock.monotonic() - heldSinceMs < GRACE_MS) return
    const seen = await store.read((tx) => tx.hostPresence())
    const isAny = seen.back.length > 0 || seen.lost.some((one) => one.host !== host)
    if (isAny) await store.change((tx) => notePresence(tx, host))
  }
}

/** Notes what has changed. Of several hosts that see it, the one whose row counts notes it. */
async function notePresence(tx: Tx, self: HostName): Promise<void> {
  const { lost, back } = await tx.hostPresence()
  for (const one of lost) {
    if (one.host === self) continue
    if ((await tx.insertLostHost(one)) !== 'done') continue
    await tx.noteHostState(one.host, 'lost', self, one.sinceMs)
    await tx.noteNoticeOfHost(one.host, 'system-impaired', self)
  }
  const live = new Set((await tx.hosts()).flatMap((one) => (one.live ? [one.name] : [])))
  for (const one of back) {
    const isOurs = (await tx.deleteLostHost(one)) === 'done'
    // A forgotten host is no longer lost, but does not live again.
    if (!isOurs || !live.has(one.host)) continue
    await tx.noteHostState(one.host, 'live', self, one.sinceMs)
    await tx.noteNoticeOfHost(one.host, 'system-ok', self)
  }
}
