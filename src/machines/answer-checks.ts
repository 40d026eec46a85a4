/**
 * Checks whether machines still answer. One that does not (QEMU is stopped, or waits for a hanging
 * disk) is only reported, because its guest may still run.
 */
import type { Clock } from '../lib/clock.ts'
import type { InstanceId } from '../model/ids.ts'
import type { Machine } from './monitors.ts'

export interface AnswerChecks {
  /** Checks the machines that are due. Does not wait. */
  check(machines: ReadonlyMap<InstanceId, Machine>): void
  /** A sentence for each machine that does not answer. */
  hanging(): readonly string[]
}

/** How often a machine is checked. */
const EVERY_MS = 10_000
/** A healthy machine answers in a millisecond, one with a busy disk in less than a second. */
const LATE_MS = 3_000

/** No machine has been checked at first. */
export function createAnswerChecks(clock: Pick<Clock, 'monotonic'>): AnswerChecks {
  let all: ReadonlyMap<InstanceId, Machine> = new Map()
  const askedMs = new Map<Machine['qmp'], number>()
  const waiting = new Set<Machine['qmp']>()

  const isLate = ({ qmp }: Machine) =>
    qmp === null || (waiting.has(qmp) && clock.monotonic() - (askedMs.get(qmp) ?? 0) > LATE_MS)
  return {
    check(machines) {
      all = machines
      const known = new Set([...machines.values()].map(({ qmp }) => qmp))
      for (const qmp of askedMs.keys()) if (!known.has(qmp)) askedMs.delete(qmp)
      const nowMs = clock.monotonic()
      for (const { qmp, isOff } of machines.values()) {
        const isDue = nowMs - (askedMs.get(qmp) ?? Number.NEGATIVE_INFINITY) >= EVERY_MS
        if (qmp === null || isOff || waiting.has(qmp) || !isDue) continue
        askedMs.set(qmp, nowMs)
        waiting.add(qmp)
        const end = () => void waiting.delete(qmp)
        qmp.answered().then(end, end)
      }
    },
    hanging: () =>
      [...all]
        .filter(([, machine]) => !machine.isOff && isLate(machine))
        .map(([instance, { pid }]) => `the QEMU of ${instance} (process ${pid}) does not answer`),
  }
}
