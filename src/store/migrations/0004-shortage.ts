/**
 * Migration 4: what a host lacks for taking new instances, as it says itself. Additive: an older
 * daemon never says so.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `hosts.shortOf`. */
export const shortage: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'hosts', 'shortOf', 'varchar(255)'),
}
