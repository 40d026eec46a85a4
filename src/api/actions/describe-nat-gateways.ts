/** DescribeNatGateways. */
import { z } from 'zod'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { detailsOfNatGateways } from '../networks/nat-gateways.ts'
import { missingNatGateways } from '../networks/routing.ts'
import { describeAction } from '../read.ts'
import { filterShape, idListSchema, pagedShape } from '../schemas.ts'
import { NAT_GATEWAY_FILTERS, natGatewayView } from '../views/nat-gateway.ts'

const { Filters: _, ...paged } = pagedShape(5, 1000, { larger: 'refused' })

/** The account's. A deleted one is gone at once. */
export const describeNatGateways = describeAction({
  name: 'DescribeNatGateways',
  input: z.strictObject({
    ...paged,
    Filter: filterShape.Filters,
    NatGatewayIds: idListSchema('nat', 'NatGatewayMalformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('NatGatewayIds', asked.NatGatewayIds, asked),
  rows: ({ NatGatewayIds: ids }, { account, read }) =>
    read(async (tx) => {
      const gateways = await tx.natGateways({ account })
      refuseMissing(ids, new Set(gateways.map(({ id }) => id)), missingNatGateways)
      const isWanted = isAmong(ids)
      const wanted = gateways.filter(({ id }) => isWanted(id))
      return await detailsOfNatGateways(tx, account, wanted)
    }),
  view: (details, _asked, { settings }) => natGatewayView(details, settings),
  key: (gateway) => gateway.NatGatewayId ?? '',
  filters: NAT_GATEWAY_FILTERS,
  tags: (gateway) => gateway.Tags ?? [],
  answer: (NatGateways) => ({ NatGateways }),
})
