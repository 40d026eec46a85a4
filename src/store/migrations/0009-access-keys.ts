/**
 * Migration 9: state and times of access keys. Additive: an older daemon ignores them, and accepts
 * a disabled key.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `accessKeys.status`, `accessKeys.createdAt` and `accessKeys.lastUsedAt`. */
export const accessKeys: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'accessKeys', 'status', 'varchar(255)')
    await addColumn(db, 'accessKeys', 'createdAt', 'varchar(255)')
    await addColumn(db, 'accessKeys', 'lastUsedAt', 'varchar(255)')
  },
}
