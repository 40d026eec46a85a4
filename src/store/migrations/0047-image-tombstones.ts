/**
 * Migration 47: since when an image is deregistered. Additive: an older daemon removes the record
 * of such an image at once.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `images.deregisteredAt`. */
export const imageTombstones: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'images', 'deregisteredAt', 'varchar(64)')
  },
}
