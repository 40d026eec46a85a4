/** DescribeNetworkAcls. */
import { z } from 'zod'
import { readRouting } from '../../store/routing.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { aclAssociations } from '../networks/network-acls.ts'
import { missingNetworkAcls } from '../networks/routing.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { NETWORK_ACL_FILTERS, networkAclView } from '../views/network-acl.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's, with the default one of each VPC. */
export const describeNetworkAcls = describeAction({
  name: 'DescribeNetworkAcls',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    NetworkAclIds: idListSchema('acl', 'InvalidNetworkAclId.Malformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('NetworkAclIds', asked.NetworkAclIds, asked),
  rows: ({ NetworkAclIds: ids }, { account, read }) =>
    read(async (tx) => {
      const vpcs = (await tx.vpcs({ account })).map(({ id }) => id)
      const subnets = Map.groupBy(await tx.subnets({ account }), ({ vpc }) => vpc)
      const all = (await readRouting(tx, vpcs)).flatMap((routing) => {
        const associations = aclAssociations(routing, subnets.get(routing.vpc) ?? [])
        return routing.acls.map((acl) => ({
          acl,
          entries: routing.aclEntries.filter((entry) => entry.acl === acl.id),
          associations: associations.filter((one) => one.acl === acl.id),
        }))
      })
      refuseMissing(ids, new Set(all.map(({ acl }) => acl.id)), missingNetworkAcls)
      const resources = all.map(({ acl }) => acl.id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      return all
        .filter(({ acl }) => isWanted(acl.id))
        .map((one) => ({ ...one, tags: tagsOf(one.acl.id) }))
    }),
  view: ({ acl, ...more }) => networkAclView(acl, more),
  key: (acl) => acl.NetworkAclId ?? '',
  filters: NETWORK_ACL_FILTERS,
  tags: (acl) => acl.Tags ?? [],
  answer: (NetworkAcls) => ({ NetworkAcls }),
})
