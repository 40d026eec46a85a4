/** Attributes of an instance that are its NIC's, and can be changed while it has only one. */
import { refused } from '../../model/errors.ts'
import type { Instance, Nic } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { refuseNicsForOlderHosts } from './network-interfaces.ts'

/**
 * Sets whether the source and destination of the only NIC's packets are checked. Errors: as
 * `onlyNic`; `OperationNotPermitted` while an older host would go on checking.
 */
export async function setSourceDestCheck(
  tx: Tx,
  instance: Instance,
  sourceDestCheck: boolean,
  settings: Pick<ApiSettings, 'host'>,
): Promise<undefined> {
  const nic = await onlyNic(tx, instance)
  if (!sourceDestCheck) await refuseNicsForOlderHosts(tx, settings)
  await tx.updateNic(nic, { sourceDestCheck })
}

/** The only NIC. Errors: `IncorrectInstanceState` without one, `InvalidInstanceID` with several. */
export async function onlyNic(tx: ReadTx, { id, account }: Instance): Promise<Nic> {
  const [nic, another] = await tx.nics({ account, instances: [id] })
  if (nic === undefined)
    throw refused('IncorrectInstanceState', `The instance '${id}' has no network interface`)
  if (another !== undefined)
    throw refused(
      'InvalidInstanceID',
      `There are multiple interfaces attached to instance '${id}'. Please specify an interface ID for the operation instead.`,
    )
  return nic
}
