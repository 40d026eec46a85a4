/** DescribeVpcAttribute. */
import { z } from 'zod'
import { readAction } from '../read.ts'
import { idSchema } from '../schemas.ts'
import { findVpcs } from '../vpcs.ts'

const ATTRIBUTES = {
  // Each host answers DNS for its instances, and every instance has a name.
  enableDnsSupport: { EnableDnsSupport: { Value: true } },
  enableDnsHostnames: { EnableDnsHostnames: { Value: true } },
  enableNetworkAddressUsageMetrics: { EnableNetworkAddressUsageMetrics: { Value: false } },
}

/** One attribute of a VPC. */
export const describeVpcAttribute = readAction({
  name: 'DescribeVpcAttribute',
  input: z.strictObject({
    VpcId: idSchema('vpc', 'InvalidVpcID.Malformed'),
    Attribute: z.enum(Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]),
  }),
  async answer({ VpcId, Attribute }, { account, read }) {
    await read((tx) => findVpcs(tx, account, [VpcId]))
    return { VpcId, ...ATTRIBUTES[Attribute] }
  },
})
