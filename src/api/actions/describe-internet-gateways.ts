/** DescribeInternetGateways. */
import { z } from 'zod'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { missingInternetGateways } from '../networks/routing.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { INTERNET_GATEWAY_FILTERS, internetGatewayView } from '../views/internet-gateway.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's, attached or not. */
export const describeInternetGateways = describeAction({
  name: 'DescribeInternetGateways',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    InternetGatewayIds: idListSchema('igw', 'InvalidInternetGatewayId.Malformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('InternetGatewayIds', asked.InternetGatewayIds, asked),
  rows: ({ InternetGatewayIds: ids }, { account, read }) =>
    read(async (tx) => {
      const gateways = await tx.internetGateways({ account })
      refuseMissing(ids, new Set(gateways.map(({ id }) => id)), missingInternetGateways)
      const resources = gateways.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      return gateways
        .filter(({ id }) => isWanted(id))
        .map((gateway) => ({ gateway, tags: tagsOf(gateway.id) }))
    }),
  view: ({ gateway, tags }) => internetGatewayView(gateway, tags),
  key: (gateway) => gateway.InternetGatewayId ?? '',
  filters: INTERNET_GATEWAY_FILTERS,
  tags: (gateway) => gateway.Tags ?? [],
  answer: (InternetGateways) => ({ InternetGateways }),
})
