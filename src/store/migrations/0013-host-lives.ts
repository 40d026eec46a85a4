/**
 * Migration 13: which run of a host's daemon came last. Additive: an older daemon leaves it as it
 * is.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `hosts.life`. */
export const hostLives: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'hosts', 'life', 'varchar(255)'),
}
