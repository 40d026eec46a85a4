/** ReleaseAddress: its tags go with it. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { addressShape, requireAllocated } from '../networks/addresses.ts'
import { textSchema } from '../schemas.ts'

/** Refuses an address that leads somewhere. */
export const releaseAddress = changeAction({
  name: 'ReleaseAddress',
  input: z.strictObject({ ...addressShape, NetworkBorderGroup: textSchema.optional() }),
  async change(tx, asked, { account, settings }) {
    const { id, ip } = await requireAllocated(tx, account, asked)
    const { NetworkBorderGroup: border = settings.region } = asked
    if (border !== settings.region)
      throw refused(
        'InvalidParameterCombination',
        `The address ${ip} is of the NetworkBorderGroup '${settings.region}'`,
      )
    if ((await tx.deleteAddress(id)) === 'in-use')
      throw refused('InvalidIPAddress.InUse', `Address ${ip} is in use.`)
    await tx.deleteTagsOf(id)
  },
  view: () => ({ Return: true }),
})
