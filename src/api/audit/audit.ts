/**
 * Who called what, from where, with which result: one record of every call that changes something,
 * fails, or hands out a secret, and of every read if a setting says so.
 *
 * The record of a change is committed with the change (`change.ts`), so neither is there without
 * the other. All records also go to files of this host (`files.ts`). Those of calls that changed
 * nothing are put into the shared records a second later, many at once: a host that dies in that
 * second leaves them in its files only. No call waits for any of this, and none fails because of
 * it.
 */
import type { Clock } from '../../lib/clock.ts'
import { inTime } from '../../lib/deadline.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { createPlaces, createRates } from '../../lib/per-source.ts'
import { createIntervalCheck } from '../../lib/throttle.ts'
import { type AuditEvent, type AuditOwner, OPERATOR, STRANGERS } from '../../model/audit.ts'
import type { InformedStore } from '../../store/replica-reads.ts'
import { formatUuid } from '../request-id.ts'
import { type AuditPlace, auditEventOf, operatorEventOf } from './event.ts'
import { type AuditFileSettings, openAuditFiles } from './files.ts'
import type { Audit } from './port.ts'

/** How long records of calls that changed nothing are gathered. */
const GATHER_MS = 1_000
/** The pause between two transactions while more wait. */
const NEXT_MS = 100
/** How long to wait after the store did not take them. */
const RETRY_MS = 5_000
/** How many may wait for the store, of all owners and of one. */
const WAITING = { total: 2_000, limitOfOne: 500 }
/** Most records of one transaction. */
const AT_ONCE = 50
/** Records of calls that changed nothing, for each owner. More are counted only. */
const RATE = { burst: 200, perSecond: 20 }
const OWNERS_REMEMBERED = 10_000
/** How often surplus records are looked for. One host at a time does, on average. */
const PRUNE_MS = 30_000
const PRUNED_AT_ONCE = 200
/** Most rounds of deletion for one owner at a time. */
const PRUNE_ROUNDS = 100
const DAY_MS = 86_400_000
/** How long closing may take: a disk or a store may hang. */
const CLOSE_MS = 1_000
/** How often the operator is told that records are lost. Each one is counted. */
const WARN_MS = 60_000

/** What is kept, and how long. */
export interface AuditSettings extends AuditFileSettings {
  /** Which reads are recorded. */
  readonly reads: 'none' | 'all'
  /** Records of one account that are kept: of changes, and as many of other calls. */
  readonly recordsPerAccount: number
  readonly days: number
}

/** What recording needs. */
export interface AuditParts {
  readonly store: Pick<InformedStore, 'change' | 'read'>
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array
  /** The number of hosts, as far as known. */
  readonly hosts: () => number
}

/** Records calls from now on. */
export function openAudit(parts: AuditParts, settings: AuditSettings, place: AuditPlace): Audit {
  const { clock, log, metrics, random } = parts
  const lostTotal = metrics.counter(
    'atoll_audit_lost_total',
    'Records of calls that were not kept, by where they are missing',
    ['where'],
  )
  const mayWarn = createIntervalCheck(clock, WARN_MS)
  const lost = (where: 'file' | 'records', count: number, error?: unknown) => {
    lostTotal.inc({ where }, count)
    if (mayWarn())
      log.warn(
        { where, count, ...(error === undefined ? {} : { error }) },
        'records of calls are lost',
      )
  }
  const files = openAuditFiles(settings, (count, why) =>
    lost('file', count, why === 'full' ? undefined : why),
  )
  const queue = createRecordQueue(parts, (count, error) => lost('records', count, error))
  const pruning = startPruning(parts, settings)
  const mayRecord = createRates<AuditOwner>(RATE, OWNERS_REMEMBERED)

  const newId = () => formatUuid(random(16))

  function keep(event: AuditEvent): void {
    files.write(event.owner, event.event)
    queue.add(event)
  }

  return {
    recordsReads: settings.reads === 'all',
    changeOf: (call) => auditEventOf(call, place, 'change'),
    newId,
    committed: (event) => files.write(event.owner, event.event),
    ended(call) {
      const owner = call.caller?.account ?? STRANGERS
      if (!mayRecord(owner, clock.monotonic())) {
        lostTotal.inc({ where: 'rate' })
        return
      }
      keep(auditEventOf(call, place, 'other'))
    },
    ordered: (order) => keep(operatorEventOf({ ...order, id: newId(), atMs: clock.now() }, place)),
    async close() {
      pruning.close()
      await inTime(clock, CLOSE_MS, queue.close())
      await inTime(clock, CLOSE_MS, files.flushed())
    },
  }
}

/** Puts records of calls that changed nothing into the store, many at once. */
function createRecordQueue(
  { store, clock }: Pick<AuditParts, 'store' | 'clock'>,
  lost: (count: number, error?: unknown) => void,
) {
  const places = createPlaces<AuditOwner>(WAITING)
  let waiting: AuditEvent[] = []
  let stop: (() => void) | null = null
  let writing: Promise<void> = Promise.resolve()
  let closed = false

  const schedule = (ms: number): void => {
    if (stop !== null || closed) return
    stop = clock.after(ms, () => {
      stop = null
      writing = write()
    })
  }

  async function write(): Promise<void> {
    const batch = waiting.slice(0, AT_ONCE)
    if (batch.length === 0) return
    try {
      await store.change(async (tx) => {
        for (const event of batch) await tx.insertAuditEvent(event)
      })
      waiting = waiting.slice(batch.length)
      for (const { owner } of batch) places.give(owner)
      if (waiting.length > 0) schedule(NEXT_MS)
    } catch {
      // They wait for the store, and further ones that find no place are lost.
      schedule(RETRY_MS)
    }
  }

  return {
    add(event: AuditEvent): void {
      if (places.take(event.owner)) {
        waiting.push(event)
        schedule(GATHER_MS)
      } else lost(1)
    },
    async close(): Promise<void> {
      closed = true
      stop?.()
      await writing
      await write()
    },
  }
}

/** Deletes what is too much or too old, of one owner after the other. */
function startPruning(
  { store, clock, random, hosts }: AuditParts,
  { recordsPerAccount, days }: AuditSettings,
) {
  const closing = new AbortController()
  const { signal } = closing

  async function prune(owner: AuditOwner): Promise<void> {
    const sinceMs = Math.max(0, clock.now() - days * DAY_MS)
    for (let round = 0; round < PRUNE_ROUNDS && !signal.aborted; round += 1) {
      const count = await store.change(async (tx) => {
        const asked = { keep: recordsPerAccount, sinceMs, limit: PRUNED_AT_ONCE }
        const ids = await tx.surplusAuditEvents(owner, asked)
        await tx.deleteAuditEvents(ids)
        return ids.length
      })
      if (count < PRUNED_AT_ONCE) return
      await clock.sleep(NEXT_MS, signal)
    }
  }

  async function keepOn(): Promise<void> {
    for (;;) {
      await clock.sleep(PRUNE_MS, signal)
      const [turn = 0] = random(1)
      if ((turn / 256) * hosts() >= 1) continue
      try {
        const { value: accounts } = await store.read((tx) => tx.accounts())
        for (const owner of [OPERATOR, STRANGERS, ...accounts.map(({ id }) => id)] as const)
          await prune(owner)
      } catch {
        // The next round finds them again.
      }
    }
  }

  keepOn().catch(() => undefined)
  return { close: () => closing.abort() }
}
