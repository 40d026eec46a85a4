/** DescribeSecurityGroups. */
import { z } from 'zod'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { IDS_MAX, idListSchema, notFound, pagedShape, textSchema } from '../schemas.ts'
import { GROUP_FILTERS, groupView } from '../views/network.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's security groups with their rules. */
export const describeSecurityGroups = describeAction({
  name: 'DescribeSecurityGroups',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    GroupIds: idListSchema('sg', 'InvalidGroupId.Malformed').default([]),
    GroupNames: z.array(textSchema).max(IDS_MAX).default([]),
  }),
  check: (asked) =>
    refuseIdsWithMaxResults('GroupIds', [...asked.GroupIds, ...asked.GroupNames], asked),
  rows: ({ GroupIds, GroupNames }, { account, read }) =>
    read(async (tx) => {
      const groups = await tx.groups({ account })
      refuseMissing(GroupIds, new Set(groups.map(({ id }) => id)), missingGroups)
      refuseMissing(GroupNames, new Set(groups.map(({ name }) => name)), missingGroups)
      const tagsOf = tagsIndex(await tx.tags({ account }))
      const isWanted = isAmong(GroupIds)
      const isNamed = isAmong(GroupNames)
      return groups
        .filter(({ id, name }) => isWanted(id) && isNamed(name))
        .map((group) => ({ group, tags: tagsOf(group.id) }))
    }),
  view: ({ group, tags }, _asked, { settings }) => groupView(group, settings.region, tags),
  key: (group) => group.GroupId ?? '',
  filters: GROUP_FILTERS,
  tags: (group) => group.Tags ?? [],
  answer: (SecurityGroups) => ({ SecurityGroups }),
})

function missingGroups(missing: readonly string[]): Error {
  return notFound('InvalidGroup.NotFound', 'security group', missing)
}
