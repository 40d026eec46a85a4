/** The zones of a cloud, as an account sees them. */
import type { AccountId } from '../model/ids.ts'
import type { ReadTx } from '../store/store.ts'

/** The zones that hosts and the account's subnets name. */
export async function zoneNames(tx: ReadTx, account: AccountId): Promise<ReadonlySet<string>> {
  const places = [...(await tx.hosts()), ...(await tx.subnets({ account }))]
  return new Set(places.map((place) => place.zone))
}
