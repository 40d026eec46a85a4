/**
 * A simulated machine: the instances that run on it, whoever started them. They go on when the
 * daemon dies, and end when the machine does.
 */
import type { InstanceId } from '../../src/model/ids.ts'
import { type InstanceWant, type NicWant, plugName } from '../../src/model/want.ts'
import type { EndedBy, WorkloadHave } from '../../src/plan/workloads.ts'

/** An instance on the machine. */
interface Workload {
  readonly id: InstanceId
  state: 'created' | 'running' | 'ended'
  by: EndedBy
  bootCount: number
  nics: readonly NicWant[]
  /** It was started before a launch asked for it; null: no launch has taken it. */
  readonly taken?: { by: string | null }
}

/** What happens on machines, for whoever watches that nothing wrong does. */
export interface MachineWatch {
  /** The instance begins to run on the machine. */
  started(host: string, instance: InstanceWant): void
  /** What another launch has taken before is made this instance. */
  givenTwice(host: string, instance: InstanceWant): void
}

/** A machine. */
export interface Machine {
  readonly workloads: ReadonlyMap<InstanceId, Workload>
  list(): readonly WorkloadHave[]
  create(instance: InstanceWant): void
  /** Starts one that waits for a launch. */
  prepare(instance: InstanceId): void
  /** The launch of the instance has taken the one that waits. */
  take(instance: InstanceWant): void
  start(instance: InstanceWant): void
  plug(instance: InstanceWant): void
  end(instance: InstanceId, by: EndedBy): void
  remove(instance: InstanceId): void
  /** Calls `changed` when an instance ends that nobody here has ended. */
  watch(changed: (instance: InstanceId) => void): () => void
  /** The power goes away: nothing runs any more. Disks stay. */
  losePower(): void
}

/** An empty machine. */
export function createMachine(host: string, watch: MachineWatch): Machine {
  const workloads = new Map<InstanceId, Workload>()
  const listeners = new Set<(instance: InstanceId) => void>()
  const refuseOther = ({ taken }: Workload, instance: InstanceWant) => {
    const by = taken?.by ?? instance.reservation
    if (by !== instance.reservation) watch.givenTwice(host, instance)
  }
  return {
    workloads,
    list: () => [...workloads.values()].map(haveOf),
    create({ id, nics }) {
      if (workloads.has(id)) return
      workloads.set(id, { id, state: 'created', by: 'unknown', bootCount: 0, nics })
    },
    prepare(id) {
      workloads.set(id, {
        ...{ id, state: 'running', by: 'unknown', bootCount: 0, nics: [] },
        taken: { by: null },
      })
    },
    take(instance) {
      const one = workloads.get(instance.id)
      if (one?.taken === undefined || one.state !== 'running') return
      refuseOther(one, instance)
      one.taken.by = instance.reservation
      one.bootCount = instance.bootCount
    },
    start(instance) {
      const one = workloads.get(instance.id)
      if (one === undefined || one.state === 'running') return
      refuseOther(one, instance)
      watch.started(host, instance)
      one.state = 'running'
      one.bootCount = instance.bootCount
      one.nics = instance.nics
    },
    plug(instance) {
      const { id, nics, bootCount } = instance
      const one = workloads.get(id)
      if (one?.state !== 'running') return
      refuseOther(one, instance)
      if (one.nics.length === 0) watch.started(host, instance)
      one.nics = nics
      if (one.bootCount === 0) one.bootCount = bootCount
    },
    end(id, by) {
      const one = workloads.get(id)
      if (one?.state !== 'running') return
      one.state = 'ended'
      one.by = by
      for (const changed of listeners) changed(id)
    },
    remove: (id) => void workloads.delete(id),
    watch(changed) {
      listeners.add(changed)
      return () => void listeners.delete(changed)
    },
    losePower() {
      listeners.clear()
      for (const one of workloads.values())
        if (one.state === 'running') Object.assign(one, { state: 'ended', by: 'unknown' })
    },
  }
}

function haveOf(one: Workload): WorkloadHave {
  const { taken } = one
  if (taken === undefined) return plainHave(one)
  const warmth = taken.by === null ? ({ warm: 'spoilt' } as const) : { takenBy: taken.by }
  return { ...plainHave(one), ...warmth }
}

function plainHave({ id, state, by, bootCount, nics }: Workload): WorkloadHave {
  const boot = bootCount === 0 ? null : bootCount
  if (state === 'created') return { instance: id, state: { kind: 'created' }, bootCount: boot }
  if (state === 'ended')
    return { instance: id, state: { kind: 'ended', by, exitCode: 0 }, bootCount: boot }
  const plugged = nics.map((nic) => ({ name: plugName(nic) }))
  return {
    instance: id,
    state: { kind: 'running', plugged: true, nics: plugged },
    bootCount: boot,
  }
}
