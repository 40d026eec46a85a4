/**
 * Accounts, and their access keys.
 *
 * Neither concerns a host: an account's defaults are used at a launch, and keys are read with each
 * request.
 */
import { z } from 'zod'
import type { AccessKey, AccessKeyRecord, Account } from '../../model/account-records.ts'
import type { AccountId } from '../../model/ids.ts'
import type { MetadataDefaults } from '../../model/metadata-options.ts'
import { account, name, time } from './columns.ts'
import { insertOr } from './insert.ts'
import { type MetadataColumns, metadataColumns, metadataOf, metadataSchema } from './metadata.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

type AccountRow = Omit<Account, 'metadata'> & MetadataColumns

const tables = {
  accounts: table<AccountRow>({
    name: 'accounts',
    schema: z.object({ id: account, name, ...metadataSchema }),
  }),
  accessKeys: table<AccessKeyRecord>({
    name: 'accessKeys',
    cached: false,
    schema: z.object({
      id: z.string().regex(/^\w{1,128}$/),
      secret: name,
      account,
      user: name,
      status: z.enum(['active', 'disabled']).nullable(),
      createdAt: time.nullable(),
      lastUsedAt: time.nullable(),
    }),
  }),
}
type Tables = RowsOf<typeof tables>

/** The noun. */
export const accounts = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async accounts(): Promise<readonly Account[]> {
      const found = await db.selectFrom('accounts').selectAll().orderBy('id').execute()
      return rows
        .parse(tables.accounts, found)
        .map((row) => ({ id: row.id, name: row.name, metadata: metadataOf(row) }))
    },
    async accessKey(id: string): Promise<AccessKeyRecord | undefined> {
      const found = await db.selectFrom('accessKeys').selectAll().where('id', '=', id).execute()
      return rows.parse(tables.accessKeys, found)[0]
    },
    async accessKeys(account: AccountId): Promise<readonly AccessKeyRecord[]> {
      const query = db.selectFrom('accessKeys').selectAll().where('account', '=', account)
      return rows.parse(tables.accessKeys, await query.orderBy('id').execute())
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    insertAccount: ({ metadata, ...account }: Account) =>
      insertOr('exists', db, 'accounts', { ...account, ...metadataColumns(metadata) }),
    /** Sets the metadata options of the account's launches that name none. */
    async updateAccount(id: AccountId, metadata: MetadataDefaults): Promise<void> {
      const columns = metadataColumns(metadata)
      await db.updateTable('accounts').set(columns).where('id', '=', id).execute()
    },
    insertAccessKey: (key: AccessKey & Partial<AccessKeyRecord>) =>
      insertOr('exists', db, 'accessKeys', {
        status: 'active',
        createdAt: null,
        lastUsedAt: null,
        ...key,
      }),
    /** Changes an existing key. `missing` when there is none. */
    async updateAccessKey(
      id: string,
      change: Partial<Pick<AccessKeyRecord, 'secret' | 'status' | 'lastUsedAt'>>,
    ): Promise<'done' | 'missing'> {
      // MariaDB counts changed rows, not found rows.
      const found = await db.selectFrom('accessKeys').select('id').where('id', '=', id).execute()
      if (found.length === 0) return 'missing'
      await db.updateTable('accessKeys').set(change).where('id', '=', id).execute()
      return 'done'
    },
    async deleteAccessKey(id: string): Promise<'done' | 'missing'> {
      const found = await db.selectFrom('accessKeys').select('id').where('id', '=', id).execute()
      if (found.length === 0) return 'missing'
      await db.deleteFrom('accessKeys').where('id', '=', id).execute()
      return 'done'
    },
  }),
  touches: {
    insertAccount: nobody,
    updateAccount: nobody,
    insertAccessKey: nobody,
    updateAccessKey: nobody,
    deleteAccessKey: nobody,
  },
  inCopy: {
    insertAccount: always,
    updateAccount: async (tx, id) => (await tx.accounts()).some((one) => one.id === id),
    insertAccessKey: async (tx, { id }) => (await tx.accessKey(id)) !== undefined,
    updateAccessKey: async (tx, id) => (await tx.accessKey(id)) !== undefined,
    deleteAccessKey: always,
  },
})
