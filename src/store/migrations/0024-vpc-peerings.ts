/**
 * Migration 24: peering connections of VPCs. Additive: an older daemon knows none, so its instances
 * reach no peer.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
const PAIR = 'varchar(128)'
const PROSE = 'varchar(255)'

/** Makes the table `vpcPeerings`. */
export const vpcPeerings: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('vpcPeerings')
      .ifNotExists()
      .addColumn('id', NAME, (column) => column.primaryKey().notNull())
      .addColumn('requesterAccount', NAME, (column) => column.notNull())
      .addColumn('requesterVpc', NAME, (column) => column.notNull())
      .addColumn('requesterCidr', NAME, (column) => column.notNull())
      .addColumn('accepterAccount', NAME, (column) => column.notNull())
      .addColumn('accepterVpc', NAME, (column) => column.notNull())
      .addColumn('accepterCidr', NAME, (column) => column.notNull())
      .addColumn('state', NAME, (column) => column.notNull())
      .addColumn('reason', PROSE, (column) => column.notNull())
      .addColumn('createdAt', NAME, (column) => column.notNull())
      .addColumn('expiresAt', NAME, (column) => column.notNull())
      .addColumn('endedAt', NAME)
      // Both VPCs, while it is pending or active: two VPCs have at most one.
      .addColumn('pair', PAIR)
      .addUniqueConstraint('vpcPeeringsPair', ['pair'])
      .execute()
    for (const column of ['requesterAccount', 'accepterAccount', 'state'])
      await db.schema
        .createIndex(`vpcPeeringsBy_${column}`)
        .ifNotExists()
        .on('vpcPeerings')
        .column(column)
        .execute()
  },
}
