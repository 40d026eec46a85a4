/** ModifyVpcAttribute: DNS in a VPC. */
import { z } from 'zod'
import type { Version } from '../../model/version.ts'
import { changeAction } from '../change.ts'
import { requireVpc, vpcIdSchema } from '../networks/vpcs.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { oneAttribute, onlySchema } from '../schemas.ts'

/** Older hosts answer every instance. */
const ATTRIBUTES_VERSION: Version = [0, 3]
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
  async change(tx, { VpcId, EnableDnsSupport, EnableDnsHostnames }, { account, settings }) {
    const vpc = await requireVpc(tx, account, VpcId)
    if (EnableDnsSupport?.Value === false)
      await refuseOlderHosts(tx, settings, ATTRIBUTES_VERSION, 'VPCs without the resolver')
    await tx.updateVpc(vpc, {
      dnsSupport: EnableDnsSupport?.Value ?? vpc.dnsSupport,
      dnsHostnames: EnableDnsHostnames?.Value ?? vpc.dnsHostnames,
    })
  },
})
