/**
 * Migration 54: managed prefix lists and their entries. Additive: an older daemon cannot read a
 * rule that names a list, so no list is made beside one.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
const TEXT = 'varchar(255)'

/** Makes the tables `prefixLists` and `prefixListEntries`. */
export const prefixLists: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('prefixLists')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('name', TEXT, (column) => column.notNull())
      .addColumn('addressFamily', NAME, (column) => column.notNull())
      .addColumn('maxEntries', 'integer', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('state', NAME, (column) => column.notNull())
      .execute()
    await db.schema
      .createIndex('prefixListsByAccount')
      .ifNotExists()
      .on('prefixLists')
      .column('account')
      .execute()
    await db.schema
      .createTable('prefixListEntries')
      .ifNotExists()
      .addColumn('list', NAME, (column) => column.notNull())
      .addColumn('cidr', NAME, (column) => column.notNull())
      .addColumn('addedIn', 'bigint', (column) => column.notNull())
      .addColumn('removedIn', 'bigint')
      .addColumn('description', TEXT, (column) => column.notNull())
      .addPrimaryKeyConstraint('prefixListEntriesKey', ['list', 'cidr', 'addedIn'])
      .execute()
  },
}
