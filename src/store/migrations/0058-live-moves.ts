/** Migration 58: moves of running instances. An older daemon begins none, and leaves them alone. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `moves.live`. */
export const liveMoves: Migration = {
  async up(db: Kysely<unknown>) {
    await addColumn(db, 'moves', 'live', 'integer', (column) => column.notNull().defaultTo(0))
  },
}
