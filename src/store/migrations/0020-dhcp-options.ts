/**
 * Migration 20: sets of DHCP options, and which VPC has which. Additive: a VPC without one has the
 * cloud's own, which is all that an older daemon knows.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
/** Four addresses, or a domain name. */
const LIST = 'varchar(255)'

/** Makes the tables `dhcpOptions` and `dhcpAssociations`. */
export const dhcpOptions: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('dhcpOptions')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('domainNames', LIST, (column) => column.notNull())
      .addColumn('nameServers', LIST, (column) => column.notNull())
      .addColumn('timeServers', LIST, (column) => column.notNull())
      .execute()
    await db.schema
      .createIndex('dhcpOptionsBy_account')
      .ifNotExists()
      .on('dhcpOptions')
      .column('account')
      .execute()
    await db.schema
      .createTable('dhcpAssociations')
      .ifNotExists()
      .addColumn('vpc', NAME, (column) => column.primaryKey().notNull())
      .addColumn('options', NAME, (column) => column.notNull())
      .addForeignKeyConstraint('dhcpAssociationsVpc', ['vpc'], 'vpcs', ['id'])
      .addForeignKeyConstraint('dhcpAssociationsOptions', ['options'], 'dhcpOptions', ['id'])
      .execute()
    await db.schema
      .createIndex('dhcpAssociationsBy_options')
      .ifNotExists()
      .on('dhcpAssociations')
      .column('options')
      .execute()
  },
}
