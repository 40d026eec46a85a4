/**
 * Migration 39: when something begins that an event announces. Additive: an older daemon publishes
 * the time of the announcement.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `pendingEvents.startsMs`. */
export const announcedStarts: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'pendingEvents', 'startsMs', 'bigint')
  },
}
