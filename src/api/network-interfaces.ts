/** What actions that show NICs share. */
import type { AccountId } from '../model/ids.ts'
import type { Nic } from '../model/records.ts'
import type { ReadTx } from '../store/store.ts'
import { isAmong, refuseMissing } from './describe.ts'
import { type InstanceDetails, instanceDetails } from './instance-details.ts'
import { notFound } from './schemas.ts'

/** A NIC and its instance. */
interface DetailedNic {
  readonly nic: Nic
  readonly details: InstanceDetails
}

/**
 * The account's NICs, or those with the given ids. Errors: `InvalidNetworkInterfaceID.NotFound` for
 * one that does not exist.
 */
export async function findNics(
  tx: ReadTx,
  account: AccountId,
  ids: readonly string[],
): Promise<readonly DetailedNic[]> {
  const nics = (await detailsOf(tx, account, ids)).flatMap((details) =>
    details.nics.map((nic) => ({ nic, details })),
  )
  refuseMissing(ids, new Set(nics.map(({ nic }) => nic.id)), (missing) =>
    notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface ID', missing),
  )
  const isWanted = isAmong<string>(ids)
  return nics.filter(({ nic }) => isWanted(nic.id))
}

/** The instances of these NICs, or all. */
async function detailsOf(
  tx: ReadTx,
  account: AccountId,
  ids: readonly string[],
): Promise<readonly InstanceDetails[]> {
  if (ids.length === 0) return await instanceDetails(tx, account)
  const nics = (await tx.nics({ account })).filter(({ id }) => ids.includes(id))
  return await instanceDetails(tx, account, [...new Set(nics.map((nic) => nic.instance))])
}
