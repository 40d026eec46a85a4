/**
 * RevokeSecurityGroupIngress and RevokeSecurityGroupEgress: remove all of the rules or none, by
 * their contents or by their ids. Descriptions are not compared.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { SecurityGroupRuleId } from '../../model/ids.ts'
import type { GroupRule } from '../../model/records.ts'
import type { Action, ActionName } from '../action.ts'
import { writeOne } from '../budget.ts'
import { changeAction } from '../change.ts'
import { askedRules, rulesShape } from '../networks/group-permissions.ts'
import {
  groupShape,
  meantRules,
  missingRuleIds,
  refuseForOlderHosts,
  requireGroup,
} from '../networks/security-groups.ts'
import { idListSchema } from '../schemas.ts'
import { revokedRuleView } from '../views/security-group-rule.ts'

function revoke(name: ActionName, egress: boolean): Action {
  return changeAction({
    name,
    input: z.strictObject({
      ...groupShape,
      ...rulesShape,
      SecurityGroupRuleIds: idListSchema('sgr', 'InvalidSecurityGroupRuleId.Malformed').default([]),
    }),
    prepare: ({ GroupId, GroupName, SecurityGroupRuleIds: ids, ...rules }) => ({
      named: { GroupId, GroupName },
      ids,
      asked: ids.length === 0 ? askedRules(rules) : refuseBoth(rules),
    }),
    async change(tx, { named, ids, asked }, { account, settings, budget }) {
      await refuseForOlderHosts(tx, settings)
      const group = await requireGroup(tx, account, named)
      const known = (await tx.groupRules({ groups: [group.id] })).filter(
        (rule) => rule.egress === egress,
      )
      const meant = await meantRules(tx, group, known, asked, { egress })
      const rules = ids.length > 0 ? byIds(known, ids) : meant.map(({ rule }) => rule)
      for (const rule of rules) {
        await writeOne(budget)
        await tx.deleteTagsOf(rule.id)
        await tx.deleteGroupRule(rule)
      }
      return rules
    },
    view: (rules) => ({ Return: true, RevokedSecurityGroupRules: rules.map(revokedRuleView) }),
  })
}

/** Rules must be named in one way only. */
function refuseBoth({
  IpPermissions,
  ...flat
}: Parameters<typeof askedRules>[0]): readonly never[] {
  const isEmpty =
    IpPermissions.length === 0 && Object.values(flat).every((one) => one === undefined)
  if (isEmpty) return []
  throw refused(
    'InvalidParameterCombination',
    'The parameter securityGroupRuleIds may not be used in combination with ipPermissions or parameters of one rule',
  )
}

function byIds(
  known: readonly GroupRule[],
  ids: readonly SecurityGroupRuleId[],
): readonly GroupRule[] {
  const missing = ids.filter((id) => !known.some((rule) => rule.id === id))
  if (missing.length > 0) throw missingRuleIds(missing)
  return known.filter(({ id }) => ids.includes(id))
}

/** RevokeSecurityGroupIngress. */
export const revokeSecurityGroupIngress = revoke('RevokeSecurityGroupIngress', false)
/** RevokeSecurityGroupEgress. */
export const revokeSecurityGroupEgress = revoke('RevokeSecurityGroupEgress', true)
