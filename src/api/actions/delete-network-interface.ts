/** DeleteNetworkInterface. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { addressesOfNic } from '../../model/nics.ts'
import { changeAction } from '../change.ts'
import { clearAddresses } from '../networks/addresses.ts'
import { nicIdSchema, requireNic } from '../networks/network-interfaces.ts'

/**
 * Refuses one that is attached. Floating IPs no longer lead anywhere.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkInterface.html
 */
export const deleteNetworkInterface = changeAction({
  name: 'DeleteNetworkInterface',
  input: z.strictObject({ NetworkInterfaceId: nicIdSchema }),
  async change(tx, { NetworkInterfaceId: id }, { account }) {
    const nic = await requireNic(tx, account, id)
    if (nic.instance !== null)
      throw refused('InvalidParameterValue', `Network interface '${id}' is currently in use.`)
    for (const privateIp of addressesOfNic(nic)) await clearAddresses(tx, { nic: id, privateIp })
    await tx.deleteTagsOf(id)
    await tx.deleteNic(nic)
  },
})
