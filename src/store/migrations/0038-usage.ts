/**
 * Migration 38: what accounts have used. Additive: an older daemon counts nothing.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
const AMOUNTS = [
  'instanceSeconds',
  'vcpuSeconds',
  'memoryMiBSeconds',
  'diskGiBSeconds',
  'addressSeconds',
]

/** Makes the table `usageRecords`. */
export const usage: Migration = {
  async up(db: Kysely<unknown>) {
    let records = db.schema
      .createTable('usageRecords')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('day', NAME, (column) => column.notNull())
      .addColumn('host', NAME, (column) => column.notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('tagKey', 'varchar(128)', (column) => column.notNull())
      .addColumn('tagValue', 'varchar(256)')
      .addColumn('untilMs', 'bigint', (column) => column.notNull())
    for (const amount of AMOUNTS)
      records = records.addColumn(amount, 'bigint', (column) => column.notNull())
    await records.execute()
    const index = (columns: readonly string[]) =>
      db.schema
        .createIndex(`usageRecordsBy_${columns.join('_')}`)
        .ifNotExists()
        .on('usageRecords')
        .columns([...columns])
        .execute()
    await index(['tagKey', 'day'])
    await index(['host', 'day'])
  },
}
