/**
 * Migration 53: the hosts that ask each other before one takes over the instances of another.
 * Additive: an older daemon asks nobody, and takes nothing.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Makes the table `failoverMembers`, and the column with what a host has acknowledged. */
export const failoverMembers: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('failoverMembers')
      .ifNotExists()
      .addColumn('version', 'bigint', (column) => column.notNull().primaryKey())
      .addColumn('members', 'text', (column) => column.notNull())
      .execute()
    await addColumn(db, 'hosts', 'failoverVersion', 'bigint')
  },
}
