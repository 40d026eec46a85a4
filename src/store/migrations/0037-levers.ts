/**
 * Migration 37: since when a time to live or a schedule counts, and what it has announced.
 * Additive: an older daemon refuses the tags.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'

/** Makes the table `instanceLevers`. */
export const levers: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('instanceLevers')
      .ifNotExists()
      .addColumn('instance', NAME, (column) => column.notNull())
      .addColumn('tag', NAME, (column) => column.notNull())
      .addColumn('fromMs', 'bigint', (column) => column.notNull())
      .addColumn('strike', NAME)
      .addColumn('dueMs', 'bigint')
      .addColumn('notBeforeMs', 'bigint')
      .addPrimaryKeyConstraint('instanceLeversKey', ['instance', 'tag'])
      .execute()
  },
}
