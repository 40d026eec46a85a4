/** DescribeSubnets. */
import { z } from 'zod'
import { refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { idListSchema, notFound, pagedShape } from '../schemas.ts'
import { SUBNET_FILTERS, subnetView } from '../views/network.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's subnets, and how many of their addresses are free. */
export const describeSubnets = describeAction({
  name: 'DescribeSubnets',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    SubnetIds: idListSchema('subnet', 'InvalidSubnetID.Malformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('SubnetIds', asked.SubnetIds, asked),
  rows: ({ SubnetIds: ids }, { account, read }) =>
    read(async (tx) => {
      const subnets = await tx.subnets(ids.length === 0 ? { account } : { account, ids })
      refuseMissing(ids, new Set(subnets.map(({ id }) => id)), (missing) =>
        notFound('InvalidSubnetID.NotFound', 'subnet ID', missing),
      )
      const resources = subnets.map(({ id }) => id)
      const used = await tx.countAddresses(resources)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      return subnets.map((subnet) => ({
        subnet,
        used: used.get(subnet.id) ?? 0,
        tags: tagsOf(subnet.id),
      }))
    }),
  view: ({ subnet, used, tags }, _asked, { settings: { region } }) =>
    subnetView(subnet, { used, region, tags }),
  key: (subnet) => subnet.SubnetId ?? '',
  filters: SUBNET_FILTERS,
  tags: (subnet) => subnet.Tags ?? [],
  answer: (Subnets) => ({ Subnets }),
})
