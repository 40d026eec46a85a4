/** ModifySecurityGroupRules: replaces each rule as a whole. Its id, direction and tags stay. */
import { z } from 'zod'
import type { SecurityGroupRuleId } from '../../model/ids.ts'
import type { GroupRule } from '../../model/records.ts'
import { writeOne } from '../budget.ts'
import { changeAction } from '../change.ts'
import { wholeRule, wholeRuleSchema } from '../networks/group-permissions.ts'
import {
  duplicateRule,
  knownRules,
  missingRuleIds,
  refuseForOlderHosts,
  refuseTooManyRules,
  requireGroup,
} from '../networks/security-groups.ts'
import { IDS_MAX, idSchema, required, withCode } from '../schemas.ts'

const schema = z.strictObject({
  GroupId: idSchema('sg', 'InvalidGroupId.Malformed'),
  SecurityGroupRules: required(
    z
      .array(
        z.strictObject({
          SecurityGroupRuleId: idSchema('sgr', 'InvalidSecurityGroupRuleId.Malformed'),
          SecurityGroupRule: wholeRuleSchema,
        }),
      )
      .max(IDS_MAX)
      .refine(
        (rules) => new Set(rules.map((rule) => rule.SecurityGroupRuleId)).size === rules.length,
        { error: 'A rule may be given once', ...withCode('InvalidParameterValue') },
      ),
    'securityGroupRule',
  ),
})

/** All of the rules or none. */
export const modifySecurityGroupRules = changeAction({
  name: 'ModifySecurityGroupRules',
  input: schema,
  prepare: ({ GroupId, SecurityGroupRules }) => ({
    GroupId,
    asked: SecurityGroupRules.map((one) => ({
      id: one.SecurityGroupRuleId,
      rule: wholeRule(one.SecurityGroupRule),
    })),
  }),
  async change(tx, { GroupId, asked }, { account, settings, budget }) {
    await refuseForOlderHosts(tx, settings)
    await tx.takeTurn(account)
    const group = await requireGroup(tx, account, { GroupId })
    const known = new Map(
      (await tx.groupRules({ groups: [group.id] })).map((rule) => [rule.id, rule]),
    )
    const found = asked.map(({ id, rule }) => ({ old: requireRule(known, id), rule }))
    const rules: GroupRule[] = []
    for (const egress of [false, true]) {
      const those = found.filter(({ old }) => old.egress === egress)
      const asked = those.map(({ rule }) => rule)
      for (const [at, rule] of (
        await knownRules(tx, group, asked, { egress, kept: [...known.values()] })
      ).entries()) {
        const old = those[at]?.old
        if (old !== undefined) rules.push({ ...old, ...rule, description: rule.description ?? '' })
      }
    }
    // A rule may get the former contents of another one.
    for (const rule of rules) await tx.deleteGroupRule(rule)
    for (const rule of rules) {
      await writeOne(budget)
      if ((await tx.insertGroupRule(rule)) === 'exists') throw duplicateRule(rule)
    }
    await refuseTooManyRules(tx, group, settings)
  },
  view: () => ({ Return: true }),
})

function requireRule(
  known: ReadonlyMap<SecurityGroupRuleId, GroupRule>,
  id: SecurityGroupRuleId,
): GroupRule {
  const rule = known.get(id)
  if (rule === undefined) throw missingRuleIds([id])
  return rule
}
