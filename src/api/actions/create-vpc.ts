/** CreateVpc: with its default security group, main route table and default network ACL. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { makeVpc } from '../networks/new-networks.ts'
import { rangeSchema } from '../networks/vpcs.ts'
import { onlySchema, specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { vpcView } from '../views/network.ts'
import { tagsView } from '../views/tags.ts'

const NO_IPV6 = 'AmazonProvidedIpv6CidrBlock: there are no IPv6 addresses'

/**
 * As on EC2 it has no subnet and no way out, and DNS host names are off.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
 */
export const createVpc = changeAction({
  name: 'CreateVpc',
  input: z.strictObject({
    CidrBlock: rangeSchema('InvalidVpc.Range'),
    InstanceTenancy: onlySchema('default', 'InstanceTenancy: instances share their hosts'),
    AmazonProvidedIpv6CidrBlock: onlySchema(false, NO_IPV6),
    TagSpecifications: tagSpecificationsSchema(['vpc']),
  }),
  async change(tx, { CidrBlock: cidr, TagSpecifications }, changing) {
    const vpc = await makeVpc(tx, { cidr, isDefault: false, dnsHostnames: false }, changing)
    const { id: resource, account } = vpc
    const tags = specifiedTags(TagSpecifications, { account, resource, resourceType: 'vpc' })
    await tx.putTags(tags)
    return { vpc, tags }
  },
  view: ({ vpc, tags }) => ({ Vpc: vpcView(vpc, tagsView(tags, vpc.id)) }),
})
