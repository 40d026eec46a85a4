/** The order in which a host starts its instances. Pure. */
import type { InstanceId } from '../model/ids.ts'
import { recoverPriority } from '../model/recovery.ts'
import type { InstanceWant } from '../model/want.ts'
import type { WorkloadHave } from './workloads.ts'

/** One instance: what it should be, and what it is. */
export interface WantAndHave {
  readonly want?: InstanceWant
  readonly have?: WorkloadHave
}

/**
 * Matches want and have, in the order in which they are started: by the priority of those that may
 * have come from a lost host, then by id.
 */
export function inStartOrder(
  wanted: readonly InstanceWant[],
  haves: readonly WorkloadHave[],
): ReadonlyMap<InstanceId, WantAndHave> {
  const pairs = new Map<InstanceId, WantAndHave>()
  for (const one of wanted) pairs.set(one.id, { want: one })
  for (const have of haves) pairs.set(have.instance, { ...pairs.get(have.instance), have })
  const priority = ({ want }: WantAndHave) =>
    want?.recover === undefined ? 0 : recoverPriority(want.tags)
  return new Map(
    [...pairs].sort(([a, one], [b, two]) => priority(two) - priority(one) || (a < b ? -1 : 1)),
  )
}
