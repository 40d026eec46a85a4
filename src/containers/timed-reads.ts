/**
 * Reads of single instances that may hang or fail: the engine locks a container while it works on
 * it, and a hanging shim or runtime keeps the lock; or it has lost a file of a container. Other
 * instances do not wait for such a read, and do not fail with it.
 *
 * A late read goes on, and its instance counts as busy until it ends. An instance whose read was
 * only slow is waited for the next time, as long as the list is (`timed-list.ts`).
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import { explain } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import { unreadInstance, type WorkloadHave } from '../plan/workloads.ts'

export interface TimedReads {
  /**
   * The result of `work` if it succeeds and is in time, otherwise "busy". Errors: those of `work`
   * that concern all instances.
   */
  read(instance: InstanceId, work: () => Promise<WorkloadHave | null>): Promise<WorkloadHave | null>
  /** Forgets the failures of all others. */
  keep(instances: { has(instance: InstanceId): boolean }): void
  /** A sentence for each instance whose read hangs or has failed. */
  hanging(): readonly string[]
}

interface TimedReadsOptions {
  readonly clock: Clock
  /** Called when a late read ends. */
  readonly ended: (instance: InstanceId) => void
  /** Whether a failure says nothing about the instance: the engine is away. */
  readonly concernsAll: (error: unknown) => boolean
}

/** Healthy reads take some milliseconds, and a list has a second for all of them. */
const WAIT_MS = 300
/** Not reported earlier: a container that is being stopped is locked for a moment as well. */
const TOLD_AFTER_MS = 5_000

/** No read is under way at first. */
export function createTimedReads({ clock, ended, concernsAll }: TimedReadsOptions): TimedReads {
  const hungSinceMs = new Map<InstanceId, number>()
  const slow = new Set<InstanceId>()
  const failed = new Map<InstanceId, string>()

  function goOn(instance: InstanceId, reading: Promise<unknown>): void {
    hungSinceMs.set(instance, clock.monotonic())
    const end = () => {
      hungSinceMs.delete(instance)
      ended(instance)
    }
    reading.then(() => void slow.add(instance)).then(end, end)
  }

  /** Undefined when it is late. */
  async function inItsTime(
    instance: InstanceId,
    reading: Promise<WorkloadHave | null>,
  ): Promise<WorkloadHave | null | undefined> {
    if (slow.delete(instance)) return await reading
    const found = await inTime(
      clock,
      WAIT_MS,
      reading.then((have) => ({ have })),
    )
    if (found === null) goOn(instance, reading)
    return found?.have
  }

  return {
    async read(instance, work) {
      const busy: WorkloadHave = { instance, bootCount: null, state: { kind: 'busy' } }
      if (hungSinceMs.has(instance)) return busy
      try {
        const have = await inItsTime(instance, work())
        failed.delete(instance)
        return have === undefined ? busy : have
      } catch (error) {
        if (concernsAll(error)) throw error
        failed.set(instance, explain(error))
        return busy
      }
    },
    keep(instances) {
      for (const instance of failed.keys()) if (!instances.has(instance)) failed.delete(instance)
    },
    hanging: () => [
      ...[...hungSinceMs].flatMap(([instance, sinceMs]) => {
        const ms = clock.monotonic() - sinceMs
        if (ms < TOLD_AFTER_MS) return []
        return [`docker has not reported the state of ${instance} for ${Math.round(ms / 1000)} s`]
      }),
      ...[...failed].map(([instance, why]) => unreadInstance(instance, why)),
    ],
  }
}
