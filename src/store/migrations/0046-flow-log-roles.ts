/** Migration 46: roles of flow logs. Additive: an older daemon writes none. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the column `flowLogs.role`. */
export const flowLogRoles: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'flowLogs', 'role', 'text'),
}
