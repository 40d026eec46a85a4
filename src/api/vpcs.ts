/** What actions that show VPCs share. */
import type { AccountId, VpcId } from '../model/ids.ts'
import type { Vpc } from '../model/records.ts'
import type { ReadTx } from '../store/store.ts'
import { isAmong, refuseMissing } from './describe.ts'
import { notFound } from './schemas.ts'

/**
 * The account's VPCs, or those with the given ids. Errors: `InvalidVpcID.NotFound` for one that
 * does not exist.
 */
export async function findVpcs(
  tx: ReadTx,
  account: AccountId,
  ids: readonly VpcId[],
): Promise<readonly Vpc[]> {
  const vpcs = await tx.vpcs({ account })
  refuseMissing(ids, new Set(vpcs.map(({ id }) => id)), (missing) =>
    notFound('InvalidVpcID.NotFound', 'vpc ID', missing),
  )
  const isWanted = isAmong(ids)
  return vpcs.filter(({ id }) => isWanted(id))
}
