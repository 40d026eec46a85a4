/**
 * Users of accounts, and policies: inline ones with their documents, and managed ones by their
 * ARNs.
 *
 * They concern no host: they are read with each request of a key that has its user's rights. Who
 * makes or removes an owner or its policies takes the account's turn (`takeTurn`), so that no
 * policy outlives its owner.
 */
import { z } from 'zod'
import type { AccessKeyRecord, IamTag, IdentityPolicy, User } from '../../model/account-records.ts'
import { IAM_PATH, USER_ID } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import { account, like, TEXT_MAX, time } from './columns.ts'
import { tagsColumn, tagsText, withTags } from './iam-tags.ts'
import { insertOr, unless } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const NAME = '[\\w+=,.@-]{1,64}'

/** Tags are JSON; null is written by an older daemon. */
type UserRow = Omit<User, 'tags'> & { readonly tags: string | null }

const tables = {
  users: table<UserRow>({
    name: 'users',
    key: ['account', 'name'],
    cached: false,
    schema: z.object({
      account,
      name: like<string>(new RegExp(`^${NAME}$`)),
      id: like<string>(USER_ID),
      path: like<string>(IAM_PATH).nullable(),
      tags: tagsColumn.nullable(),
      createdAt: time,
    }),
  }),
  identityPolicies: table<IdentityPolicy>({
    name: 'identityPolicies',
    key: ['account', 'owner', 'kind', 'name'],
    cached: false,
    schema: z.object({
      account,
      owner: like<IdentityPolicy['owner']>(
        new RegExp(`^(?:(?:user|role)/${NAME}|group/[\\w+=,.@-]{1,128})$`),
      ),
      kind: z.enum(['inline', 'managed']),
      name: z.string().min(1).max(128),
      document: z.string().max(TEXT_MAX),
    }),
  }),
}

/** Columns of other nouns. */
interface Others {
  readonly accessKeys: Pick<AccessKeyRecord, 'account' | 'user'>
}
type Tables = RowsOf<typeof tables> & Others

type UserKey = Pick<User, 'account' | 'name'>
/** A policy without its contents. */
type PolicyKey = Omit<IdentityPolicy, 'document'>

/** The noun. */
export const users = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** By name. */
    async users(account: AccountId): Promise<readonly User[]> {
      const query = db.selectFrom('users').selectAll().where('account', '=', account)
      return rows.parse(tables.users, await query.orderBy('name').execute()).map(withTags)
    },
    async user(account: AccountId, name: string): Promise<User | undefined> {
      const query = db.selectFrom('users').selectAll().where('account', '=', account)
      const found = await query.where('name', '=', name).execute()
      return rows.parse(tables.users, found).map(withTags)[0]
    },
    /** The policies of one owner, or of all of the account, by owner, kind and name. */
    async identityPolicies(
      account: AccountId,
      owner?: IdentityPolicy['owner'],
    ): Promise<readonly IdentityPolicy[]> {
      const all = db.selectFrom('identityPolicies').selectAll().where('account', '=', account)
      const query = owner === undefined ? all : all.where('owner', '=', owner)
      const found = await query.orderBy('owner').orderBy('kind').orderBy('name').execute()
      return rows.parse(tables.identityPolicies, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => {
    const remove = ({ account, owner, kind, name }: PolicyKey) =>
      db
        .deleteFrom('identityPolicies')
        .where('account', '=', account)
        .where('owner', '=', owner)
        .where('kind', '=', kind)
        .where('name', '=', name)
        .execute()
    return {
      insertUser: ({
        path = null,
        tags = [],
        ...user
      }: Omit<User, 'path' | 'tags'> & Partial<Pick<User, 'path' | 'tags'>>) =>
        insertOr('exists', db, 'users', { ...user, path, tags: tagsText(tags) }),
      /** Sets all tags of a user. */
      async tagUser({ account, name }: UserKey, tags: readonly IamTag[]): Promise<void> {
        await db
          .updateTable('users')
          .set({ tags: tagsText(tags) })
          .where('account', '=', account)
          .where('name', '=', name)
          .execute()
      },
      /**
       * Gives a user another name or path. Its keys and policies go with it. `exists` when another
       * has the name.
       */
      async moveUser(
        { account, name }: UserKey,
        to: Pick<User, 'name' | 'path'>,
      ): Promise<'done' | 'exists'> {
        const moved = await unless('duplicate', 'exists', () =>
          db
            .updateTable('users')
            .set(to)
            .where('account', '=', account)
            .where('name', '=', name)
            .execute(),
        )
        if (moved === 'exists' || to.name === name) return moved
        await db
          .updateTable('accessKeys')
          .set({ user: to.name })
          .where('account', '=', account)
          .where('user', '=', name)
          .execute()
        await db
          .updateTable('identityPolicies')
          .set({ owner: `user/${to.name}` })
          .where('account', '=', account)
          .where('owner', '=', `user/${name}`)
          .execute()
        return 'done'
      },
      async deleteUser({ account, name }: UserKey): Promise<void> {
        await db
          .deleteFrom('users')
          .where('account', '=', account)
          .where('name', '=', name)
          .execute()
      },
      /** Sets a policy; one with the same kind and name is replaced. */
      async putIdentityPolicy(policy: IdentityPolicy): Promise<void> {
        await remove(policy)
        await db.insertInto('identityPolicies').values(policy).execute()
      },
      async deleteIdentityPolicy(policy: PolicyKey): Promise<void> {
        await remove(policy)
      },
    }
  },
  touches: {
    insertUser: nobody,
    tagUser: nobody,
    moveUser: nobody,
    deleteUser: nobody,
    putIdentityPolicy: nobody,
    deleteIdentityPolicy: nobody,
  },
  inCopy: {
    insertUser: async (tx, { account, name }) => (await tx.user(account, name)) !== undefined,
    tagUser: async (tx, { account, name }) => (await tx.user(account, name)) !== undefined,
    moveUser: async (tx, { account }, { name }) => (await tx.user(account, name)) !== undefined,
    deleteUser: always,
    putIdentityPolicy: async (tx, { account, owner, kind, name, document }) =>
      (await tx.identityPolicies(account, owner)).some(
        (one) => one.kind === kind && one.name === name && one.document === document,
      ),
    deleteIdentityPolicy: always,
  },
})
