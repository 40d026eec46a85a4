/**
 * Migration 22: network interfaces that live by themselves, and their further addresses.
 *
 * Until now each NIC was made with its instance and went with it. From now on `nics.instance` may
 * be empty. An older daemon could not read such a row, and would delete with its instance what is
 * to stay, so none is made while an older daemon is there. What it inserts means the same as ever.
 */
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'
import { allowNull } from './drop-key.ts'

const NAME = 'varchar(64)'

/** The tables while this migration runs. */
type Filled = {
  readonly nics: {
    readonly id: string
    readonly vpc: string
    readonly subnet: string
    readonly ip: string
  }
  readonly nicAddresses: {
    readonly vpc: string
    readonly ip: string
    readonly subnet: string
    readonly nic: string
    readonly isPrimary: number
  }
}

/** Extends `nics`, and makes `nicAddresses` with the addresses that there are. */
export const networkInterfaces: Migration = {
  async up(db: Kysely<unknown>) {
    await allowNull(db, 'nics', 'instance', NAME)
    const flag = (column: string, value: 0 | 1) =>
      addColumn(db, 'nics', column, 'integer', (one) => one.notNull().defaultTo(value))
    await addColumn(db, 'nics', 'attachment', NAME)
    await addColumn(db, 'nics', 'attachedAt', NAME)
    await flag('deleteOnTermination', 1)
    await flag('isDetaching', 0)
    await addColumn(db, 'nics', 'description', 'varchar(255)')
    await flag('sourceDestCheck', 1)
    await db.schema
      .createIndex('nicsInstanceDevice')
      .ifNotExists()
      .on('nics')
      .columns(['instance', 'deviceIndex'])
      .unique()
      .execute()
    await createAddresses(db)
    await fillAddresses(db.withTables<Filled>())
  },
}

async function createAddresses(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('nicAddresses')
    .ifNotExists()
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('ip', 'varchar(15)', (column) => column.notNull())
    .addColumn('subnet', NAME, (column) => column.notNull())
    .addColumn('nic', NAME, (column) => column.notNull())
    .addColumn('isPrimary', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('nicAddressesKey', ['vpc', 'ip'])
    // An older daemon deletes NICs, and does not know these rows.
    .addForeignKeyConstraint('nicAddressesNic', ['nic'], 'nics', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute()
  for (const columns of [
    ['nic', 'isPrimary'],
    ['subnet', 'ip'],
  ])
    await db.schema
      .createIndex(`nicAddressesBy_${columns.join('_')}`)
      .ifNotExists()
      .on('nicAddresses')
      .columns(columns)
      .execute()
}

async function fillAddresses(db: Kysely<Filled>): Promise<void> {
  await db
    .insertInto('nicAddresses')
    .columns(['vpc', 'ip', 'subnet', 'nic', 'isPrimary'])
    .expression((from) =>
      from
        .selectFrom('nics')
        .leftJoin('nicAddresses as known', (join) =>
          join.onRef('known.vpc', '=', 'nics.vpc').onRef('known.ip', '=', 'nics.ip'),
        )
        .select(['nics.vpc', 'nics.ip', 'nics.subnet', 'nics.id', sql.lit(1).as('isPrimary')])
        .where('known.ip', 'is', null),
    )
    .execute()
}
