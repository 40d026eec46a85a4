/**
 * Migration 33: users and roles with policies, and keys that have their user's rights. Additive: an
 * older daemon cannot read such a key, and refuses it.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

const NAME = 'varchar(64)'

/** Makes the tables `users` and `identityPolicies`, and adds `accessKeys.rights`. */
export const users: Migration = {
  async up(db: Kysely<unknown>) {
    await addColumn(db, 'accessKeys', 'rights', NAME)
    await db.schema
      .createTable('users')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('name', NAME, (column) => column.notNull())
      .addColumn('id', NAME, (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('usersKey', ['account', 'name'])
      .execute()
    await db.schema
      .createTable('identityPolicies')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('owner', 'varchar(128)', (column) => column.notNull())
      .addColumn('kind', NAME, (column) => column.notNull())
      .addColumn('name', 'varchar(128)', (column) => column.notNull())
      .addColumn('document', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('identityPoliciesKey', ['account', 'owner', 'kind', 'name'])
      .execute()
  },
}
