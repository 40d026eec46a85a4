/**
 * Migration 5: which machine uses a host's name, as it reports. Additive: an older daemon never
 * reports it.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `hosts.identity`. */
export const identity: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'hosts', 'identity', 'varchar(255)'),
}
