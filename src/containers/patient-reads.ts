/**
 * Reads of instances one by one, each of which may hang: the engine holds a container while it
 * works on it, and with a shim or a runtime that hangs for as long as that does. Others do not wait
 * for it.
 *
 * A read that is not there in a moment goes on, and its instance counts as being worked at until it
 * has ended. One that was only slow is waited for the next time, as long as the list is
 * (`patient-list.ts`).
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { InstanceId } from '../model/ids.ts'
import type { WorkloadHave } from '../plan/workloads.ts'

export interface PatientReads {
  /**
   * What `work` finds of the instance in time; otherwise that it is busy. Errors: those of `work`.
   */
  read(instance: InstanceId, work: () => Promise<WorkloadHave | null>): Promise<WorkloadHave | null>
  /** The instances whose reads hang, a sentence each. */
  hanging(): readonly string[]
}

/** Healthy ones take some milliseconds, and a list has a second for all of them. */
const PATIENCE_MS = 300
/** Not told of before: a container that is being stopped is held for a moment, too. */
const TOLD_AFTER_MS = 5_000

/** Nothing is being read. `ended` is called when a late one has come to an end. */
export function createPatientReads(
  clock: Clock,
  ended: (instance: InstanceId) => void,
): PatientReads {
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
        PATIENCE_MS,
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
        return [`docker has not said how ${instance} is for ${Math.round(ms / 1000)} s`]
      }),
  }
}
