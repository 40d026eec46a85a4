/** DescribeSecurityGroupRules: the rules of all groups, one by one. */
import type { DescribeSecurityGroupRulesResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Action } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { idListSchema, notFound, pagedShape } from '../schemas.ts'
import { GROUP_RULE_FILTERS, ruleIds, ruleView } from '../views/security-group-rule.ts'
import { tagsIndex } from '../views/tags.ts'

const schema = z.strictObject({
  ...pagedShape(5, 1000, { larger: 'refused' }),
  SecurityGroupRuleIds: idListSchema('sgr', 'InvalidSecurityGroupRuleId.Malformed').default([]),
})

/** DescribeSecurityGroupRules. */
export const describeSecurityGroupRules: Action = {
  name: 'DescribeSecurityGroupRules',
  async run(call): Promise<DescribeSecurityGroupRulesResult> {
    const input = parseInput(schema, call.input)
    refuseIdsWithMaxResults('SecurityGroupRuleIds', input.SecurityGroupRuleIds, input)
    dryRun(call)
    const { account } = call.caller
    const { groups, tags } = await call.parts.store.read(async (tx) => ({
      groups: await tx.groups({ account }),
      tags: await tx.tags({ account }),
    }))
    const rules = groups.flatMap((group) => ruleIds(group).map((rule) => ({ group, ...rule })))
    refuseMissing(input.SecurityGroupRuleIds, new Set(rules.map(({ id }) => id)), (missing) =>
      notFound('InvalidSecurityGroupRuleId.NotFound', 'security group rule ID', missing),
    )
    const wanted = isAmong(input.SecurityGroupRuleIds)
    const tagsOf = tagsIndex(tags)
    const shown = rules.filter(({ id }) => wanted(id))
    const views = await mapInPieces(call.budget, shown, ({ group, id, egress }) =>
      ruleView(group, { id, egress, region: call.parts.settings.region, tags: tagsOf(id) }),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeSecurityGroupRules',
      key: (rule) => rule.SecurityGroupRuleId ?? '',
      filters: GROUP_RULE_FILTERS,
      tags: (rule) => rule.Tags ?? [],
    })
    return { SecurityGroupRules: [...page.items], NextToken: page.nextToken }
  },
}
