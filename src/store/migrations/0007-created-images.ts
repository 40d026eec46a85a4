/**
 * Migration 7: which instance an image is made from and how, and the size of its disk. Additive: an
 * older daemon leaves them empty.
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
