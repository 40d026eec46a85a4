/**
 * Migration 7: of which instance an image is made, and how; and how large its disk is. Additive:
 * what an older daemon registers says neither.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `images.sourceInstance`, `images.capture` and `images.diskGiB`. */
export const createdImages: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'images', 'sourceInstance', 'varchar(255)')
    await addColumn(db, 'images', 'capture', 'varchar(255)')
    await addColumn(db, 'images', 'diskGiB', 'integer')
  },
}
