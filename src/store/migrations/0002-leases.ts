/**
 * Migration 2: leases of hosts, and who has claimed which instance.
 *
 * Times are by the store's own clock, in milliseconds since the epoch: hosts' clocks may differ, and jump. Instances of before
 * count as claimed, because their hosts may have started them. Additive: daemons of version 1 go on with what they know.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Adds `hosts.leaseUntilMs`, `hosts.changedAtMs` and `instances.claimed`. */
export const leases: Migration = {
  async up(db: Kysely<unknown>) {
    await addInteger(db, 'hosts', 'leaseUntilMs', 'bigint', 0)
    await addInteger(db, 'hosts', 'changedAtMs', 'bigint', 0)
    await addInteger(db, 'instances', 'claimed', 'integer', 1)
    for (const [table, column] of INDEXES)
      await db.schema
        .createIndex(`${table}By_${column}`)
        .ifNotExists()
        .on(table)
        .columns([column])
        .execute()
  },
}

const INDEXES = [
  ['hosts', 'changedAtMs'],
  ['instances', 'claimed'],
] as const

/** Adds a column unless an interrupted migration did so before: not every engine undoes half of one. */
async function addInteger(
  db: Kysely<unknown>,
  table: string,
  column: string,
  type: 'bigint' | 'integer',
  before: number,
): Promise<void> {
  const tables = await db.introspection.getTables()
  const known = tables.find(({ name }) => name === table)?.columns
  if (known?.some(({ name }) => name === column) === true) return
  await db.schema
    .alterTable(table)
    .addColumn(column, type, (definition) => definition.notNull().defaultTo(before))
    .execute()
}
