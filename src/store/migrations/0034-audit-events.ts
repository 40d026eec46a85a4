/** Migration 34: records of calls. Additive: an older daemon writes none. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
const TEXT = 'varchar(255)'

/** Makes the table `auditEvents`. */
export const auditEvents: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('auditEvents')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('owner', NAME, (column) => column.notNull())
      .addColumn('atMs', 'bigint', (column) => column.notNull())
      .addColumn('kind', NAME, (column) => column.notNull())
      .addColumn('name', TEXT, (column) => column.notNull())
      .addColumn('source', TEXT, (column) => column.notNull())
      .addColumn('user', TEXT, (column) => column.notNull())
      .addColumn('accessKey', TEXT, (column) => column.notNull())
      .addColumn('isReadOnly', 'integer', (column) => column.notNull())
      .addColumn('resources', 'text', (column) => column.notNull())
      .addColumn('event', 'text', (column) => column.notNull())
      .execute()
    // The first lists the records of an owner, the second finds those that are too many.
    for (const [name, columns] of [
      ['auditEventsByTime', ['owner', 'atMs', 'id']],
      ['auditEventsByKind', ['owner', 'kind', 'atMs', 'id']],
    ] as const)
      await db.schema
        .createIndex(name)
        .ifNotExists()
        .on('auditEvents')
        .columns([...columns])
        .execute()
  },
}
