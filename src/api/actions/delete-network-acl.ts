/** DeleteNetworkAcl: with its entries. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { refuseDefault } from '../networks/network-acls.ts'
import { hasDependencies, networkAclIdSchema, requireNetworkAcl } from '../networks/routing.ts'

/**
 * Refuses the default one, and one that a subnet has.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkAcl.html
 */
export const deleteNetworkAcl = changeAction({
  name: 'DeleteNetworkAcl',
  input: z.strictObject({ NetworkAclId: networkAclIdSchema }),
  async change(tx, { NetworkAclId: id }, { account }) {
    const acl = await requireNetworkAcl(tx, account, id)
    refuseDefault(acl)
    if ((await tx.deleteNetworkAcl(acl)) === 'in-use') throw hasDependencies('networkAcl', id)
    await tx.deleteTagsOf(id)
  },
})
