/**
 * Migration 12: the digest of an image in its registry. Additive: an older daemon pulls by tag
 * only.
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
