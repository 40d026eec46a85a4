/**
 * Migration 26: whether the host of an instance has yet to plug in a network interface that was
 * attached while it ran. What is attached otherwise is there from the beginning.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Extends `nics`. */
export const attachingInterfaces: Migration = {
  async up(db: Kysely<unknown>) {
    await addColumn(db, 'nics', 'isAttaching', 'integer', (one) => one.notNull().defaultTo(0))
  },
}
