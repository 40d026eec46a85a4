/**
 * Keeps instances of one driver waiting for launches (`model/warm-instance.ts`): which of them
 * stay, and which is to be started next. One is started at a time, and only while nothing else is
 * done, because launches that were asked for need the machine.
 */
import type { InstanceId, NewId } from '../model/ids.ts'
import type { InstanceWant } from '../model/want.ts'
import { kindOf, type WarmInstance, type WarmPool, type WarmWant } from '../model/warm-instance.ts'
import { planWarm } from '../plan/warm.ts'
import type { WorkloadStep } from '../plan/workloads.ts'
import type { OpenDriver } from './driver.ts'

/** What a pass does with those that wait. */
interface WaitingPlan {
  /** They stay, although they are nobody's instances. */
  readonly keep: ReadonlySet<InstanceId>
  /** One of each kind that there are too few of. The first that may be tried now is next. */
  readonly steps: readonly Extract<WorkloadStep, { readonly kind: 'prepare' }>[]
}

export interface WarmKeeper extends WarmPool {
  /** `wanted`: the instances of this host. Those that took one have it. */
  plan(wanted: readonly Pick<InstanceWant, 'id'>[]): WaitingPlan
}

/** Where no instance is started before it is asked for. */
export const NOTHING_WAITS: WaitingPlan = { keep: new Set(), steps: [] }

/** Keeps none at first. Null: the driver starts none before it is asked for. */
export function createWarmKeeper(
  {
    declaration,
    driver: { warm },
    images,
  }: Pick<OpenDriver, 'declaration' | 'images'> & {
    readonly driver: Pick<OpenDriver['driver'], 'warm'>
  },
  newId: NewId,
): WarmKeeper | null {
  if (warm === undefined) return null
  const started = warm
  let wants: readonly WarmWant[] = []
  // By kind. Each is the same until it waits, so that the runner pauses after failures.
  const next = new Map<string, InstanceId>()

  /** Whoever learns of an id from here may tell others, so it is not used again. */
  function look(): readonly WarmInstance[] {
    const waiting = started.waiting()
    for (const [key, id] of next) if (waiting.some((one) => one.id === id)) next.delete(key)
    return waiting
  }

  function idFor(want: WarmWant): InstanceId {
    const { image, digest, type } = kindOf(want)
    const key = [image, digest, type].join()
    const id = next.get(key) ?? newId('i')
    next.set(key, id)
    return id
  }

  return {
    driver: declaration.name,
    keep(given) {
      wants = given
    },
    waiting: look,
    discard: (id) => started.discard(id),
    plan(wanted) {
      const taken = new Set(wanted.map(({ id }) => id))
      const waiting = look().filter(({ id }) => !taken.has(id))
      const { keep, lacking } = planWarm(wants, waiting)
      // Each is looked for in each pass, so that it is known when a launch takes one.
      const ready = wants.filter(({ image }) => images.look(image).kind === 'ready')
      const steps = lacking
        .filter((want) => ready.includes(want))
        .map((want) => ({ kind: 'prepare', instance: idFor(want), want }) as const)
      return { keep, steps }
    },
  }
}
