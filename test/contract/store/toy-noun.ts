/** A noun as `src/README.md` says to add one: the DHCP options of a VPC. It is no part of the cloud. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { z } from 'zod'
import type { VpcId } from '../../../src/model/ids.ts'
import { id, name } from '../../../src/store/records/columns.ts'
import { insertOr } from '../../../src/store/records/insert.ts'
import { always, noun, type RowsOf, type Session, table } from '../../../src/store/records/noun.ts'
import { ofVpc } from '../../../src/store/scope.ts'

interface DhcpOptions {
  readonly vpc: VpcId
  readonly domain: string
}

const tables = {
  dhcpOptions: table<DhcpOptions>({
    name: 'dhcpOptions',
    key: ['vpc'],
    schema: z.object({ vpc: id('vpc'), domain: name }),
  }),
}
type Tables = RowsOf<typeof tables>

/** The noun. */
export const dhcpOptions = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async dhcpOptions(): Promise<readonly DhcpOptions[]> {
      const found = await db.selectFrom('dhcpOptions').selectAll().orderBy('vpc').execute()
      return rows.parse(tables.dhcpOptions, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when the VPC has some. */
    insertDhcpOptions: (options: DhcpOptions) => insertOr('exists', db, 'dhcpOptions', options),
  }),
  touches: { insertDhcpOptions: (_session, { vpc }) => [ofVpc(vpc)] },
  inCopy: { insertDhcpOptions: always },
})

/** Its migration. */
export const dhcpOptionsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('dhcpOptions')
      .ifNotExists()
      .addColumn('vpc', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('domain', 'varchar(255)', (column) => column.notNull())
      .execute()
  },
}
