/** Migration 52: moves of instances between hosts. Additive: an older daemon carries out none. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'

/** Makes the table `moves`. */
export const moves: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('moves')
      .ifNotExists()
      .addColumn('instance', NAME, (column) => column.notNull().primaryKey())
      .addColumn('fromHost', NAME, (column) => column.notNull())
      .addColumn('toHost', NAME, (column) => column.notNull())
      .addColumn('state', NAME, (column) => column.notNull())
      .addColumn('restart', 'integer', (column) => column.notNull())
      .addColumn('bootCount', 'bigint', (column) => column.notNull())
      .addColumn('vcpus', 'bigint', (column) => column.notNull())
      .addColumn('memoryMiB', 'bigint', (column) => column.notNull())
      .addColumn('diskGiB', 'bigint', (column) => column.notNull())
      .addColumn('message', 'text', (column) => column.notNull())
      .addColumn('askedAtMs', 'bigint', (column) => column.notNull())
      .addColumn('stoppedAtMs', 'bigint')
      .addColumn('endedAtMs', 'bigint')
      .addColumn('heardAtMs', 'bigint', (column) => column.notNull())
      .execute()
    for (const column of ['fromHost', 'toHost'])
      await db.schema
        .createIndex(`movesBy_${column}`)
        .ifNotExists()
        .on('moves')
        .column(column)
        .execute()
  },
}
