/** Migration 7: of which instance an image is made, and how. Additive: what an older daemon registers is made of none. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `images.sourceInstance` and `images.capture`. */
export const createdImages: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'images', 'sourceInstance', 'varchar(255)')
    await addColumn(db, 'images', 'capture', 'varchar(255)')
  },
}
