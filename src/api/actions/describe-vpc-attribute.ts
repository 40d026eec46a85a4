/** DescribeVpcAttribute. */
import { z } from 'zod'
import { requireVpc, vpcIdSchema } from '../networks/vpcs.ts'
import { readAction } from '../read.ts'
import { attributeSchema } from '../schemas.ts'

const NAMES = [
  'enableDnsSupport',
  'enableDnsHostnames',
  'enableNetworkAddressUsageMetrics',
] as const

/** One attribute of a VPC. */
export const describeVpcAttribute = readAction({
  name: 'DescribeVpcAttribute',
  input: z.strictObject({ VpcId: vpcIdSchema, Attribute: attributeSchema(NAMES) }),
  async answer({ VpcId, Attribute }, { account, read }) {
    const { dnsSupport, dnsHostnames } = await read((tx) => requireVpc(tx, account, VpcId))
    const attributes = {
      enableDnsSupport: { EnableDnsSupport: { Value: dnsSupport } },
      enableDnsHostnames: { EnableDnsHostnames: { Value: dnsHostnames } },
      enableNetworkAddressUsageMetrics: { EnableNetworkAddressUsageMetrics: { Value: false } },
    }
    return { VpcId, ...attributes[Attribute] }
  },
})
