/**
 * Users of accounts, and policies: inline ones with their documents, and managed ones by their
 * ARNs.
 *
 * They concern no host: they are read with each request of a key that has its user's rights. Who
 * makes or removes an owner or its policies takes the account's turn (`takeTurn`), so that no
 * policy outlives its owner.
 */
import { z } from 'zod'
import type { IdentityPolicy, User } from '../../model/account-records.ts'
import type { AccountId } from '../../model/ids.ts'
import { account, like, TEXT_MAX, time } from './columns.ts'
import { insertOr } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const NAME = '[\\w+=,.@-]{1,64}'

const tables = {
  users: table<User>({
    name: 'users',
    key: ['account', 'name'],
    cached: false,
    schema: z.object({
      account,
      name: like<string>(new RegExp(`^${NAME}$`)),
      id: like<string>(/^AIDA[A-Z2-7]{17}$/),
      createdAt: time,
    }),
  }),
  identityPolicies: table<IdentityPolicy>({
    name: 'identityPolicies',
    key: ['account', 'owner', 'kind', 'name'],
    cached: false,
    schema: z.object({
      account,
      owner: like<IdentityPolicy['owner']>(new RegExp(`^(?:user|role)/${NAME}$`)),
      kind: z.enum(['inline', 'managed']),
      name: z.string().min(1).max(128),
      document: z.string().max(TEXT_MAX),
    }),
  }),
}

/** A policy without its contents. */
type PolicyKey = Omit<IdentityPolicy, 'document'>

/** The noun. */
export const users = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    /** By name. */
    async users(account: AccountId): Promise<readonly User[]> {
      const query = db.selectFrom('users').selectAll().where('account', '=', account)
      return rows.parse(tables.users, await query.orderBy('name').execute())
    },
    async user(account: AccountId, name: string): Promise<User | undefined> {
      const query = db.selectFrom('users').selectAll().where('account', '=', account)
      return rows.parse(tables.users, await query.where('name', '=', name).execute())[0]
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
  writes: ({ db }: Session<RowsOf<typeof tables>>) => {
    const remove = ({ account, owner, kind, name }: PolicyKey) =>
      db
        .deleteFrom('identityPolicies')
        .where('account', '=', account)
        .where('owner', '=', owner)
        .where('kind', '=', kind)
        .where('name', '=', name)
        .execute()
    return {
      insertUser: (user: User) => insertOr('exists', db, 'users', user),
      async deleteUser({ account, name }: Pick<User, 'account' | 'name'>): Promise<void> {
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
    deleteUser: nobody,
    putIdentityPolicy: nobody,
    deleteIdentityPolicy: nobody,
  },
  inCopy: {
    insertUser: async (tx, { account, name }) => (await tx.user(account, name)) !== undefined,
    deleteUser: always,
    putIdentityPolicy: async (tx, { account, owner, kind, name, document }) =>
      (await tx.identityPolicies(account, owner)).some(
        (one) => one.kind === kind && one.name === name && one.document === document,
      ),
    deleteIdentityPolicy: always,
  },
})
