/**
 * Migration 60: from which address a host reaches a storage that refuses by address (Ceph), and
 * which one is to be refused since others took over its instances. Additive: an older daemon
 * reaches no such storage.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the columns. */
export const storageFences: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'hosts', 'storageAddress', 'varchar(64)')
    await addColumn(db, 'hosts', 'storageFence', 'varchar(255)')
  },
}
