/**
 * Migration 14: options of an instance and of its disk. Additive: an older daemon leaves them
 * empty.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `instances.options` (JSON) and `volumes.volumeType`. */
export const instanceOptions: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'instances', 'options', 'text')
    await addColumn(db, 'volumes', 'volumeType', 'varchar(255)')
  },
}
