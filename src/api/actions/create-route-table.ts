/** CreateRouteTable: with `local` only, and without subnets. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { RouteTable } from '../../model/route-table.ts'
import { rangesOf } from '../../model/vpc-range.ts'
import { readRouteTargets } from '../../store/routing.ts'
import type { ReadTx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { requireRouteTable, routingOf } from '../networks/routing.ts'
import { requireVpc, vpcIdSchema } from '../networks/vpcs.ts'
import { clientTokenSchema, specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { routeTableView } from '../views/route-table.ts'
import { tagsView } from '../views/tags.ts'

const input = z.strictObject({
  VpcId: vpcIdSchema,
  ClientToken: clientTokenSchema,
  TagSpecifications: tagSpecificationsSchema(['route-table']),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html */
export const createRouteTable = changeAction({
  name: 'CreateRouteTable',
  input,
  prepare: (asked, { newId }) => ({ ...asked, id: newId('rtb') }),
  once: ({ ClientToken: token = null, id }, { account }) => ({
    token,
    result: id,
    repeat: async (tx, known) => {
      const table = await requireRouteTable(tx, account, known as typeof id)
      const vpc = await requireVpc(tx, account, table.vpc)
      const tags = await tx.tags({ account, resources: [table.id] })
      return { table, vpc, tags, ...(await shownOf(tx, table)) }
    },
  }),
  async change(tx, { VpcId, TagSpecifications, id }, { account, settings }) {
    const vpc = await requireVpc(tx, account, VpcId)
    const limit = settings.quotas.routeTablesPerVpc
    await tx.takeTurn(account)
    if ((await tx.routeTables({ vpcs: [vpc.id] })).length >= limit)
      throw refused(
        'RouteTableLimitExceeded',
        `The maximum number of route tables of a VPC has been reached: ${limit}`,
      )
    const table = { id, account, vpc: vpc.id }
    await tx.insertRouteTable(table)
    const of = { account, resource: id, resourceType: 'route-table' }
    const tags = specifiedTags(TagSpecifications, of)
    await tx.putTags(tags)
    return { table, vpc, tags, ...(await shownOf(tx, table)) }
  },
  view: ({ table, vpc, routing, targets, tags }) => ({
    RouteTable: routeTableView(table, {
      ...{ ranges: rangesOf(vpc), routing, targets },
      tags: tagsView(tags, table.id),
    }),
  }),
})

/** The routes of its VPC, and what they lead to. */
async function shownOf(tx: ReadTx, table: RouteTable) {
  const routing = await routingOf(tx, table)
  return { routing, targets: await readRouteTargets(tx, [routing]) }
}
