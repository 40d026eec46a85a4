/** Migration 42: tags of users. Additive: an older daemon writes none. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the column `users.tags`. */
export const userTags: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'users', 'tags', 'text'),
}
