/**
 * Groups of users of an account, and who is in them. A member is known by the ids of user and
 * group, so another one of the same name later has nothing of it. They concern no host.
 */
import { z } from 'zod'
import type { GroupMember, UserGroup } from '../../model/account-records.ts'
import { GROUP_ID, IAM_PATH, USER_ID } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import { account, like, time } from './columns.ts'
import { insertOr, unless } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  userGroups: table<UserGroup>({
    name: 'userGroups',
    key: ['account', 'name'],
    cached: false,
    schema: z.object({
      account,
      name: like<string>(/^[\w+=,.@-]{1,128}$/),
      id: like<string>(GROUP_ID),
      path: like<string>(IAM_PATH),
      createdAt: time,
    }),
  }),
  userGroupMembers: table<GroupMember>({
    name: 'userGroupMembers',
    key: ['account', 'user', 'group'],
    cached: false,
    schema: z.object({ account, user: like<string>(USER_ID), group: like<string>(GROUP_ID) }),
  }),
}

/** Columns of other nouns. */
interface Others {
  readonly identityPolicies: { readonly account: AccountId; readonly owner: string }
}
type Tables = RowsOf<typeof tables> & Others
type GroupKey = Pick<UserGroup, 'account' | 'name'>

/** The noun. */
export const userGroups = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** By name. */
    async userGroups(account: AccountId): Promise<readonly UserGroup[]> {
      const query = db.selectFrom('userGroups').selectAll().where('account', '=', account)
      return rows.parse(tables.userGroups, await query.orderBy('name').execute())
    },
    /** Of the account, or of one user by its id. */
    async groupMembers(account: AccountId, user?: string): Promise<readonly GroupMember[]> {
      const all = db.selectFrom('userGroupMembers').selectAll().where('account', '=', account)
      const query = user === undefined ? all : all.where('user', '=', user)
      return rows.parse(
        tables.userGroupMembers,
        await query.orderBy('user').orderBy('group').execute(),
      )
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when another has the name. */
    insertUserGroup: (group: UserGroup) => insertOr('exists', db, 'userGroups', group),
    /** Another name or path. Its policies go with it. `exists` when another has the name. */
    async moveUserGroup(
      { account, name }: GroupKey,
      to: Pick<UserGroup, 'name' | 'path'>,
    ): Promise<'done' | 'exists'> {
      const moved = await unless('duplicate', 'exists', () =>
        db
          .updateTable('userGroups')
          .set(to)
          .where('account', '=', account)
          .where('name', '=', name)
          .execute(),
      )
      if (moved === 'exists' || to.name === name) return moved
      await db
        .updateTable('identityPolicies')
        .set({ owner: `group/${to.name}` })
        .where('account', '=', account)
        .where('owner', '=', `group/${name}`)
        .execute()
      return 'done'
    },
    async deleteUserGroup({ account, name }: GroupKey): Promise<void> {
      await db
        .deleteFrom('userGroups')
        .where('account', '=', account)
        .where('name', '=', name)
        .execute()
    },
    /** `exists` when it is one already. */
    insertGroupMember: (member: GroupMember) => insertOr('exists', db, 'userGroupMembers', member),
    async deleteGroupMember({ account, user, group }: GroupMember): Promise<void> {
      await db
        .deleteFrom('userGroupMembers')
        .where('account', '=', account)
        .where('user', '=', user)
        .where('group', '=', group)
        .execute()
    },
  }),
  touches: {
    insertUserGroup: nobody,
    moveUserGroup: nobody,
    deleteUserGroup: nobody,
    insertGroupMember: nobody,
    deleteGroupMember: nobody,
  },
  inCopy: {
    insertUserGroup: async (tx, { account, id }) =>
      (await tx.userGroups(account)).some((one) => one.id === id),
    moveUserGroup: async (tx, { account }, { name, path }) =>
      (await tx.userGroups(account)).some((one) => one.name === name && one.path === path),
    deleteUserGroup: always,
    insertGroupMember: async (tx, { account, user, group }) =>
      (await tx.groupMembers(account, user)).some((one) => one.group === group),
    deleteGroupMember: always,
  },
})
