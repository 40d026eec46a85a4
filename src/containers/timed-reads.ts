/**
 * Reads of single instances that may hang: the engine locks a container while it works on it, and a
 * hanging shim or runtime keeps the lock. Other instances do not wait for such a read.
 *
 * A late read goes on, and its instance counts as busy until it ends. An instance whose read was
 * only slow is waited for the next time, as long as the list is (`timed-list.ts`).
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { InstanceId } from '../model/ids.ts'
import type { WorkloadHave } from '../plan/workloads.ts'

export interface TimedReads {
  /** The result of `work` if it is in time, otherwise "busy". Errors: those of `work`. */
  read(instance: InstanceId, work: () => Promise<WorkloadHave | null>): Promise<WorkloadHave | null>
  /** A sentence for each instance whose read hangs. */
  hanging(): readonly string[]
}

/** Healthy reads take some milliseconds, and a list has a second for all of them. */
const WAIT_MS = 300
/** Not reported earlier: a container that is being stopped is locked for a moment as well. */
const TOLD_AFTER_MS = 5_000

/** No read is under way at first. `ended` is called when a late one ends. */
export function createTimedReads(clock: Clock, ended: (instance: InstanceId) => void): TimedReads {
  const hungSinceMs = new Map<InstanceId, number>()
  const slow = new Set<InstanceId>()

  function goOn(instance: InstanceId, reading: Promise<unknown>): void {
    hungSinceMs.set(instance, clock.monotonic())
    const end = () => {
      hungSinceMs.delete(instance)
      ended(instance)
    }
    reading.then(() => void slow.add(instance)).then(end, end)
  }

  return {
    async read(instance, work) {
      const busy: WorkloadHave = { instance, bootCount: null, state: { kind: 'busy' } }
      if (hungSinceMs.has(instance)) return busy
      const reading = work()
      if (slow.delete(instance)) return await reading
      const found = await inTime(
        clock,
        WAIT_MS,
        reading.then((have) => ({ have })),
      )
      if (found !== null) return found.have
      goOn(instance, reading)
      return busy
    },
    hanging: () =>
      [...hungSinceMs].flatMap(([instance, sinceMs]) => {
        const ms = clock.monotonic() - sinceMs
        if (ms < TOLD_AFTER_MS) return []
        return [`docker has not reported the state of ${instance} for ${Math.round(ms / 1000)} s`]
      }),
  }
}
