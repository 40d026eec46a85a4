/**
 * Migration 16: the driver of an instance, and of an image's instances. Additive: if an older
 * daemon names none, it follows from the image's location (`driverOf` in
 * `model/image-location.ts`).
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { addColumn } from './add-column.ts'

/** Adds `instances.driver` and `images.driver`. */
export const drivers: Migration = {
  up: async (db: Kysely<unknown>) => {
    await addColumn(db, 'instances', 'driver', 'varchar(255)')
    await addColumn(db, 'images', 'driver', 'varchar(255)')
  },
}
