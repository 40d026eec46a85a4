/**
 * Migration 31: placement groups, the hosts of their members, and since when a host is draining.
 * Additive. An older daemon would not give up a terminated member's place, so there are no groups
 * before all hosts know them. It does not note when a host begins to drain.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

const NAME = 'varchar(64)'
const TEXT = 'varchar(255)'

/** Makes the tables `placementGroups` and `placementSlots`, and `hosts.drainingSinceMs`. */
export const placementGroups: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('placementGroups')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('name', TEXT, (column) => column.notNull())
      .addColumn('strategy', NAME, (column) => column.notNull())
      .addColumn('spreadLevel', NAME)
      .addColumn('partitionCount', 'integer')
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addColumn('members', 'integer', (column) => column.notNull())
      .addColumn('zone', NAME)
      .execute()
    await db.schema
      .createIndex('placementGroupsName')
      .ifNotExists()
      .unique()
      .on('placementGroups')
      .columns(['account', 'name'])
      .execute()
    await db.schema
      .createTable('placementSlots')
      .ifNotExists()
      .addColumn('placementGroup', NAME, (column) => column.notNull())
      .addColumn('host', NAME, (column) => column.notNull())
      .addColumn('partitionNumber', 'integer', (column) => column.notNull())
      .addColumn('members', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('placementSlotsKey', ['placementGroup', 'host'])
      .execute()
    await addColumn(db, 'hosts', 'drainingSinceMs', 'bigint')
  },
}
