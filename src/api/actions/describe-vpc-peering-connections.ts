/** DescribeVpcPeeringConnections. */
import { z } from 'zod'
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
      return all
        .filter(({ id }) => isWanted(id))
        .map((peering) => ({ peering, tags: tagsOf(peering.id) }))
    }),
  view: ({ peering, tags }, _asked, { now, settings: { region } }) =>
    peeringView(peering, { now, region, tags }),
  key: (peering) => peering.VpcPeeringConnectionId ?? '',
  filters: PEERING_FILTERS,
  tags: (peering) => peering.Tags ?? [],
  answer: (VpcPeeringConnections) => ({ VpcPeeringConnections }),
})
