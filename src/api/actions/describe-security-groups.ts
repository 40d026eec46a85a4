/** DescribeSecurityGroups. */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import type { Group } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { namedGroupInfos } from '../networks/foreign-groups.ts'
import { missingGroups } from '../networks/security-groups.ts'
import { describeAction } from '../read.ts'
import { IDS_MAX, idListSchema, pagedShape, textSchema } from '../schemas.ts'
import { GROUP_FILTERS, groupView } from '../views/security-group.ts'
import { tagsIndex } from '../views/tags.ts'

/** A name alone is one of the default VPC, as in EC2. */
async function inDefaultVpc(
  tx: ReadTx,
  account: AccountId,
  groups: readonly Group[],
): Promise<readonly Group[]> {
  const vpc = (await tx.vpcs({ account })).find(({ isDefault }) => isDefault)
  return groups.filter((group) => group.vpc === vpc?.id)
}

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
      const named = GroupNames.length === 0 ? [] : await inDefaultVpc(tx, account, groups)
      refuseMissing(GroupNames, new Set(named.map(({ name }) => name)), missingGroups)
      const resources = groups.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(GroupIds)
      const isNamed = isAmong(GroupNames)
      const shown = GroupNames.length === 0 ? groups : named
      const wanted = shown.filter(({ id, name }) => isWanted(id) && isNamed(name))
      const one = wanted.length === 1 ? { groups: wanted.map(({ id }) => id) } : {}
      const all = await tx.groupRules({ account, ...one })
      const { infoOf } = await namedGroupInfos(tx, account, all)
      const rules = Map.groupBy(all, (rule) => rule.group)
      const names = new Map<string, string>(groups.map(({ id, name }) => [id, name]))
      return wanted.map((group) => {
        return { group, rules: rules.get(group.id) ?? [], infoOf, names, tags: tagsOf(group.id) }
      })
    }),
  view: ({ group, rules, infoOf, names, tags }, _asked, { settings: { region } }) => ({
    view: groupView(group, { rules, infoOf, region, tags }),
    names,
  }),
  key: ({ view }) => view.GroupId ?? '',
  filters: GROUP_FILTERS,
  tags: ({ view }) => view.Tags ?? [],
  answer: (shown) => ({ SecurityGroups: shown.map(({ view }) => view) }),
})
