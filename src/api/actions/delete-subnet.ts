/** DeleteSubnet. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { dependencies, requireSubnet, subnetIdSchema } from '../networks/vpcs.ts'

/**
 * Refuses a subnet that has a NIC, also one of an instance that is not yet gone.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSubnet.html
 */
export const deleteSubnet = changeAction({
  name: 'DeleteSubnet',
  input: z.strictObject({ SubnetId: subnetIdSchema }),
  async change(tx, { SubnetId: id }, { account }) {
    const subnet = await requireSubnet(tx, account, id)
    if ((await tx.deleteSubnet(subnet)) === 'in-use') throw dependencies('subnet', id)
    await tx.deleteTagsOf(id)
  },
})
