/**
 * Migration 41: floating IPs of NAT gateways. Additive: for an older daemon each gateway translates
 * to the address of the instance's host, so none gets one while an older daemon is there.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the NIC that the address leads to, and the host that carries it. */
export const natGatewayAddresses: Migration = {
  async up(db: Kysely<unknown>) {
    for (const column of ['nic', 'carrier'])
      await addColumn(db, 'natGateways', column, 'varchar(64)')
    await db.schema
      .createIndex('natGatewaysNic')
      .ifNotExists()
      .on('natGateways')
      .column('nic')
      .unique()
      .execute()
  },
}
