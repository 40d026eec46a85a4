/**
 * Accounts, and their access keys.
 *
 * Neither concerns a host: an account's defaults are used at a launch, and keys are read with each
 * request.
 */
import { sql } from 'kysely'
import { z } from 'zod'
import { parseJson } from '../../lib/json.ts'
import type {
  AccessKey,
  AccessKeyRecord,
  Account,
  AccountStatus,
  UsableKey,
  User,
} from '../../model/account-records.ts'
import { IAM_PATH, USER_ID } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { MetadataDefaults } from '../../model/metadata-options.ts'
import { isQuota, type OwnQuotas, parseQuotaName } from '../../model/quotas.ts'
import type { Instance, InstanceType, Volume } from '../../model/records.ts'
import { account, count, like, name, SIZE_MAX, TEXT_MAX, time } from './columns.ts'
import { insertOr } from './insert.ts'
import { isLive } from './lists.ts'
import { type MetadataColumns, metadataColumns, metadataOf, metadataSchema } from './metadata.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

/** Null in the columns that older daemons do not write. */
type AccountRow = Omit<Account, 'metadata' | 'status' | 'quotas'> &
  MetadataColumns & { readonly status: AccountStatus | null; readonly quotas: string | null }

const accountStatus = z.enum(['active', 'disabled']).nullable()
const keySchema = z.object({
  id: z.string().regex(/^\w{1,128}$/),
  secret: name,
  account,
  user: name,
  status: z.enum(['active', 'limited', 'disabled']).nullable(),
  rights: z.enum(['all', 'policies']).nullable(),
  createdAt: time.nullable(),
  lastUsedAt: time.nullable(),
})

const tables = {
  accounts: table<AccountRow>({
    name: 'accounts',
    schema: z.object({
      id: account,
      name,
      status: accountStatus,
      createdAt: time.nullable(),
      quotas: z
        .string()
        .max(TEXT_MAX)
        .nullable()
        .refine((column) => quotasFrom(column) !== undefined, 'are no quotas'),
      ...metadataSchema,
    }),
  }),
  accessKeys: table<AccessKeyRecord>({ name: 'accessKeys', cached: false, schema: keySchema }),
}
/** A key with its account's status. An account whose status cannot be read has no usable key. */
const USABLE_KEYS: RowShape<
  Omit<UsableKey, 'accountStatus' | 'userPath' | 'userId'> & {
    readonly accountStatus: AccountStatus | null
    readonly userPath: string | null
    readonly userId: string | null
  }
> = {
  name: 'accessKeys',
  cached: false,
  schema: keySchema.extend({
    accountStatus,
    userPath: like<string>(IAM_PATH).nullable(),
    userId: like<string>(USER_ID).nullable(),
  }),
}

/** Columns of other nouns. */
interface Others {
  readonly instances: Pick<Instance, 'account' | 'type' | 'state'>
  readonly instanceTypes: Pick<InstanceType, 'name' | 'vcpus' | 'memoryMiB'>
  readonly volumes: Pick<Volume, 'account' | 'sizeGiB'>
  readonly users: Pick<User, 'account' | 'name' | 'path' | 'id'>
}
type Tables = RowsOf<typeof tables> & Others

/** What an account has of what its hosts have. */
interface AccountUsage {
  readonly instances: number
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}
const usage = z.object({ instances: count, vcpus: count, memoryMiB: count, diskGiB: count })

/** The noun. */
export const accounts = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async accounts(): Promise<readonly Account[]> {
      const found = await db.selectFrom('accounts').selectAll().orderBy('id').execute()
      return rows.parse(tables.accounts, found).map(accountOf)
    },
    async account(id: AccountId): Promise<Account | undefined> {
      const found = await db.selectFrom('accounts').selectAll().where('id', '=', id).execute()
      return rows.parse(tables.accounts, found).map(accountOf)[0]
    },
    /**
     * What the account has: its instances that are not terminated, and its volumes. Counts rows
     * that cannot be read, too, but no size that nothing can have.
     */
    async accountUsage(id: AccountId): Promise<AccountUsage> {
      const { fn } = db
      const ofInstances = await db
        .selectFrom('instances')
        .leftJoin('instanceTypes', 'instanceTypes.name', 'instances.type')
        .select([
          fn.countAll().as('instances'),
          sumOf('instanceTypes.vcpus').as('vcpus'),
          sumOf('instanceTypes.memoryMiB').as('memoryMiB'),
        ])
        .where('instances.account', '=', id)
        .where(isLive('instances.state'))
        .executeTakeFirst()
      const ofVolumes = await db
        .selectFrom('volumes')
        .select(sumOf('sizeGiB').as('diskGiB'))
        .where('account', '=', id)
        .executeTakeFirst()
      // Sums of MariaDB are decimal numbers, which its driver returns as text.
      const found = Object.entries({ ...ofInstances, ...ofVolumes })
      return usage.parse(Object.fromEntries(found.map(([key, value]) => [key, Number(value)])))
    },
    /** The key, with what its account's record says of all its keys, and that of its user. */
    async accessKey(id: string): Promise<UsableKey | undefined> {
      const found = await db
        .selectFrom('accessKeys')
        .leftJoin('accounts', 'accounts.id', 'accessKeys.account')
        .leftJoin('users', (join) =>
          join
            .onRef('users.account', '=', 'accessKeys.account')
            .onRef('users.name', '=', 'accessKeys.user'),
        )
        .selectAll('accessKeys')
        .select([
          'accounts.status as accountStatus',
          'users.path as userPath',
          'users.id as userId',
        ])
        .where('accessKeys.id', '=', id)
        .execute()
      return rows.parse(USABLE_KEYS, found).map(({ accountStatus, userPath, userId, ...key }) => ({
        ...key,
        accountStatus: accountStatus ?? ('active' as const),
        ...(userPath === null ? {} : { userPath }),
        ...(userId === null ? {} : { userId }),
      }))[0]
    },
    /** The number of keys of all accounts. */
    async countAccessKeys(): Promise<number> {
      const { count } = await db
        .selectFrom('accessKeys')
        .select(({ fn }) => fn.countAll<number | bigint | string>().as('count'))
        .executeTakeFirstOrThrow()
      return Number(count)
    },
    async accessKeys(account: AccountId): Promise<readonly AccessKeyRecord[]> {
      const query = db.selectFrom('accessKeys').selectAll().where('account', '=', account)
      return rows.parse(tables.accessKeys, await query.orderBy('id').execute())
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    insertAccount: ({
      metadata,
      quotas,
      status = 'active',
      createdAt = null,
      ...account
    }: Pick<Account, 'id' | 'name' | 'metadata'> & Partial<Account>) =>
      insertOr('exists', db, 'accounts', {
        ...account,
        ...{ status, createdAt, quotas: quotasColumn(quotas ?? {}) },
        ...metadataColumns(metadata),
      }),
    /** Changes whether an account's keys are accepted, or its quotas. */
    async changeAccount(
      id: AccountId,
      { status, quotas }: Partial<Pick<Account, 'status' | 'quotas'>>,
    ): Promise<void> {
      const columns = {
        ...(status === undefined ? {} : { status }),
        ...(quotas === undefined ? {} : { quotas: quotasColumn(quotas) }),
      }
      await db.updateTable('accounts').set(columns).where('id', '=', id).execute()
    },
    /** Sets the metadata options of the account's launches that name none. */
    async updateAccount(id: AccountId, metadata: MetadataDefaults): Promise<void> {
      const columns = metadataColumns(metadata)
      await db.updateTable('accounts').set(columns).where('id', '=', id).execute()
    },
    insertAccessKey: (key: AccessKey & Partial<AccessKeyRecord>) =>
      insertOr('exists', db, 'accessKeys', {
        status: 'active',
        rights: null,
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
    changeAccount: nobody,
    insertAccessKey: nobody,
    updateAccessKey: nobody,
    deleteAccessKey: nobody,
  },
  inCopy: {
    insertAccount: always,
    updateAccount: async (tx, id) => (await tx.account(id)) !== undefined,
    changeAccount: async (tx, id) => (await tx.account(id)) !== undefined,
    insertAccessKey: async (tx, { id }) => (await tx.accessKey(id)) !== undefined,
    updateAccessKey: async (tx, id) => (await tx.accessKey(id)) !== undefined,
    deleteAccessKey: always,
  },
})

/** The sum of a column of sizes, without those out of range. */
function sumOf(column: string) {
  const size = sql.ref(column)
  const isSize = sql`${size} between 0 and ${SIZE_MAX} and round(${size}) = ${size}`
  return sql<unknown>`coalesce(sum(case when ${isSize} then ${size} else 0 end), 0)`
}

function accountOf({ status, quotas, ...row }: AccountRow): Account {
  return {
    id: row.id,
    name: row.name,
    metadata: metadataOf(row),
    status: status ?? 'active',
    createdAt: row.createdAt,
    quotas: quotasFrom(quotas) ?? {},
  }
}

function quotasColumn(quotas: OwnQuotas): string | null {
  return Object.keys(quotas).length === 0 ? null : JSON.stringify(quotas)
}

/**
 * The quotas in the column. Leaves out names that only another version knows. Undefined when a
 * limit is none: with that of the settings the account might have more than it should.
 */
function quotasFrom(column: string | null): OwnQuotas | undefined {
  if (column === null) return {}
  const parsed = parseJson(column)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
  const own: [string, number][] = []
  for (const [key, value] of Object.entries(parsed)) {
    const quota = parseQuotaName(key)
    if (quota === undefined) continue
    if (typeof value !== 'number' || !isQuota(quota, value)) return undefined
    own.push([quota, value])
  }
  return Object.fromEntries(own)
}
