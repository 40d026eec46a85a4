/** Migration 25: flow logs. Additive: an older daemon writes none. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
const TEXT = 'varchar(255)'

/** Makes the table `flowLogs`. */
export const flowLogs: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('flowLogs')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('vpc', NAME, (column) => column.notNull())
      .addColumn('resource', NAME, (column) => column.notNull())
      .addColumn('trafficType', NAME, (column) => column.notNull())
      .addColumn('destinationKind', NAME, (column) => column.notNull())
      .addColumn('destination', TEXT, (column) => column.notNull())
      .addColumn('prefix', TEXT, (column) => column.notNull())
      .addColumn('format', 'varchar(512)', (column) => column.notNull())
      .addColumn('aggregationSeconds', 'integer', (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .execute()
    // One resource has one flow log for each kind of traffic and destination.
    await db.schema
      .createIndex('flowLogsResource')
      .ifNotExists()
      .unique()
      .on('flowLogs')
      .columns(['resource', 'trafficType', 'destinationKind', 'destination', 'prefix'])
      .execute()
    for (const column of ['account', 'vpc'])
      await db.schema
        .createIndex(`flowLogsBy_${column}`)
        .ifNotExists()
        .on('flowLogs')
        .column(column)
        .execute()
  },
}
