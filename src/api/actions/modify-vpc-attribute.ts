/** ModifyVpcAttribute: DNS in a VPC. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { oneAttribute, onlySchema } from '../schemas.ts'
import { requireVpc, vpcIdSchema } from '../vpcs.ts'

const flag = z.strictObject({ Value: z.boolean() })
const attributes = {
  EnableDnsSupport: flag.optional(),
  EnableDnsHostnames: flag.optional(),
  EnableNetworkAddressUsageMetrics: z
    .strictObject({
      Value: onlySchema(false, 'EnableNetworkAddressUsageMetrics: there are no such metrics'),
    })
    .optional(),
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html */
export const modifyVpcAttribute = changeAction({
  name: 'ModifyVpcAttribute',
  input: oneAttribute(z.strictObject({ VpcId: vpcIdSchema, ...attributes }), attributes),
  async change(tx, { VpcId, EnableDnsSupport, EnableDnsHostnames }, { account }) {
    const vpc = await requireVpc(tx, account, VpcId)
    await tx.updateVpc(vpc, {
      dnsSupport: EnableDnsSupport?.Value ?? vpc.dnsSupport,
      dnsHostnames: EnableDnsHostnames?.Value ?? vpc.dnsHostnames,
    })
  },
})
