/** DescribeSecurityGroupRules: the rules of all groups, one by one. */
import { z } from 'zod'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { namedGroupInfos } from '../networks/foreign-groups.ts'
import { missingRuleIds } from '../networks/security-groups.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { GROUP_RULE_FILTERS, ruleView } from '../views/security-group-rule.ts'
import { tagsIndex } from '../views/tags.ts'

/** The rules of the account's security groups. */
export const describeSecurityGroupRules = describeAction({
  name: 'DescribeSecurityGroupRules',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    SecurityGroupRuleIds: idListSchema('sgr', 'InvalidSecurityGroupRuleId.Malformed').default([]),
  }),
  check: (asked) =>
    refuseIdsWithMaxResults('SecurityGroupRuleIds', asked.SecurityGroupRuleIds, asked),
  rows: ({ SecurityGroupRuleIds: ids }, { account, read }) =>
    read(async (tx) => {
      const rules = await tx.groupRules({ account })
      refuseMissing(ids, new Set(rules.map(({ id }) => id)), missingRuleIds)
      const resources = rules.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      const { infoOf } = await namedGroupInfos(tx, account, rules)
      return rules
        .filter(({ id }) => isWanted(id))
        .map((rule) => ({ rule, infoOf, tags: tagsOf(rule.id) }))
    }),
  view: ({ rule, infoOf, tags }, _asked, { settings: { region } }) =>
    ruleView(rule, { region, tags, infoOf }),
  key: (rule) => rule.SecurityGroupRuleId ?? '',
  filters: GROUP_RULE_FILTERS,
  tags: (rule) => rule.Tags ?? [],
  answer: (SecurityGroupRules) => ({ SecurityGroupRules }),
})
