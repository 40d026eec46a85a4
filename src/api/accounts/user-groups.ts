/** What actions on groups of users share. A group has policies, which hold for its members. */
import type { Group as GroupView } from '@aws-sdk/client-iam'
import type { User, UserGroup } from '../../model/account-records.ts'
import { refused, unavailable } from '../../model/errors.ts'
import { iamArn } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { ReadTx } from '../../store/store.ts'
import { noSuchEntity } from './users.ts'

/** Most groups of an account (IAM user guide, "IAM and AWS STS quotas"). */
export const USER_GROUPS_MAX = 300
/** Most groups that a user is in. Their policies are read with each of its requests. */
export const GROUPS_PER_USER_MAX = 10

/** One group. Errors: `NoSuchEntity`. */
export async function requireUserGroup(
  tx: ReadTx,
  account: AccountId,
  name: string,
): Promise<UserGroup> {
  const found = (await tx.userGroups(account)).find((one) => one.name === name)
  if (found !== undefined) return found
  throw noSuchEntity(`The group with name ${name} cannot be found.`)
}

/**
 * The groups that a user is in, by name. Errors: `unavailable` when a row of one cannot be read,
 * because what it denies would be allowed.
 */
export async function groupsOfUser(
  tx: ReadTx,
  account: AccountId,
  userId: string,
): Promise<readonly UserGroup[]> {
  const ids = new Set((await tx.groupMembers(account, userId)).map(({ group }) => group))
  const isLost = () => tx.unreadable().some(({ table }) => TABLES.includes(table))
  const groups = ids.size === 0 ? [] : await tx.userGroups(account)
  if (isLost())
    throw unavailable(
      'A group of users of this account cannot be read by the host that answers, so nothing is allowed',
    )
  return groups.filter(({ id }) => ids.has(id))
}

const TABLES: readonly string[] = ['userGroups', 'userGroupMembers']

/** Refuses a user that is in a group. Errors: `DeleteConflict`, in IAM's words. */
export async function refuseInGroups(tx: ReadTx, { account, id }: User): Promise<void> {
  if ((await groupsOfUser(tx, account, id)).length > 0)
    throw refused('DeleteConflict', 'Cannot delete entity, must remove users from group first.')
}

/** A group as IAM shows it. */
export function groupView({ account, name, id, path, createdAt }: UserGroup): GroupView {
  return {
    ...{ Path: path, GroupName: name, GroupId: id },
    Arn: iamArn('group', { account, path, name }),
    CreateDate: new Date(createdAt),
  }
}
