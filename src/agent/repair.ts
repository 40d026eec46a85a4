/**
 * Mends what somebody else has changed in the kernel, within a fraction of a second and whatever a
 * pass is waiting for meanwhile: records that do not answer, or an engine that hangs.
 *
 * It applies the services that heed the kernel over the want that holds, when the kernel's
 * notifications say that something has changed. They are safe to repeat, so being woken by what a
 * pass itself has done costs a look and no more. A storm of notifications, which anybody may cause
 * who can change a route or a link of their own, wakes it as often as `MENDING` allows.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { createQueue } from '../lib/queue.ts'
import { createTokenBucket } from '../lib/token-bucket.ts'
import { messageOf } from '../model/errors.ts'
import type { HostWant } from '../model/want.ts'
import type { HostService } from '../services/service.ts'
import { startLoop } from './loop.ts'

/**
 * Looks that may follow each other at once, and those each second that may in the long run: each
 * damage wakes for two.
 */
const MENDING = { burst: 20, perSecond: 20 } as const
/** What comes together is looked at together. */
const GATHER_MS = 10
const LONGEST_PAUSE_MS = 1_000
/** Without notifications the passes look. */
const IDLE_MS = 24 * 3600 * 1000

export interface MenderParts {
  /** In the order in which they are applied; the others are left alone. */
  readonly services: readonly HostService[]
  /** What holds now; null: nothing is known, and nothing is touched. */
  readonly want: () => Promise<HostWant | null>
  /** Calls back with each notification until the returned function is called. */
  readonly watchKernel: (heard: () => void) => () => void
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** Starts listening. Returns what ends it. */
export function startMender(parts: MenderParts): () => Promise<void> {
  const { clock, log, metrics } = parts
  const looks = metrics.counter(
    'atoll_agent_mends_total',
    'Kernel notifications that led to a check',
  )
  const bucket = createTokenBucket(MENDING, clock.monotonic())
  const services = parts.services.filter(({ heedsKernel }) => heedsKernel === true)
  const loop = startLoop({
    work: async (signal) => {
      await clock.sleep(GATHER_MS, signal)
      while (!bucket.take(clock.monotonic())) await clock.sleep(1000 / MENDING.perSecond, signal)
      const want = await parts.want()
      if (want === null) return
      looks.inc()
      const began = clock.monotonic()
      for (const service of services) {
        if (signal.aborted) return
        const child = log.child({ service: service.name, generation: want.local.generation })
        try {
          const now = (await parts.want()) ?? want
          await service.apply({ want: now, resync: false, signal, log: child })
        } catch (error) {
          child.warn({ reason: messageOf(error) }, 'not repaired; the next pass tries again')
          if (service.gate) return
        }
      }
      // A storm of notifications has half of the daemon's time at most.
      await clock.sleep(Math.min(clock.monotonic() - began, LONGEST_PAUSE_MS), signal)
    },
    intervalMs: IDLE_MS,
    clock,
    onError: (error) => log.error({ error }, 'repair failed'),
  })
  const unwatch = parts.watchKernel(() => loop.wake())
  return async () => {
    unwatch()
    await loop.close()
  }
}

/** The service, with one `apply` at a time: passes and mending speak of the same things. */
export function oneAtATime(service: HostService): HostService {
  const inTurn = createQueue()
  return { ...service, apply: (pass) => inTurn(() => service.apply(pass)) }
}
