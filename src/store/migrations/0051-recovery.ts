/**
 * Migration 51: instances that other hosts start again when their host is lost. Additive: an older
 * daemon acknowledges none, so nobody takes one of its instances.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds the columns. */
export const recovery: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'instances', 'recoverWanted', 'varchar(64)')
    await addColumn(db, 'instances', 'recoverAcknowledged', 'varchar(64)')
    await addColumn(db, 'instances', 'run', 'integer')
    await addColumn(db, 'instances', 'assignment', 'varchar(64)')
    await addColumn(db, 'hosts', 'epoch', 'varchar(64)')
    await addColumn(db, 'hosts', 'fenceLevel', 'varchar(64)')
  },
}
