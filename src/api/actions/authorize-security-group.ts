/**
 * AuthorizeSecurityGroupIngress and AuthorizeSecurityGroupEgress. They add all of the rules or
 * none.
 */
import { z } from 'zod'
import type { GroupRule } from '../../model/records.ts'
import type { Action, ActionName } from '../action.ts'
import { writeOne } from '../budget.ts'
import { changeAction } from '../change.ts'
import { namedGroupInfos } from '../networks/foreign-groups.ts'
import { askedRules, rulesShape } from '../networks/group-permissions.ts'
import {
  duplicateRule,
  groupShape,
  knownRules,
  refuseForOlderHosts,
  refuseTooManyRules,
  requireGroup,
} from '../networks/security-groups.ts'
import { specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { ruleView } from '../views/security-group-rule.ts'
import { tagsView } from '../views/tags.ts'

function authorize(name: ActionName, egress: boolean): Action {
  return changeAction({
    name,
    input: z.strictObject({
      ...groupShape,
      ...rulesShape,
      TagSpecifications: tagSpecificationsSchema(['security-group-rule']),
    }),
    prepare: ({ GroupId, GroupName, TagSpecifications, ...rules }) => ({
      named: { GroupId, GroupName },
      specs: TagSpecifications,
      rules: askedRules(rules),
    }),
    async change(tx, { named, specs, rules: asked }, { account, newId, settings, budget }) {
      await refuseForOlderHosts(tx, settings)
      await tx.takeTurn(account)
      const group = await requireGroup(tx, account, named)
      const rules = (await knownRules(tx, group, asked, { egress })).map(
        ({ description = '', ...match }): GroupRule => {
          const { id, vpc } = group
          return { ...match, id: newId('sgr'), group: id, vpc, account, description }
        },
      )
      for (const rule of rules) {
        await writeOne(budget)
        if ((await tx.insertGroupRule(rule)) === 'exists') throw duplicateRule(rule)
      }
      await refuseTooManyRules(tx, group, settings)
      const tags = rules.flatMap(({ id }) =>
        specifiedTags(specs, { account, resource: id, resourceType: 'security-group-rule' }),
      )
      await tx.putTags(tags)
      return { rules, tags, ...(await namedGroupInfos(tx, account, rules)) }
    },
    view: ({ rules, tags, infoOf }, { settings }) => ({
      Return: true,
      SecurityGroupRules: rules.map((rule) =>
        ruleView(rule, { region: settings.region, tags: tagsView(tags, rule.id), infoOf }),
      ),
    }),
  })
}

/** AuthorizeSecurityGroupIngress. */
export const authorizeSecurityGroupIngress = authorize('AuthorizeSecurityGroupIngress', false)
/** AuthorizeSecurityGroupEgress. */
export const authorizeSecurityGroupEgress = authorize('AuthorizeSecurityGroupEgress', true)
