/**
 * DeleteVpc: its default group, its main route table, its default ACL, its peering connections and
 * its tags go with it.
 */
import { z } from 'zod'
import { derivedId } from '../../model/derived-ids.ts'
import { DEFAULT_GROUP } from '../../store/new-vpc.ts'
import { changeAction } from '../change.ts'
import { endPeeringsOf } from '../networks/peerings.ts'
import { routingOf } from '../networks/routing.ts'
import { removeGroup } from '../networks/security-groups.ts'
import { dependencies, requireVpc, vpcIdSchema } from '../networks/vpcs.ts'

/**
 * Refuses a VPC that has a subnet, an internet gateway, or a group, a route table or an ACL beside
 * those that it came with.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html
 */
export const deleteVpc = changeAction({
  name: 'DeleteVpc',
  input: z.strictObject({ VpcId: vpcIdSchema }),
  async change(tx, { VpcId: id }, { account, now }) {
    const vpc = await requireVpc(tx, account, id)
    const groups = await tx.groups({ vpcs: [id] })
    const { internetGateways, tables, associations, acls } = await routingOf(tx, { vpc: id })
    const main = associations.find(({ subnet }) => subnet === null)
    const isEmpty =
      groups.every(({ name }) => name === DEFAULT_GROUP) &&
      internetGateways.length === 0 &&
      tables.every((table) => table.id === main?.table) &&
      acls.every(({ isDefault }) => isDefault) &&
      (await tx.subnets({ vpc: id })).length === 0
    if (!isEmpty) throw dependencies('vpc', id)
    for (const group of groups)
      if ((await removeGroup(tx, group)) === 'in-use') throw dependencies('vpc', id)
    if (main !== undefined) await tx.deleteRouteTableAssociation(main)
    for (const table of tables)
      if ((await tx.deleteRouteTable(table)) === 'in-use') throw dependencies('vpc', id)
    for (const acl of acls)
      if ((await tx.deleteNetworkAcl(acl)) === 'in-use') throw dependencies('vpc', id)
    await tx.associateDhcpOptions(id, null)
    await endPeeringsOf(tx, account, id, now)
    // The database also knows what is unreadable, and what others have just made.
    if ((await tx.deleteVpc(vpc)) === 'in-use') throw dependencies('vpc', id)
    const parts = [...tables, ...acls].map((part) => part.id)
    for (const resource of [id, ...parts, derivedId('dopt', id)]) await tx.deleteTagsOf(resource)
  },
})
