/** DescribeVpcClassicLink, which some clients ask before anything else. */
import type { VpcClassicLink } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { findVpcs } from '../networks/vpcs.ts'
import { describeAction } from '../read.ts'
import { filterShape, idListSchema } from '../schemas.ts'
import { tagsIndex } from '../views/tags.ts'

/** No VPC has it: there is no EC2-Classic to link to. */
export const describeVpcClassicLink = describeAction({
  name: 'DescribeVpcClassicLink',
  input: z.strictObject({
    ...filterShape,
    VpcIds: idListSchema('vpc', 'InvalidVpcID.Malformed').default([]),
  }),
  rows: ({ VpcIds }, { account, read }) =>
    read(async (tx) => {
      const vpcs = await findVpcs(tx, account, VpcIds)
      const resources = vpcs.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      return vpcs.map(({ id }) => ({ id, tags: tagsOf(id) }))
    }),
  view: ({ id, tags }): VpcClassicLink => ({ ClassicLinkEnabled: false, Tags: tags, VpcId: id }),
  key: (view) => view.VpcId ?? '',
  filters: { 'is-classic-link-enabled': (view) => view.ClassicLinkEnabled },
  tags: (view) => view.Tags ?? [],
  unpaged: true,
  answer: (Vpcs) => ({ Vpcs }),
})
