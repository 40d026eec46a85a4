/**
 * Repairs what others change in the kernel, within a fraction of a second. It does not wait for a
 * pass, which may be waiting for the records or for a hung engine.
 *
 * At a notification from the kernel it applies the services that watch this namespace to the
 * current want. Applying them is safe to repeat, so a notification about our own change costs one
 * check. A flood of notifications, which anybody can cause who may change routes or links, is
 * limited by `REPAIR_RATE`.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { createQueue } from '../lib/queue.ts'
import { createTokenBucket } from '../lib/token-bucket.ts'
import { messageOf } from '../model/errors.ts'
import type { HostWant } from '../model/want.ts'
import type { HostService, WatchedNamespaces } from '../services/service.ts'
import { startLoop } from './loop.ts'

/** Checks in a burst, and per second in the long run. One damage causes about two checks. */
const REPAIR_RATE = { burst: 20, perSecond: 20 } as const
/** Notifications within this time cause one check. */
const GATHER_MS = 10
const LONGEST_PAUSE_MS = 1_000
/** What goes on by itself need not be waited for. */
const NOW = AbortSignal.abort()
/** Without notifications the passes do the checks. */
const IDLE_MS = 24 * 3600 * 1000

export interface RepairParts {
  /** In the order in which they are applied. Those that watch nothing are ignored. */
  readonly services: readonly HostService[]
  /** The current want; null while nothing is known: then nothing is touched. */
  readonly want: () => Promise<HostWant | null>
  /** Calls back with each notification until the returned function is called. */
  readonly watchKernel: (heard: (where?: WatchedNamespaces) => void) => () => void
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** Starts listening. Returns what ends it. */
export function startRepairLoop(parts: RepairParts): () => Promise<void> {
  const { clock, log, metrics } = parts
  const checks = metrics.counter(
    'atoll_agent_mends_total',
    'Kernel notifications that led to a check',
  )
  const bucket = createTokenBucket(REPAIR_RATE, clock.monotonic())
  const services = parts.services.filter(({ watchesKernel }) => watchesKernel !== undefined)
  const ofVpcs = services.filter(({ watchesKernel }) => watchesKernel === 'vpcs')
  // Once at the beginning for all.
  let isMachineConcerned = true
  const loop = startLoop({
    work: async (signal) => {
      await clock.sleep(GATHER_MS, signal)
      while (!bucket.take(clock.monotonic()))
        await clock.sleep(1000 / REPAIR_RATE.perSecond, signal)
      const want = await parts.want()
      if (want === null) return
      checks.inc()
      const began = clock.monotonic()
      const concerned = isMachineConcerned ? services : ofVpcs
      isMachineConcerned = false
      for (const service of concerned) {
        if (signal.aborted) return
        const child = log.child({ service: service.name, generation: want.local.generation })
        try {
          const now = (await parts.want()) ?? want
          await service.apply({ want: now, resync: false, signal, hurry: NOW, log: child })
        } catch (error) {
          child.warn({ reason: messageOf(error) }, 'not repaired; the next pass tries again')
          if (service.gate) return
        }
      }
      // A flood of notifications takes at most half of the daemon's time.
      await clock.sleep(Math.min(clock.monotonic() - began, LONGEST_PAUSE_MS), signal)
    },
    intervalMs: IDLE_MS,
    clock,
    onError: (error) => log.error({ error }, 'repair failed'),
  })
  const unwatch = parts.watchKernel((where = 'machine') => {
    if (where === 'machine') isMachineConcerned = true
    loop.wake()
  })
  return async () => {
    unwatch()
    await loop.close()
  }
}

/** The service, with one `apply` at a time: a pass and a repair may call it together. */
export function oneAtATime(service: HostService): HostService {
  const inTurn = createQueue()
  return { ...service, apply: (pass) => inTurn(() => service.apply(pass)) }
}
