/**
 * Migration 32: whether an account is active, when it was made, and its own quotas. Additive: an
 * older daemon takes every account for active, and knows the quotas of the settings only.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `accounts.status`, `accounts.createdAt` and `accounts.quotas`. */
export const accounts: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'accounts', 'status', 'varchar(64)')
    await addColumn(db, 'accounts', 'createdAt', 'varchar(64)')
    await addColumn(db, 'accounts', 'quotas', 'text')
  },
}
