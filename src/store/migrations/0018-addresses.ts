/**
 * Migration 18: floating IPs. Additive: an older daemon knows none. A NIC that it removes takes its
 * association along, and an address that came with it (`automaticFor`).
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'

/** Makes the table `addresses`. */
export const addresses: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('addresses')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('account', NAME, (column) => column.notNull())
      .addColumn('ip', NAME, (column) => column.notNull())
      .addColumn('pool', NAME, (column) => column.notNull())
      .addColumn('association', NAME)
      .addColumn('nic', NAME)
      .addColumn('privateIp', NAME)
      .addColumn('automaticFor', NAME)
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addUniqueConstraint('addressesIp', ['ip'])
      .addUniqueConstraint('addressesAssociation', ['association'])
      .addUniqueConstraint('addressesNic', ['nic', 'privateIp'])
      .addUniqueConstraint('addressesAutomaticFor', ['automaticFor'])
      .addForeignKeyConstraint('addressesNicExists', ['nic'], 'nics', ['id'], (key) =>
        key.onDelete('set null'),
      )
      .addForeignKeyConstraint('addressesAutomatic', ['automaticFor'], 'nics', ['id'], (key) =>
        key.onDelete('cascade'),
      )
      .execute()
    await db.schema
      .createIndex('addressesBy_account')
      .ifNotExists()
      .on('addresses')
      .column('account')
      .execute()
  },
}
