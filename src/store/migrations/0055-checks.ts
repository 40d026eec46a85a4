/**
 * Migration 55: what hosts find out by asking their instances. Additive: an older daemon asks none,
 * and the columns stay empty.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the columns. */
export const checks: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'instances', 'checkBoot', 'bigint')
    await addColumn(db, 'instances', 'checkResult', 'varchar(64)')
    await addColumn(db, 'instances', 'checkSince', 'varchar(64)')
  },
}
