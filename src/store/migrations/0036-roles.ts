/**
 * Migration 36: roles, instance profiles, and paths of users. Additive: an older daemon gives no
 * instance the credentials of a role, and accepts none.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

const NAME = 'varchar(64)'
const PATH = 'varchar(512)'

/** Makes the tables `roles` and `instanceProfiles`, and adds `users.path`. */
export const roles: Migration = {
  async up(db: Kysely<unknown>) {
    await addColumn(db, 'users', 'path', PATH)
    await db.schema
      .createTable('roles')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('name', NAME, (column) => column.notNull())
      .addColumn('id', NAME, (column) => column.notNull())
      .addColumn('path', PATH, (column) => column.notNull())
      .addColumn('trust', 'text', (column) => column.notNull())
      .addColumn('description', 'text', (column) => column.notNull())
      .addColumn('maxSessionSeconds', 'integer', (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('rolesKey', ['account', 'name'])
      .execute()
    await db.schema
      .createTable('instanceProfiles')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('name', 'varchar(128)', (column) => column.notNull())
      .addColumn('id', NAME, (column) => column.notNull())
      .addColumn('path', PATH, (column) => column.notNull())
      .addColumn('role', NAME)
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('instanceProfilesKey', ['account', 'name'])
      .execute()
  },
}
