/**
 * Migration 5: which machine lives under a host's name, as it says itself. Additive: an older
 * daemon never says so.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `hosts.identity`. */
export const identity: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'hosts', 'identity', 'varchar(255)'),
}
