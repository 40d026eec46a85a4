/** DescribeRouteTables. */
import { z } from 'zod'
import { rangesOf } from '../../model/vpc-range.ts'
import { readRouteTargets, readRouting } from '../../store/routing.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { missingRouteTables } from '../networks/routing.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { ROUTE_TABLE_FILTERS, routeTableView } from '../views/route-table.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's, with the main table of each VPC. */
export const describeRouteTables = describeAction({
  name: 'DescribeRouteTables',
  input: z.strictObject({
    ...pagedShape(5, 100, { larger: 'refused' }),
    RouteTableIds: idListSchema('rtb', 'InvalidRouteTableId.Malformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('RouteTableIds', asked.RouteTableIds, asked),
  rows: ({ RouteTableIds: ids }, { account, read }) =>
    read(async (tx) => {
      const vpcs = await tx.vpcs({ account })
      const routings = await readRouting(
        tx,
        vpcs.map(({ id }) => id),
      )
      const targets = await readRouteTargets(tx, routings)
      const cidrs = new Map(vpcs.map((vpc) => [vpc.id, rangesOf(vpc)]))
      const all = routings.flatMap((routing) => {
        const ranges = cidrs.get(routing.vpc)
        return ranges === undefined
          ? []
          : routing.tables.map((table) => ({ table, routing, ranges }))
      })
      refuseMissing(ids, new Set(all.map(({ table }) => table.id)), missingRouteTables)
      const resources = all.map(({ table }) => table.id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      return all
        .filter(({ table }) => isWanted(table.id))
        .map((one) => ({ ...one, targets, tags: tagsOf(one.table.id) }))
    }),
  view: ({ table, ...more }) => routeTableView(table, more),
  key: (table) => table.RouteTableId ?? '',
  filters: ROUTE_TABLE_FILTERS,
  tags: (table) => table.Tags ?? [],
  answer: (RouteTables) => ({ RouteTables }),
})
