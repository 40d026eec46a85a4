/**
 * Migration 8: how instances may read their metadata, and the accounts' defaults. Additive:
 * instances of an older daemon have no options, and may read all metadata as before.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the four options to `instances` and to `accounts`. */
export const metadataOptions: Migration = {
  up: async (db: Kysely<unknown>) => {
    for (const table of ['instances', 'accounts']) {
      await addColumn(db, table, 'metadataTokens', 'varchar(255)')
      await addColumn(db, table, 'metadataEndpoint', 'varchar(255)')
      await addColumn(db, table, 'metadataHopLimit', 'integer')
      await addColumn(db, table, 'metadataTags', 'varchar(255)')
    }
  },
}
