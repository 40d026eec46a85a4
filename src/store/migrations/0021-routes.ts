/**
 * Migration 21: internet gateways, NAT gateways, route tables and network ACLs.
 *
 * Until now each VPC had a gateway, a main table that leads everything to it, and an ACL that lets
 * everything pass, whose ids were derived from its own. Existing VPCs get these as rows with the
 * same ids, so nothing changes for them. Additive: an older daemon gives every VPC a way out, so
 * nothing is restricted while an older one is there (`api/networks/routing.ts`).
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'

/** The columns that the rows of existing VPCs are made of. */
type Seeded = {
  readonly vpcs: { readonly id: string; readonly account: string }
  readonly internetGateways: {
    readonly id: string
    readonly account: string
    readonly vpc: string
  }
  readonly routeTables: { readonly id: string; readonly account: string; readonly vpc: string }
  readonly routes: {
    readonly table: string
    readonly vpc: string
    readonly destination: string
    readonly target: string
  }
  readonly routeTableAssociations: {
    readonly id: string
    readonly table: string
    readonly vpc: string
    readonly subnet: string | null
    readonly covers: string
  }
  readonly networkAcls: {
    readonly id: string
    readonly account: string
    readonly vpc: string
    readonly defaultOf: string
  }
  readonly networkAclEntries: {
    readonly acl: string
    readonly vpc: string
    readonly egress: number
    readonly number: number
    readonly allow: number
    readonly protocol: number
    readonly fromPort: number
    readonly toPort: number
    readonly peer: string
  }
}

/** Makes the tables, and the rows of existing VPCs. */
export const routes: Migration = {
  async up(unknown: Kysely<unknown>) {
    const db = unknown.withTables<Seeded>()
    await createGateways(db)
    await createRouteTables(db)
    await createNetworkAcls(db)
    const done = db.selectFrom('networkAcls').select('defaultOf')
    const vpcs = await db
      .selectFrom('vpcs')
      .select(['id', 'account'])
      .where('id', 'not in', done)
      .execute()
    for (const vpc of vpcs) await seed(db, vpc)
  },
}

/** The last row tells that all are there, and each is made once. */
async function seed(db: Kysely<Seeded>, { id: vpc, account }: Seeded['vpcs']): Promise<void> {
  const derived = (prefix: string) => `${prefix}-${vpc.slice(vpc.indexOf('-') + 1)}`
  const [gateway, table, acl] = [derived('igw'), derived('rtb'), derived('acl')]
  await db.deleteFrom('routeTableAssociations').where('vpc', '=', vpc).execute()
  await db.deleteFrom('routes').where('vpc', '=', vpc).execute()
  await db.deleteFrom('routeTables').where('vpc', '=', vpc).execute()
  await db.deleteFrom('internetGateways').where('vpc', '=', vpc).execute()
  await db.insertInto('internetGateways').values({ id: gateway, account, vpc }).execute()
  await db.insertInto('routeTables').values({ id: table, account, vpc }).execute()
  const route = { table, vpc, destination: '0.0.0.0/0', target: gateway }
  await db.insertInto('routes').values(route).execute()
  const main = { id: derived('rtbassoc'), table, vpc, subnet: null, covers: vpc }
  await db.insertInto('routeTableAssociations').values(main).execute()
  await db.insertInto('networkAcls').values({ id: acl, account, vpc, defaultOf: vpc }).execute()
  const all = { number: 100, allow: 1, protocol: -1, fromPort: -1, toPort: -1, peer: '0.0.0.0/0' }
  const entries = [0, 1].map((egress) => ({ acl, vpc, egress, ...all }))
  await db.insertInto('networkAclEntries').values(entries).execute()
}

async function createGateways(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('internetGateways')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME)
    .addUniqueConstraint('internetGatewaysVpc', ['vpc'])
    .addForeignKeyConstraint('internetGatewaysVpcExists', ['vpc'], 'vpcs', ['id'])
    .execute()
  await db.schema
    .createTable('natGateways')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('subnet', NAME, (column) => column.notNull())
    .addColumn('createdAt', NAME, (column) => column.notNull())
    .addForeignKeyConstraint('natGatewaysVpc', ['vpc'], 'vpcs', ['id'])
    .addForeignKeyConstraint('natGatewaysSubnet', ['subnet'], 'subnets', ['id'])
    .execute()
  await index(db, 'internetGateways', 'account')
  await index(db, 'natGateways', 'account')
  await index(db, 'natGateways', 'vpc')
}

/** Routes go with their table, and an association goes with its subnet. */
async function createRouteTables(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('routeTables')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addForeignKeyConstraint('routeTablesVpc', ['vpc'], 'vpcs', ['id'])
    .execute()
  await db.schema
    .createTable('routes')
    .ifNotExists()
    .addColumn('table', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('destination', NAME, (column) => column.notNull())
    .addColumn('target', NAME, (column) => column.notNull())
    .addPrimaryKeyConstraint('routesKey', ['table', 'destination'])
    .addForeignKeyConstraint('routesTable', ['table'], 'routeTables', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute()
  await db.schema
    .createTable('routeTableAssociations')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('table', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('subnet', NAME)
    .addColumn('covers', NAME, (column) => column.notNull())
    .addUniqueConstraint('routeTableAssociationsCovers', ['covers'])
    .addForeignKeyConstraint('routeTableAssociationsTable', ['table'], 'routeTables', ['id'])
    .addForeignKeyConstraint('routeTableAssociationsSubnet', ['subnet'], 'subnets', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute()
  await index(db, 'routeTables', 'account')
  await index(db, 'routeTables', 'vpc')
  await index(db, 'routes', 'vpc')
  await index(db, 'routeTableAssociations', 'vpc')
}

/** Entries go with their ACL, and an association goes with its subnet. */
async function createNetworkAcls(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('networkAcls')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('defaultOf', NAME)
    .addUniqueConstraint('networkAclsDefaultOf', ['defaultOf'])
    .addForeignKeyConstraint('networkAclsVpc', ['vpc'], 'vpcs', ['id'])
    .execute()
  await db.schema
    .createTable('networkAclEntries')
    .ifNotExists()
    .addColumn('acl', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('egress', 'integer', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('allow', 'integer', (column) => column.notNull())
    .addColumn('protocol', 'integer', (column) => column.notNull())
    .addColumn('fromPort', 'integer', (column) => column.notNull())
    .addColumn('toPort', 'integer', (column) => column.notNull())
    .addColumn('peer', NAME, (column) => column.notNull())
    .addPrimaryKeyConstraint('networkAclEntriesKey', ['acl', 'egress', 'number'])
    .addForeignKeyConstraint('networkAclEntriesAcl', ['acl'], 'networkAcls', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute()
  await db.schema
    .createTable('networkAclAssociations')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('acl', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('subnet', NAME, (column) => column.notNull())
    .addUniqueConstraint('networkAclAssociationsOf', ['subnet'])
    .addForeignKeyConstraint('networkAclAssociationsAcl', ['acl'], 'networkAcls', ['id'])
    .addForeignKeyConstraint('networkAclAssociationsSubnet', ['subnet'], 'subnets', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute()
  await index(db, 'networkAcls', 'account')
  await index(db, 'networkAcls', 'vpc')
  await index(db, 'networkAclEntries', 'vpc')
  await index(db, 'networkAclAssociations', 'vpc')
}

async function index(db: Kysely<Seeded>, table: string, column: 'account' | 'vpc'): Promise<void> {
  await db.schema
    .createIndex(`${table}By_${column}`)
    .ifNotExists()
    .on(table)
    .column(column)
    .execute()
}
