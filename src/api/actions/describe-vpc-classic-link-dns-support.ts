/** DescribeVpcClassicLinkDnsSupport, which some clients ask before anything else. */
import type { ClassicLinkDnsSupport } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { findVpcs } from '../networks/vpcs.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'

const { Filters: _, ...unfiltered } = pagedShape(5, 255, { larger: 'refused' })

/** No VPC has it: there is no EC2-Classic to link to. */
export const describeVpcClassicLinkDnsSupport = describeAction({
  name: 'DescribeVpcClassicLinkDnsSupport',
  input: z.strictObject({
    ...unfiltered,
    VpcIds: idListSchema('vpc', 'InvalidVpcID.Malformed').default([]),
  }),
  rows: ({ VpcIds }, { account, read }) => read((tx) => findVpcs(tx, account, VpcIds)),
  view: ({ id }): ClassicLinkDnsSupport => ({ VpcId: id, ClassicLinkDnsSupported: false }),
  key: (view) => view.VpcId ?? '',
  filters: {},
  answer: (Vpcs) => ({ Vpcs }),
})
