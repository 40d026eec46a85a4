/**
 * Migration 50: groups of users. Additive: an older daemon knows none, so none is made beside one.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'

/** Makes the tables `userGroups` and `userGroupMembers`. */
export const userGroups: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('userGroups')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('name', 'varchar(128)', (column) => column.notNull())
      .addColumn('id', NAME, (column) => column.notNull())
      .addColumn('path', 'varchar(512)', (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('userGroupsKey', ['account', 'name'])
      .execute()
    await db.schema
      .createTable('userGroupMembers')
      .ifNotExists()
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('user', NAME, (column) => column.notNull())
      .addColumn('group', NAME, (column) => column.notNull())
      .addPrimaryKeyConstraint('userGroupMembersKey', ['account', 'user', 'group'])
      .execute()
  },
}
