/** DeleteSecurityGroup: its own rules and tags go with it. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { DEFAULT_GROUP } from '../../store/new-vpc.ts'
import { changeAction } from '../change.ts'
import { groupShape, removeGroup, requireGroup } from '../networks/security-groups.ts'

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
    if ((await removeGroup(tx, group)) === 'in-use')
      throw refused('DependencyViolation', `resource ${id} has a dependent object`)
    return id
  },
  view: (GroupId) => ({ Return: true, GroupId }),
})
