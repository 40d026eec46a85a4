/**
 * A noun as `src/README.md` says to add one: the carrier gateway of a VPC. It is no part of the
 * cloud.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { z } from 'zod'
import type { VpcId } from '../../../src/model/ids.ts'
import { id, name } from '../../../src/store/records/columns.ts'
import { insertOr } from '../../../src/store/records/insert.ts'
import { always, noun, type RowsOf, type Session, table } from '../../../src/store/records/noun.ts'
import { ofVpc } from '../../../src/store/scope.ts'

interface CarrierGateway {
  readonly vpc: VpcId
  readonly label: string
}

const tables = {
  carrierGateways: table<CarrierGateway>({
    name: 'carrierGateways',
    key: ['vpc'],
    schema: z.object({ vpc: id('vpc'), label: name }),
  }),
}
type Tables = RowsOf<typeof tables>

/** The noun. */
export const carrierGateways = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async carrierGateways(): Promise<readonly CarrierGateway[]> {
      const found = await db.selectFrom('carrierGateways').selectAll().orderBy('vpc').execute()
      return rows.parse(tables.carrierGateways, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when the VPC has some. */
    insertCarrierGateway: (gateway: CarrierGateway) =>
      insertOr('exists', db, 'carrierGateways', gateway),
  }),
  touches: { insertCarrierGateway: (_session, { vpc }) => [ofVpc(vpc)] },
  inCopy: { insertCarrierGateway: always },
})

/** Its migration. */
export const carrierGatewaysMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('carrierGateways')
      .ifNotExists()
      .addColumn('vpc', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('label', 'varchar(255)', (column) => column.notNull())
      .execute()
  },
}
