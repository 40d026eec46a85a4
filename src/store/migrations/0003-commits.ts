/**
 * Migration 3: which transactions were committed, for a host that lost the answer to its commit
 * (`records/commit.ts`). Additive.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Creates the table `commits`. */
export const commits: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('commits')
      .ifNotExists()
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('run', 'integer', (column) => column.notNull())
      .addColumn('madeAtMs', 'bigint', (column) => column.notNull())
      .execute()
    await db.schema
      .createIndex('commitsBy_madeAtMs')
      .ifNotExists()
      .on('commits')
      .columns(['madeAtMs'])
      .execute()
  },
}
