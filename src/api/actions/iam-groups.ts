/** Actions of IAM on groups of users: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { IAM_ID_BYTES, iamId } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Tx } from '../../store/store.ts'
import { refuseWithPolicies } from '../accounts/identity-policies.ts'
import {
  GROUPS_PER_USER_MAX,
  groupsOfUser,
  groupView,
  requireUserGroup,
  USER_GROUPS_MAX,
} from '../accounts/user-groups.ts'
import {
  groupNameSchema,
  hasName,
  limitExceeded,
  listUsers,
  pageOf,
  pageShape,
  pathPrefixSchema,
  pathSchema,
  requireLimitedUser,
  requireUser,
  USERS_VERSION,
  userNameSchema,
  userView,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'

const ofGroup = { GroupName: groupNameSchema }
const ofMember = { ...ofGroup, UserName: userNameSchema }

/** CreateGroup. */
export const createGroup = changeAction({
  name: 'CreateGroup',
  input: z.strictObject({ ...ofGroup, Path: pathSchema.default('/') }),
  async change(tx, { GroupName: name, Path: path }, { account, now, parts, settings }) {
    await refuseOlderHosts(tx, settings, USERS_VERSION, 'groups of users')
    await tx.takeTurn(account)
    const groups = await tx.userGroups(account)
    if (hasName(groups, name)) throw alreadyExists(name)
    if (groups.length >= USER_GROUPS_MAX) throw limitExceeded('GroupsPerAccount', USER_GROUPS_MAX)
    const id = iamId('AGPA', parts.random(IAM_ID_BYTES))
    const group = { account, name, id, path, createdAt: now }
    if ((await tx.insertUserGroup(group)) === 'exists') throw alreadyExists(name)
    return group
  },
  view: (group) => ({ Group: groupView(group) }),
})

function alreadyExists(name: string): Error {
  return refused('EntityAlreadyExists', `Group with name ${name} already exists.`)
}

/** GetGroup: with its members. */
export const getGroup = readAction({
  name: 'GetGroup',
  input: z.strictObject({ ...pageShape, ...ofGroup }),
  async answer(asked, { account, read }) {
    const { group, users } = await read(async (tx) => {
      const found = await requireUserGroup(tx, account, asked.GroupName)
      const members = (await tx.groupMembers(account)).filter((one) => one.group === found.id)
      const ids = new Set(members.map(({ user }) => user))
      const all = ids.size === 0 ? [] : await listUsers(tx, account)
      return { group: found, users: all.filter(({ id }) => ids.has(id)) }
    })
    const { items, more } = pageOf(users, ({ name }) => name, asked)
    return { Group: groupView(group), Users: items.map(userView), ...more }
  },
})

/** ListGroups: those whose paths begin with the prefix. */
export const listGroups = readAction({
  name: 'ListGroups',
  input: z.strictObject({ ...pageShape, PathPrefix: pathPrefixSchema }),
  async answer(asked, { account, read }) {
    const all = await read((tx) => tx.userGroups(account))
    const groups = all.filter(({ path }) => path.startsWith(asked.PathPrefix))
    const { items, more } = pageOf(groups, ({ name }) => name, asked)
    return { Groups: items.map(groupView), ...more }
  },
})

/** ListGroupsForUser. */
export const listGroupsForUser = readAction({
  name: 'ListGroupsForUser',
  input: z.strictObject({ ...pageShape, UserName: userNameSchema }),
  async answer(asked, { account, read }) {
    const groups = await read(async (tx) => {
      const { id } = await requireUser(tx, account, asked.UserName)
      return await groupsOfUser(tx, account, id)
    })
    const { items, more } = pageOf(groups, ({ name }) => name, asked)
    return { Groups: items.map(groupView), ...more }
  },
})

/** UpdateGroup: another name or path. Members and policies go with the group. */
export const updateGroup = changeAction({
  name: 'UpdateGroup',
  input: z.strictObject({
    ...ofGroup,
    NewGroupName: groupNameSchema.optional(),
    NewPath: pathSchema.optional(),
  }),
  async change(tx, { GroupName, NewGroupName: name = GroupName, NewPath }, { account }) {
    await tx.takeTurn(account)
    const group = await requireUserGroup(tx, account, GroupName)
    const others = (await tx.userGroups(account)).filter((one) => one.name !== GroupName)
    const to = { name, path: NewPath ?? group.path }
    if (hasName(others, name) || (await tx.moveUserGroup(group, to)) === 'exists')
      throw alreadyExists(name)
  },
})

/** DeleteGroup: one without members and policies. */
export const deleteGroup = changeAction({
  name: 'DeleteGroup',
  input: z.strictObject(ofGroup),
  async change(tx, { GroupName: name }, { account }) {
    await tx.takeTurn(account)
    const group = await requireUserGroup(tx, account, name)
    if ((await tx.groupMembers(account)).some((one) => one.group === group.id))
      throw refused('DeleteConflict', 'Cannot delete entity, must remove users from group first.')
    refuseWithPolicies(await tx.identityPolicies(account, `group/${name}`))
    await tx.deleteUserGroup(group)
  },
})

/** AddUserToGroup. Its requests are decided by the group's policies, too. */
export const addUserToGroup = changeAction({
  name: 'AddUserToGroup',
  input: z.strictObject(ofMember),
  async change(tx, asked, { account }) {
    await tx.takeTurn(account)
    const { user, group } = await membersOf(tx, account, asked)
    const known = await groupsOfUser(tx, account, user.id)
    if (known.some(({ id }) => id === group.id)) return
    if (known.length >= GROUPS_PER_USER_MAX)
      throw limitExceeded('GroupsPerUser', GROUPS_PER_USER_MAX)
    await tx.insertGroupMember({ account, user: user.id, group: group.id })
  },
})

/** RemoveUserFromGroup. */
export const removeUserFromGroup = changeAction({
  name: 'RemoveUserFromGroup',
  input: z.strictObject(ofMember),
  async change(tx, asked, { account }) {
    const { user, group } = await membersOf(tx, account, asked)
    await tx.deleteGroupMember({ account, user: user.id, group: group.id })
  },
})

async function membersOf(
  tx: Tx,
  account: AccountId,
  { UserName, GroupName }: { readonly UserName: string; readonly GroupName: string },
) {
  const group = await requireUserGroup(tx, account, GroupName)
  return { group, user: await requireLimitedUser(tx, account, UserName) }
}
