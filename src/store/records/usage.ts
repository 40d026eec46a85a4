/**
 * Usage records (`model/usage.ts`). They concern no host, and a host writes only its own. A copy
 * has none: nobody should take old amounts for the present ones.
 */
import { sql } from 'kysely'
import { z } from 'zod'
import type { AccountId, HostName } from '../../model/ids.ts'
import {
  dayOf,
  isDay,
  NO_HOST,
  USAGE_AMOUNTS,
  type UsageAmounts,
  type UsageRecord,
  usageId,
} from '../../model/usage.ts'
import { account, count, host, name } from './columns.ts'
import { insertOr } from './insert.ts'
import { nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

const MONTH_MS = 32 * 86_400_000

type UsageRow = UsageRecord & { readonly id: string }

const day = z.string().refine(isDay, 'is not a day')
const amounts = {
  instanceSeconds: count,
  vcpuSeconds: count,
  memoryMiBSeconds: count,
  diskGiBSeconds: count,
  addressSeconds: count,
} satisfies Record<keyof UsageAmounts, z.ZodType>

const tables = {
  usageRecords: table<UsageRow>({
    name: 'usageRecords',
    cached: false,
    copied: 'never',
    schema: z.object({
      id: z.string().regex(/^[0-9a-f]{40}$/),
      day,
      host: z.union([host, z.literal(NO_HOST)]),
      account,
      tagKey: name,
      tagValue: name.nullable(),
      untilMs: count,
      ...amounts,
    }),
  }),
}

/** The usage of several records together. */
export interface UsageSum extends Pick<UsageRecord, 'account' | 'tagValue'>, UsageAmounts {
  /** Null: all days together. */
  readonly day: string | null
}

const sumShape: RowShape<UsageSum> = {
  name: 'usageSums',
  key: ['account', 'tagValue', 'day'],
  cached: false,
  schema: z.object({ account, tagValue: name.nullable(), day: day.nullable(), ...amounts }),
}

/** What to add up. */
export interface UsageQuery {
  /** The first and the last day, both included. */
  readonly from: string
  readonly to: string
  /** Empty: the totals. */
  readonly tagKey: string
  readonly account?: AccountId
  /** Whether each day has a sum of its own. */
  readonly daily: boolean
}

/** The noun. */
export const usageRecords = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    /** The records of a host of one day. */
    async usageOf(host: HostName | typeof NO_HOST, day: string): Promise<readonly UsageRecord[]> {
      const found = await db
        .selectFrom('usageRecords')
        .selectAll()
        .where('host', '=', host)
        .where('day', '=', day)
        .orderBy('id')
        .execute()
      return rows.parse(tables.usageRecords, found).map(({ id: _, ...record }) => record)
    },
    /**
     * Until when a host has counted; null: not in the last month. Leaves out what was counted
     * after `latestMs`, by a clock that was wrong.
     */
    async usageCountedUntil(
      host: HostName | typeof NO_HOST,
      latestMs: number,
    ): Promise<number | null> {
      const found = await db
        .selectFrom('usageRecords')
        .select(({ fn }) => fn.max<number | string | null>('untilMs').as('untilMs'))
        .where('host', '=', host)
        .where('day', '>=', dayOf(latestMs - MONTH_MS))
        .where('untilMs', '<=', latestMs)
        .executeTakeFirst()
      return found?.untilMs == null ? null : Number(found.untilMs)
    },
    /** Sums by account, by value of the tag, and by day if so asked, in this order. */
    async usageSums({
      from,
      to,
      tagKey,
      account,
      daily,
    }: UsageQuery): Promise<readonly UsageSum[]> {
      let query = db
        .selectFrom('usageRecords')
        .select(['account', 'tagValue'])
        .select(daily ? sql<string | null>`${sql.ref('day')}`.as('day') : sql<null>`null`.as('day'))
        .select(USAGE_AMOUNTS.map((one) => sql<unknown>`sum(${sql.ref(one)})`.as(one)))
        .where('tagKey', '=', tagKey)
        .where('day', '>=', from)
        .where('day', '<=', to)
        .groupBy(daily ? ['account', 'tagValue', 'day'] : ['account', 'tagValue'])
        .orderBy('account')
        .orderBy('tagValue')
      if (account !== undefined) query = query.where('account', '=', account)
      if (daily) query = query.orderBy('day')
      // Sums of MariaDB are decimal numbers, which its driver returns as text.
      const numbers = (await query.execute()).map((row) => ({
        ...row,
        ...Object.fromEntries(
          USAGE_AMOUNTS.map((one) => [one, Number((row as Record<string, unknown>)[one])]),
        ),
      }))
      return rows.parse(sumShape, numbers)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /** Sets a record, in place of an earlier one of the same day, host and owner. */
    async putUsage(record: UsageRecord): Promise<void> {
      const row = { ...record, id: usageId(record) }
      // MariaDB counts changed rows. A row that is the same already is found below.
      const { numUpdatedRows } = await db
        .updateTable('usageRecords')
        .set(row)
        .where('id', '=', row.id)
        .executeTakeFirstOrThrow()
      if (numUpdatedRows === 0n) await insertOr('exists', db, 'usageRecords', row)
    },
    /** Deletes the records of all days before this one. */
    async deleteUsageBefore(day: string): Promise<void> {
      await db.deleteFrom('usageRecords').where('day', '<', day).execute()
    },
  }),
  // Only those who ask for it read usage.
  touches: { putUsage: nobody, deleteUsageBefore: nobody },
  inCopy: { putUsage: null, deleteUsageBefore: null },
})
