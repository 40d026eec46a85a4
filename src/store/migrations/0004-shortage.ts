/**
 * Migration 4: why a host takes no new instances, as it reports. Additive: an older daemon never
 * reports it.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `hosts.shortOf`. */
export const shortage: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'hosts', 'shortOf', 'varchar(255)'),
}
