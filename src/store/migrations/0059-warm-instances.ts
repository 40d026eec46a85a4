/**
 * Migration 59: instances that are started before a launch asks for them. Additive: an older daemon
 * offers none, and takes none.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Makes the table. A host reads and withdraws its own. */
export const warmInstances: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('warmInstances')
      .ifNotExists()
      .addColumn('id', 'varchar(32)', (column) => column.notNull().primaryKey())
      .addColumn('host', 'varchar(64)', (column) => column.notNull())
      .addColumn('image', 'varchar(32)', (column) => column.notNull())
      .addColumn('digest', 'varchar(128)', (column) => column.notNull())
      .addColumn('type', 'varchar(64)', (column) => column.notNull())
      .execute()
    await db.schema
      .createIndex('warmInstancesOfHost')
      .ifNotExists()
      .on('warmInstances')
      .column('host')
      .execute()
  },
}
