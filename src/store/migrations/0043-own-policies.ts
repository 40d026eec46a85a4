/**
 * Migration 43: managed policies that accounts have made. Additive: an older daemon allows nothing
 * to who has one.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
const POLICY = 'varchar(128)'

/** Makes the tables `ownPolicies` and `ownPolicyVersions`. */
export const ownPolicies: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('ownPolicies')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('name', POLICY, (column) => column.notNull())
      .addColumn('id', NAME, (column) => column.notNull())
      .addColumn('path', 'varchar(512)', (column) => column.notNull())
      .addColumn('description', 'text', (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('defaultVersion', 'integer', (column) => column.notNull())
      .addColumn('lastVersion', 'integer', (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addColumn('updatedAt', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('ownPoliciesKey', ['account', 'name'])
      .execute()
    await db.schema
      .createTable('ownPolicyVersions')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('policy', POLICY, (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('ownPolicyVersionsKey', ['account', 'policy', 'version'])
      .execute()
  },
}
