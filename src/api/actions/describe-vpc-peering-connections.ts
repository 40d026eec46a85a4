/** DescribeVpcPeeringConnections. */
import { z } from 'zod'
import { rangesOf } from '../../model/vpc-range.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { isListed, missingPeerings } from '../networks/peerings.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { tagsIndex } from '../views/tags.ts'
import { PEERING_FILTERS, peeringView } from '../views/vpc-peering.ts'

/** Those in which the account has either side, with its own tags. */
export const describeVpcPeeringConnections = describeAction({
  name: 'DescribeVpcPeeringConnections',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    VpcPeeringConnectionIds: idListSchema('pcx', 'InvalidVpcPeeringConnectionId.Malformed').default(
      [],
    ),
  }),
  check: (asked) =>
    refuseIdsWithMaxResults('VpcPeeringConnectionIds', asked.VpcPeeringConnectionIds, asked),
  rows: ({ VpcPeeringConnectionIds: ids }, { account, read, now }) =>
    read(async (tx) => {
      const all = (await tx.vpcPeerings({ account })).filter((one) => isListed(one, now))
      refuseMissing(ids, new Set(all.map(({ id }) => id)), missingPeerings)
      const resources = all.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      const wanted = all.filter(({ id }) => isWanted(id))
      // Of a VPC that somebody has only asked for, nothing more is told.
      const vpcs = wanted.some(({ state }) => state === 'active') ? await tx.vpcs({}) : []
      const ranges = new Map(vpcs.map((vpc) => [vpc.id, rangesOf(vpc)]))
      return wanted.map((peering) => ({
        ...{ peering, tags: tagsOf(peering.id) },
        ...(peering.state === 'active' ? { ranges } : {}),
      }))
    }),
  view: ({ peering, ...more }, _asked, { now, settings: { region } }) =>
    peeringView(peering, { now, region, ...more }),
  key: (peering) => peering.VpcPeeringConnectionId ?? '',
  filters: PEERING_FILTERS,
  tags: (peering) => peering.Tags ?? [],
  answer: (VpcPeeringConnections) => ({ VpcPeeringConnections }),
})
