/** DeleteRouteTable: with its routes. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { hasDependencies, requireRouteTable, routeTableIdSchema } from '../networks/routing.ts'

/**
 * Refuses the main table of a VPC, and one that a subnet goes by.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html
 */
export const deleteRouteTable = changeAction({
  name: 'DeleteRouteTable',
  input: z.strictObject({ RouteTableId: routeTableIdSchema }),
  async change(tx, { RouteTableId: id }, { account }) {
    const table = await requireRouteTable(tx, account, id)
    if ((await tx.deleteRouteTable(table)) === 'in-use') throw hasDependencies('routeTable', id)
    await tx.deleteTagsOf(id)
  },
})
