/**
 * Migration 35: events that are not published yet, and hosts whose loss was announced. Additive: an
 * older daemon notes none.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'

/** Makes the tables `pendingEvents` and `lostHosts`. */
export const pendingEvents: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('pendingEvents')
      .ifNotExists()
      .addColumn('kind', NAME, (column) => column.notNull())
      .addColumn('subject', NAME, (column) => column.notNull())
      .addColumn('word', NAME, (column) => column.notNull())
      .addColumn('ordinal', 'bigint', (column) => column.notNull())
      .addColumn('account', NAME)
      .addColumn('atMs', 'bigint', (column) => column.notNull())
      .addColumn('writer', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('pendingEventsKey', ['kind', 'subject', 'word', 'ordinal'])
      .execute()
    await db.schema
      .createIndex('pendingEventsByTime')
      .ifNotExists()
      .on('pendingEvents')
      .columns(['atMs'])
      .execute()
    await db.schema
      .createIndex('pendingEventsByWriter')
      .ifNotExists()
      .on('pendingEvents')
      .columns(['writer', 'atMs'])
      .execute()
    await db.schema
      .createTable('lostHosts')
      .ifNotExists()
      .addColumn('host', NAME, (column) => column.primaryKey().notNull())
      .addColumn('sinceMs', 'bigint', (column) => column.notNull())
      .execute()
  },
}
