/** DeleteVpc: its default group and its tags go with it. */
import { z } from 'zod'
import { DEFAULT_GROUP } from '../../store/new-vpc.ts'
import { changeAction } from '../change.ts'
import { derivedId } from '../derived-ids.ts'
import { removeGroup } from '../security-groups.ts'
import { dependencies, requireVpc, VPC_PARTS, vpcIdSchema } from '../vpcs.ts'

/**
 * Refuses a VPC that has a subnet, or a group beside the default one.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html
 */
export const deleteVpc = changeAction({
  name: 'DeleteVpc',
  input: z.strictObject({ VpcId: vpcIdSchema }),
  async change(tx, { VpcId: id }, { account }) {
    const vpc = await requireVpc(tx, account, id)
    const groups = await tx.groups({ vpcs: [id] })
    const isEmpty =
      groups.every(({ name }) => name === DEFAULT_GROUP) &&
      (await tx.subnets({ vpc: id })).length === 0
    if (!isEmpty) throw dependencies('vpc', id)
    for (const group of groups)
      if ((await removeGroup(tx, group)) === 'in-use') throw dependencies('vpc', id)
    await tx.associateDhcpOptions(id, null)
    // The database also knows what is unreadable, and what others have just made.
    if ((await tx.deleteVpc(vpc)) === 'in-use') throw dependencies('vpc', id)
    for (const resource of [id, ...VPC_PARTS.map((prefix) => derivedId(prefix, id))])
      await tx.deleteTagsOf(resource)
  },
})
