/**
 * Migration 27: the options of peering connections. Additive: for an older daemon public names lead
 * to public addresses, as without.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds a column for each side to `vpcPeerings`. */
export const peeringOptions: Migration = {
  async up(db: Kysely<unknown>) {
    for (const column of ['requesterShowsPrivate', 'accepterShowsPrivate'])
      await addColumn(db, 'vpcPeerings', column, 'integer', (made) => made.notNull().defaultTo(0))
  },
}
