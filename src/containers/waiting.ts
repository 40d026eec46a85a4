/**
 * The containers that this run of the daemon has started and that wait for an instance: what it
 * remembers of them. A container that it does not remember is never given to a launch, so one that
 * has been an instance cannot come back, whatever files or labels are left of it.
 */
import type { InstanceId } from '../model/ids.ts'
import { INSTANCE_LABEL, WARM_LABEL } from '../model/names.ts'
import type { WarmInstance } from '../model/warm-instance.ts'
import type { ContainerState } from './state.ts'

/** A container as it was read. */
interface Container {
  readonly id: string
  readonly state: Pick<ContainerState, 'StartedAt' | 'Status'>
  readonly labels: Readonly<Record<string, string>>
}

/** One that waits. */
export interface Waiting {
  readonly what: WarmInstance
  /** What it was made from. An instance must come to the same. */
  readonly spec: string
  readonly containerId: string
  /** Its only start. */
  readonly startedAt: string
}

export interface WaitingContainers {
  add(one: Waiting): void
  all(): readonly WarmInstance[]
  /** Returns it, and forgets it. */
  take(instance: InstanceId): Waiting | null
  /**
   * What a container that was made to wait and has no boot record is now. One that was started
   * again, or does not run, is forgotten.
   */
  look(instance: InstanceId, seen: Container): 'ready' | 'spoilt'
}

/** Remembers none at first. */
export function createWaiting(): WaitingContainers {
  const all = new Map<InstanceId, Waiting>()
  return {
    add: (one) => void all.set(one.what.id, one),
    all: () => [...all.values()].map(({ what }) => what),
    take(instance) {
      const one = all.get(instance) ?? null
      all.delete(instance)
      return one
    },
    look(instance, seen) {
      const one = all.get(instance)
      if (one !== undefined && isUntouched(one, seen)) return 'ready'
      all.delete(instance)
      return 'spoilt'
    },
  }
}

/** Whether it was started before a launch asked for it. Its image may have such a label, too. */
export function isMadeToWait({ labels }: Pick<Container, 'labels'>): boolean {
  const of = labels[WARM_LABEL]
  return of !== undefined && of === labels[INSTANCE_LABEL]
}

/** Whether it still is in the only start that it was given. */
export function isUntouched(
  { containerId, startedAt }: Waiting,
  { id, state }: Container,
): boolean {
  return id === containerId && state.StartedAt === startedAt && state.Status === 'running'
}
