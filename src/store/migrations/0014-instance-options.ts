/**
 * Migration 14: what a launch says of an instance and of its disk beside what they are made of.
 * Additive: of what an older daemon launches nothing was said.
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
