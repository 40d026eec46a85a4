/**
 * Migration 6: disks as volumes. Additive: an older daemon launches, moves and ends instances
 * without using this table, so it has no foreign keys to theirs.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

const NAME = 'varchar(64)'

/**
 * Creates the table `volumes`, and adds to hosts the disk space for them. An older daemon does not
 * report it.
 */
export const volumes: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('volumes')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('host', NAME, (column) => column.notNull())
      .addColumn('zone', NAME, (column) => column.notNull())
      .addColumn('instance', NAME)
      .addColumn('device', 'varchar(32)', (column) => column.notNull())
      .addColumn('sizeGiB', 'integer', (column) => column.notNull())
      .addColumn('deleteOnTermination', 'integer', (column) => column.notNull())
      .addColumn('state', 'varchar(16)', (column) => column.notNull())
      .addColumn('createdAt', 'varchar(32)', (column) => column.notNull())
      .execute()
    for (const column of ['account', 'instance', 'host'])
      await db.schema
        .createIndex(`volumesBy_${column}`)
        .ifNotExists()
        .on('volumes')
        .columns([column])
        .execute()
    await addColumn(db, 'hosts', 'diskGiB', 'integer')
    await addColumn(db, 'hosts', 'usedDiskGiB', 'integer', (column) =>
      column.notNull().defaultTo(0),
    )
  },
}
