/**
 * Migration 12: what an image is called by its registry. Additive: an older daemon pulls by the tag
 * alone.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `images.repositoryDigest`. */
export const repositoryDigests: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'images', 'repositoryDigest', 'varchar(255)')
  },
}
