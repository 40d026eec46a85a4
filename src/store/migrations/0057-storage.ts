/**
 * Migration 57: root disks on a storage that several hosts reach. Additive: an older daemon reaches
 * none, and nothing whose disk is on one is given to it.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the columns. */
export const storage: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'volumes', 'storage', 'varchar(64)')
    await addColumn(db, 'hosts', 'storage', 'varchar(64)')
  },
}
