/**
 * Migration 2: leases of hosts, and which host has claimed an instance.
 *
 * Times are by the store's clock, in milliseconds since the epoch, because the clocks of hosts may
 * differ and jump. Existing instances count as claimed, because their hosts may have started them.
 * Additive: daemons of version 1 ignore the columns.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `hosts.leaseUntilMs`, `hosts.changedAtMs` and `instances.claimed`. */
export const leases: Migration = {
  async up(db: Kysely<unknown>) {
    await addColumn(db, 'hosts', 'leaseUntilMs', 'bigint', (one) => one.notNull().defaultTo(0))
    await addColumn(db, 'hosts', 'changedAtMs', 'bigint', (one) => one.notNull().defaultTo(0))
    await addColumn(db, 'instances', 'claimed', 'integer', (one) => one.notNull().defaultTo(1))
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
