/** Migration 13: the last run of a host's daemon. Additive: an older daemon does not change it. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `hosts.life`. */
export const hostLives: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'hosts', 'life', 'varchar(255)'),
}
