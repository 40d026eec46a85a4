/** The room that launches and moves leave free (`capacity.reserve`), as the records have it. */
import type { InstanceId } from '../../model/ids.ts'
import type { Host } from '../../model/records.ts'
import type { ReservedCapacity } from '../../model/recovery.ts'
import { type Reserve, reserveOf } from '../../plan/failover/reserve.ts'
import type { Recoverable } from '../../plan/failover/spare.ts'
import type { ReadTx } from '../../store/store.ts'

type Records = Pick<ReadTx, 'recoverable' | 'instanceTypes'>

/** The instances that others may start again (`ReadTx.recoverable`), and what each needs. */
export async function recoverableInstances(
  tx: Records,
  which: Parameters<ReadTx['recoverable']>[0],
): Promise<readonly (Recoverable & { readonly id: InstanceId })[]> {
  const found = await tx.recoverable(which)
  if (found.length === 0) return []
  const types = new Map((await tx.instanceTypes()).map((type) => [type.name, type]))
  return found.map(({ id, host, type, diskGiB, storage }) => {
    const { vcpus = 0, memoryMiB = 0 } = types.get(type) ?? {}
    return { id, host, storage, demand: { vcpus, memoryMiB, diskGiB } }
  })
}

/** What is to be left free. Null: nothing, by the setting. `but`: for all except this instance. */
export async function readReserve(
  tx: Records,
  hosts: readonly Host[],
  reserve: ReservedCapacity,
  but?: InstanceId,
): Promise<Reserve | null> {
  if (reserve === 'none') return null
  const all = await recoverableInstances(tx, 'wanted')
  return reserveOf(
    hosts,
    all.filter(({ id }) => id !== but),
  )
}

/** Why there is no room where hosts have some. */
export const RESERVED =
  'What is still free is kept by capacity.reserve, so that instances with the tag atoll:recover find room when a host is lost'
