/**
 * Migration 40: since when an image is deprecated. Additive: an older daemon shows such an image to
 * everybody.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `images.deprecatedAt`. */
export const imageDeprecation: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'images', 'deprecatedAt', 'varchar(64)')
  },
}
