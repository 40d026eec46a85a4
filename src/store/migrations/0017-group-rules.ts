/**
 * Migration 17: rules of security groups. Additive: until now each group allowed packets from its
 * members and all outbound packets, as older daemons still do. So existing groups get these two
 * rules, with the ids that clients already know.
 */
import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const NAME = 'varchar(64)'
const ID_DIGITS = 17

/** The tables while this migration runs, and the one that it creates. */
type Seeded = {
  readonly securityGroups: {
    readonly id: string
    readonly vpc: string
    readonly account: string
  }
  readonly securityGroupRules: {
    readonly id: string
    readonly group: string
    readonly vpc: string
    readonly account: string
    readonly egress: number
    readonly protocol: number
    readonly fromPort: number
    readonly toPort: number
    readonly peer: string
    readonly peerGroup: string | null
    readonly description: string
  }
}

/** Creates the table `securityGroupRules`, with the rules of the existing groups. */
export const groupRules: Migration = {
  async up(unknown: Kysely<unknown>) {
    const db = unknown.withTables<Seeded>()
    await createTable(db)
    const withRules = db.selectFrom('securityGroupRules').select('group')
    const groups = await db
      .selectFrom('securityGroups')
      .select(['id', 'vpc', 'account'])
      .where('id', 'not in', withRules)
      .execute()
    for (const { id: group, vpc, account } of groups) {
      const rule = { group, vpc, account, protocol: -1, fromPort: -1, toPort: -1, description: '' }
      const rules = [
        { ...rule, id: idOf(group, 'from members'), egress: 0, peer: group, peerGroup: group },
        { ...rule, id: idOf(group, 'outwards'), egress: 1, peer: '0.0.0.0/0', peerGroup: null },
      ]
      await db.insertInto('securityGroupRules').values(rules).execute()
    }
  },
}

async function createTable(db: Kysely<Seeded>): Promise<void> {
  await db.schema
    .createTable('securityGroupRules')
    .ifNotExists()
    .addColumn('id', NAME, (column) => column.primaryKey().notNull())
    .addColumn('group', NAME, (column) => column.notNull())
    .addColumn('vpc', NAME, (column) => column.notNull())
    .addColumn('account', NAME, (column) => column.notNull())
    .addColumn('egress', 'integer', (column) => column.notNull())
    .addColumn('protocol', 'integer', (column) => column.notNull())
    .addColumn('fromPort', 'integer', (column) => column.notNull())
    .addColumn('toPort', 'integer', (column) => column.notNull())
    .addColumn('peer', NAME, (column) => column.notNull())
    .addColumn('peerGroup', NAME)
    .addColumn('description', 'varchar(255)', (column) => column.notNull())
    .addUniqueConstraint('securityGroupRulesMatch', [
      'group',
      'egress',
      'protocol',
      'fromPort',
      'toPort',
      'peer',
    ])
    .addForeignKeyConstraint('securityGroupRulesGroup', ['group'], 'securityGroups', ['id'])
    .addForeignKeyConstraint('securityGroupRulesPeer', ['peerGroup'], 'securityGroups', ['id'])
    .execute()
  for (const column of ['vpc', 'account'] as const)
    await db.schema
      .createIndex(`securityGroupRulesBy_${column}`)
      .ifNotExists()
      .on('securityGroupRules')
      .column(column)
      .execute()
}

function idOf(group: string, which: string): string {
  const digest = createHash('sha256').update(`sgr ${group} ${which}`).digest('hex')
  return `sgr-${digest.slice(0, ID_DIGITS)}`
}
