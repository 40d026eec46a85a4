/**
 * Plugs NICs of running instances in again that lead into no instance any more. It does not wait
 * for a pass, which may be waiting for the records or for a hung engine.
 *
 * What fails is tried again when the NIC is found so again: in each pass, or at a resync in the
 * namespace of a VPC.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { throttle, throttleByKey } from '../lib/throttle.ts'
import { createTokenBucket, type TokenBucket } from '../lib/token-bucket.ts'
import { messageOf } from '../model/errors.ts'
import type { InstanceId, NicId } from '../model/ids.ts'
import type { LooseNic } from '../model/loose-nic.ts'
import type { NicWant } from '../model/want.ts'
import type { WorkloadDriver } from './driver.ts'

/** Shortest time between two attempts for one instance. */
const AGAIN_MS = 100
/** Attempts for one instance, whose guest may cause them without end. */
const ATTEMPTS = { burst: 200, perSecond: 1 } as const
/** Shortest time between two passes that are asked for. */
const WAKE_MS = 1_000
/** Instances that wait at the same time. Above it they do not wait. */
const WAITING_LIMIT = 4_096
/** How long a failure is reported that nobody has seen again. Longer than a resync is apart. */
const REPORTED_MS = 150_000

export interface Replugs {
  /** Returns at once. Those of instances that do not run are ignored. */
  add(nics: readonly LooseNic[]): void
  /** A sentence for each instance whose NICs could not be plugged in. */
  hanging(): readonly string[]
  close(): void
}

interface ReplugOptions {
  readonly driver: Pick<WorkloadDriver, 'replug'>
  /** Asks for a pass: what else depends on a link, such as DHCP, follows. */
  readonly wake: () => void
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  readonly log: Log
}

/** Knows of no NICs at first. */
export function createReplugs({ driver, wake, clock, log }: ReplugOptions): Replugs {
  const loose = new Map<InstanceId, Map<NicId, NicWant>>()
  const failed = new Map<InstanceId, { readonly atMs: number; readonly why: string }>()
  const busy = new Set<InstanceId>()
  const buckets = new Map<InstanceId, TokenBucket>()
  const waking = throttle(wake, () => WAKE_MS, clock)

  function mayTry(instance: InstanceId): boolean {
    const now = clock.monotonic()
    if (buckets.size > WAITING_LIMIT) buckets.clear()
    const bucket = buckets.get(instance) ?? createTokenBucket(ATTEMPTS, now)
    buckets.set(instance, bucket)
    return bucket.take(now)
  }

  async function replug(instance: InstanceId): Promise<void> {
    // One attempt at a time. The end of it begins the next.
    if (busy.has(instance)) return
    if (!mayTry(instance)) return turns.call(instance)
    busy.add(instance)
    const nics = [...(loose.get(instance)?.values() ?? [])]
    loose.delete(instance)
    try {
      const repaired = await driver.replug(instance, nics)
      failed.delete(instance)
      if (repaired.length === 0) return
      log.info({ instance, repaired }, 'a running instance had lost its link: plugged in again')
      waking.call()
    } catch (error) {
      const why = messageOf(error)
      if (failed.get(instance)?.why !== why)
        log.warn({ instance, error }, 'a NIC of a running instance cannot be plugged in again')
      failed.set(instance, { atMs: clock.monotonic(), why })
    } finally {
      busy.delete(instance)
      if (loose.has(instance)) turns.call(instance)
    }
  }
  const turns = throttleByKey<InstanceId>(
    (instance) => void replug(instance),
    () => AGAIN_MS,
    clock,
    WAITING_LIMIT,
  )

  return {
    add(nics) {
      for (const { instance, nic } of nics) {
        const known = loose.get(instance) ?? new Map<NicId, NicWant>()
        loose.set(instance, known.set(nic.id, nic))
      }
      for (const { instance } of nics) turns.call(instance)
    },
    hanging() {
      const since = clock.monotonic() - REPORTED_MS
      for (const [instance, { atMs }] of failed) if (atMs < since) failed.delete(instance)
      return [...failed].map(
        ([instance, { why }]) =>
          `${instance} has lost a network interface, which cannot be plugged in again: ${why}; reboot it`,
      )
    },
    close() {
      turns.close()
      waking.close()
    },
  }
}
