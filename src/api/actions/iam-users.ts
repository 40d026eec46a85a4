/** Actions of IAM on users: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import { z } from 'zod'
import type { User } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { IAM_ID_BYTES, iamId } from '../../model/iam-names.ts'
import {
  iamTagsSchema,
  tagKeysSchema,
  tagsFrom,
  tagsPage,
  tagsView,
  withoutTags,
  withTags,
} from '../accounts/iam-tags.ts'
import { refuseWithPolicies } from '../accounts/identity-policies.ts'
import { refuseInGroups } from '../accounts/user-groups.ts'
import {
  hasName,
  limitExceeded,
  listUsers,
  pageOf,
  pageShape,
  pathPrefixSchema,
  pathSchema,
  requireLimitedUser,
  requireUser,
  USERS_MAX,
  USERS_VERSION,
  userNameOf,
  userNameSchema,
  userView,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'

const ofUser = { UserName: userNameSchema }
const ACCOUNT_ALIAS = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/

/** A user with its tags, which lists do not show. */
function wholeUserView(user: User) {
  const tags = user.tags.length === 0 ? {} : { Tags: tagsView(user.tags) }
  return { ...userView(user), ...tags }
}

/** GetUser: the named user, or the caller. */
export const getUser = readAction({
  name: 'GetUser',
  input: z.strictObject({ UserName: userNameSchema.optional() }),
  answer: async ({ UserName }, { account, caller, read }) => ({
    User: wholeUserView(await read((tx) => requireUser(tx, account, userNameOf(UserName, caller)))),
  }),
})

/** ListUsers: those whose paths begin with the prefix. */
export const listUsersAction = readAction({
  name: 'ListUsers',
  input: z.strictObject({ ...pageShape, PathPrefix: pathPrefixSchema }),
  async answer(asked, { account, read }) {
    const all = await read((tx) => listUsers(tx, account))
    const users = all.filter(({ path }) => (path ?? '/').startsWith(asked.PathPrefix))
    const { items, more } = pageOf(users, ({ name }) => name, asked)
    return { Users: items.map(userView), ...more }
  },
})

/** CreateUser: without rights, until a policy gives it some. */
export const createUser = changeAction({
  name: 'CreateUser',
  input: z.strictObject({
    ...ofUser,
    Path: pathSchema.default('/'),
    Tags: iamTagsSchema,
  }),
  async change(tx, { UserName: name, Path: path, Tags }, { account, now, settings, parts }) {
    await refuseOlderHosts(tx, settings, USERS_VERSION, 'users with policies')
    await tx.takeTurn(account)
    const users = await listUsers(tx, account)
    if (hasName(users, name))
      throw refused('EntityAlreadyExists', `User with name ${name} already exists.`)
    if (users.length >= USERS_MAX) throw limitExceeded('UsersPerAccount', USERS_MAX)
    const id = iamId('AIDA', parts.random(IAM_ID_BYTES))
    const user = { account, name, id, path, tags: tagsFrom(Tags), createdAt: now }
    if ((await tx.insertUser(user)) === 'exists')
      throw refused('EntityAlreadyExists', `User with name ${name} already exists.`)
    return user
  },
  view: (user) => ({ User: wholeUserView(user) }),
})

/** UpdateUser: another name or path. Keys and policies go with the user. */
export const updateUser = changeAction({
  name: 'UpdateUser',
  input: z.strictObject({
    ...ofUser,
    NewUserName: userNameSchema.optional(),
    NewPath: pathSchema.optional(),
  }),
  async change(tx, { UserName, NewUserName: name = UserName, NewPath }, { account }) {
    await tx.takeTurn(account)
    const user = await requireLimitedUser(tx, account, UserName)
    const others = (await listUsers(tx, account)).filter((one) => one.name !== UserName)
    const taken = hasName(others, name)
    const to = { name, path: NewPath ?? user.path }
    if (taken || (await tx.moveUser(user, to)) === 'exists')
      throw refused('EntityAlreadyExists', `User with name ${name} already exists.`)
  },
})

/** DeleteUser: one without keys, groups and policies. */
export const deleteUser = changeAction({
  name: 'DeleteUser',
  input: z.strictObject(ofUser),
  async change(tx, { UserName: name }, { account }) {
    const user = await requireLimitedUser(tx, account, name)
    await tx.takeTurn(account)
    if ((await tx.accessKeys(account)).some((key) => key.user === name))
      throw refused('DeleteConflict', 'Cannot delete entity, must delete access keys first.')
    await refuseInGroups(tx, user)
    refuseWithPolicies(await tx.identityPolicies(account, `user/${name}`))
    await tx.deleteUser(user)
  },
})

/** TagUser. */
export const tagUser = changeAction({
  name: 'TagUser',
  input: z.strictObject({ ...ofUser, Tags: iamTagsSchema }),
  async change(tx, { UserName, Tags }, { account }) {
    const user = await requireLimitedUser(tx, account, UserName)
    await tx.tagUser(user, withTags(user.tags, Tags))
  },
})

/** UntagUser. */
export const untagUser = changeAction({
  name: 'UntagUser',
  input: z.strictObject({ ...ofUser, TagKeys: tagKeysSchema }),
  async change(tx, { UserName, TagKeys }, { account }) {
    const user = await requireLimitedUser(tx, account, UserName)
    await tx.tagUser(user, withoutTags(user.tags, TagKeys))
  },
})

/** ListUserTags. */
export const listUserTags = readAction({
  name: 'ListUserTags',
  input: z.strictObject({ ...pageShape, ...ofUser }),
  async answer(asked, { account, read }) {
    const { tags } = await read((tx) => requireUser(tx, account, asked.UserName))
    return tagsPage(tags, asked)
  },
})

/**
 * ListAccountAliases: the name that the operator gave the account, where an alias may be so
 * (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccountAlias.html).
 */
export const listAccountAliases = readAction({
  name: 'ListAccountAliases',
  input: z.strictObject(pageShape),
  async answer(_asked, { account, read }) {
    const name = (await read((tx) => tx.account(account)))?.name ?? ''
    return { AccountAliases: ACCOUNT_ALIAS.test(name) ? [name] : [], IsTruncated: false }
  },
})
