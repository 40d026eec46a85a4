/**
 * Migration 48: what a subnet shows of the names of its instances. Additive: older daemons show
 * that they have none.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `subnets.resourceNameDnsARecord`. */
export const subnetDns: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'subnets', 'resourceNameDnsARecord', 'integer')
  },
}
