/**
 * Migration 56: that a host reboots instances that hang. Additive: an older daemon reboots none,
 * and the columns stay as they are.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the columns. */
export const hangs: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'instances', 'checkAnswered', 'integer')
    await addColumn(db, 'instances', 'checkRebootAt', 'varchar(64)')
    await addColumn(db, 'instances', 'rebooted', 'varchar(255)')
  },
}
