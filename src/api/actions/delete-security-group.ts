/** DeleteSecurityGroup: its own rules and tags go with it. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { DEFAULT_GROUP, groupShape, requireGroup } from '../security-groups.ts'

/** Refuses a default group, and one that a NIC is in or that another group's rule names. */
export const deleteSecurityGroup = changeAction({
  name: 'DeleteSecurityGroup',
  input: z.strictObject(groupShape),
  async change(tx, asked, { account }) {
    const group = await requireGroup(tx, account, asked)
    const { id, name } = group
    if (name === DEFAULT_GROUP)
      throw refused(
        'CannotDelete',
        `the specified group: "${id}" name: "${name}" cannot be deleted by a user`,
      )
    for (const rule of await tx.groupRules({ groups: [id] })) {
      await tx.deleteTagsOf(rule.id)
      await tx.deleteGroupRule(rule)
    }
    if ((await tx.deleteGroup(group)) === 'in-use')
      throw refused('DependencyViolation', `resource ${id} has a dependent object`)
    await tx.deleteTagsOf(id)
    return id
  },
  view: (GroupId) => ({ Return: true, GroupId }),
})
