/** CreateNetworkAcl: without entries, so it lets nothing pass. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { requireNetworkAcl } from '../networks/routing.ts'
import { requireVpc, vpcIdSchema } from '../networks/vpcs.ts'
import { clientTokenSchema, specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { networkAclView } from '../views/network-acl.ts'
import { tagsView } from '../views/tags.ts'

const input = z.strictObject({
  VpcId: vpcIdSchema,
  ClientToken: clientTokenSchema,
  TagSpecifications: tagSpecificationsSchema(['network-acl']),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAcl.html */
export const createNetworkAcl = changeAction({
  name: 'CreateNetworkAcl',
  input,
  prepare: (asked, { newId }) => ({ ...asked, id: newId('acl') }),
  once: ({ ClientToken: token = null, id }, { account }) => ({
    token,
    result: id,
    repeat: async (tx, known) => {
      const acl = await requireNetworkAcl(tx, account, known as typeof id)
      return { acl, tags: await tx.tags({ account, resources: [acl.id] }) }
    },
  }),
  async change(tx, { VpcId, TagSpecifications, id }, { account, settings }) {
    const vpc = await requireVpc(tx, account, VpcId)
    const limit = settings.quotas.networkAclsPerVpc
    await tx.takeTurn(account)
    if ((await tx.networkAcls({ vpcs: [vpc.id] })).length >= limit)
      throw refused(
        'NetworkAclLimitExceeded',
        `The maximum number of network ACLs of a VPC has been reached: ${limit}`,
      )
    const acl = { id, account, vpc: vpc.id, isDefault: false }
    await tx.insertNetworkAcl(acl)
    const of = { account, resource: id, resourceType: 'network-acl' }
    const tags = specifiedTags(TagSpecifications, of)
    await tx.putTags(tags)
    return { acl, tags }
  },
  view: ({ acl, tags }) => ({
    NetworkAcl: networkAclView(acl, {
      entries: [],
      associations: [],
      tags: tagsView(tags, acl.id),
    }),
  }),
})
