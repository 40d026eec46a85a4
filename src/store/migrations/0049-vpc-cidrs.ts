/**
 * Migration 49: further ranges of a VPC. Additive: an older daemon knows the first range only, so
 * none is added beside one.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `vpcs.moreCidrs`. */
export const vpcCidrs: Migration = {
  up: (db: Kysely<unknown>) => addColumn(db, 'vpcs', 'moreCidrs', 'text'),
}
