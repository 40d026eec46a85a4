/** DescribeVpcs. */
import { z } from 'zod'
import { refuseIdsWithMaxResults } from '../describe.ts'
import { findVpcs } from '../networks/vpcs.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { VPC_FILTERS, vpcView } from '../views/network.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's VPCs. */
export const describeVpcs = describeAction({
  name: 'DescribeVpcs',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    VpcIds: idListSchema('vpc', 'InvalidVpcID.Malformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('VpcIds', asked.VpcIds, asked),
  rows: ({ VpcIds }, { account, read }) =>
    read(async (tx) => {
      const vpcs = await findVpcs(tx, account, VpcIds)
      const ids = vpcs.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources: ids }))
      const dns = ids.length === 0 ? [] : await tx.vpcDns(ids)
      const options = new Map(dns.map((one) => [one.vpc, one.options?.id]))
      return vpcs.map((vpc) => ({ vpc, tags: tagsOf(vpc.id), options: options.get(vpc.id) }))
    }),
  view: ({ vpc, tags, options }) => vpcView(vpc, tags, options),
  key: (vpc) => vpc.VpcId ?? '',
  filters: VPC_FILTERS,
  tags: (vpc) => vpc.Tags ?? [],
  answer: (Vpcs) => ({ Vpcs }),
})
