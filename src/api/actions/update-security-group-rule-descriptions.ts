/**
 * UpdateSecurityGroupRuleDescriptionsIngress and UpdateSecurityGroupRuleDescriptionsEgress: set the
 * descriptions of all of the rules or of none. A missing description removes it.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Action, ActionName } from '../action.ts'
import { writeOne } from '../budget.ts'
import { changeAction } from '../change.ts'
import {
  groupTextSchema,
  permissionRules,
  permissionsSchema,
} from '../networks/group-permissions.ts'
import {
  groupShape,
  meantRules,
  missingRuleIds,
  requireGroup,
} from '../networks/security-groups.ts'
import { IDS_MAX, idSchema } from '../schemas.ts'

const shape = {
  ...groupShape,
  IpPermissions: permissionsSchema,
  SecurityGroupRuleDescriptions: z
    .array(
      z.strictObject({
        SecurityGroupRuleId: idSchema('sgr', 'InvalidSecurityGroupRuleId.Malformed'),
        Description: groupTextSchema.default(''),
      }),
    )
    .max(IDS_MAX)
    .default([]),
}

function update(name: ActionName, egress: boolean): Action {
  return changeAction({
    name,
    input: z.strictObject(shape),
    prepare({ IpPermissions, SecurityGroupRuleDescriptions: byId, ...named }) {
      if (IpPermissions.length > 0 && byId.length > 0)
        throw refused(
          'InvalidParameterCombination',
          'The parameter ipPermissions may not be used in combination with securityGroupRuleDescription',
        )
      if (IpPermissions.length === 0 && byId.length === 0)
        throw refused('MissingParameter', 'The request must contain the parameter ipPermissions')
      return { named, byId, asked: IpPermissions.flatMap(permissionRules) }
    },
    async change(tx, { named, byId, asked }, { account, budget }) {
      const group = await requireGroup(tx, account, named)
      const known = (await tx.groupRules({ groups: [group.id] })).filter(
        (rule) => rule.egress === egress,
      )
      const ids = new Map(known.map((rule) => [rule.id, rule]))
      const rules = byId.map(({ SecurityGroupRuleId: id, Description: description }) => {
        const rule = ids.get(id)
        if (rule === undefined) throw missingRuleIds([id])
        return { ...rule, description }
      })
      for (const { rule, description = '' } of await meantRules(tx, group, known, asked, {
        egress,
      }))
        rules.push({ ...rule, description })
      for (const rule of rules) {
        await writeOne(budget)
        await tx.updateGroupRule(rule)
      }
    },
    view: () => ({ Return: true }),
  })
}

/** UpdateSecurityGroupRuleDescriptionsIngress. */
export const updateSecurityGroupRuleDescriptionsIngress = update(
  'UpdateSecurityGroupRuleDescriptionsIngress',
  false,
)
/** UpdateSecurityGroupRuleDescriptionsEgress. */
export const updateSecurityGroupRuleDescriptionsEgress = update(
  'UpdateSecurityGroupRuleDescriptionsEgress',
  true,
)
