/**
 * What actions on instances share. A change is written to the records in one transaction, for all
 * of its instances or for none. The hosts' agents do the rest. Instances of other accounts are
 * invisible.
 */
import type { InstanceStateChange } from '@aws-sdk/client-ec2'
import type { AccountId, InstanceId } from '../../model/ids.ts'
import type { InstanceChange } from '../../model/lifecycle.ts'
import type { Instance } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { writeOne } from '../budget.ts'
import type { Changing } from '../change.ts'
import { refuseMissing } from '../describe.ts'
import { idListSchema, notFound, required } from '../schemas.ts'
import { stateChangeView } from '../views/instance.ts'
import { type InstanceDetails, instanceDetails } from './instance-details.ts'

/** Ids of instances, of any number. */
export const instanceIdsSchema = idListSchema('i', 'InvalidInstanceID.Malformed')

/** Members of every action that changes the state of instances. */
export const instancesShape = { InstanceIds: required(instanceIdsSchema, 'instancesSet') }

/**
 * All of the instances. Errors: `InvalidInstanceID.NotFound` for those that the account does not
 * have.
 */
export async function requireInstances(
  tx: ReadTx,
  account: AccountId,
  ids: readonly InstanceId[],
): Promise<readonly Instance[]> {
  const found = await tx.instances({ account, ids })
  refuseMissing(ids, new Set(found.map(({ id }) => id)), missingInstances)
  return found
}

/** Like `requireInstances`, for one. */
export async function requireInstance(
  tx: ReadTx,
  account: AccountId,
  id: InstanceId,
): Promise<Instance> {
  const [instance] = await tx.instances({ account, ids: [id] })
  if (instance === undefined) throw missingInstances([id])
  return instance
}

/**
 * The instances with these ids, with everything that a response shows. Errors:
 * `InvalidInstanceID.NotFound`.
 */
export async function findInstances(
  tx: ReadTx,
  account: AccountId,
  ids: readonly InstanceId[],
): Promise<readonly InstanceDetails[]> {
  const found = await instanceDetails(tx, account, ids)
  refuseMissing(ids, new Set(found.map(({ instance }) => instance.id)), missingInstances)
  return found
}

/** There are no such instances. */
export function missingInstances(missing: readonly string[]): Error {
  return notFound('InvalidInstanceID.NotFound', 'instance ID', missing)
}

/**
 * Writes the change that `request` returns for each instance (null: none). If it refuses one, none
 * is changed.
 */
export function changeInstances(
  request: (instance: Instance, now: string) => InstanceChange | null,
) {
  return async (
    tx: Tx,
    { InstanceIds: ids }: { readonly InstanceIds: readonly InstanceId[] },
    { account, now, budget }: Changing,
  ): Promise<InstanceStateChange[]> => {
    const instances = await requireInstances(tx, account, ids)
    const requests = instances.map((instance) => ({ instance, change: request(instance, now) }))
    for (const { instance, change } of requests) {
      if (change === null) continue
      await writeOne(budget)
      await tx.updateInstance(instance.id, change)
    }
    return requests.map(({ instance, change }) =>
      stateChangeView(instance, change?.state ?? instance.state),
    )
  }
}
