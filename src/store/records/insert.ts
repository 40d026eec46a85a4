/** Inserting a row that another host may have inserted first. */
import type { InsertObject, Kysely } from 'kysely'
import { isTrouble } from '../engines/engine.ts'
import type { Tables } from '../tables.ts'

/** Inserts a row; `otherwise` when a UNIQUE key of it is taken, with nothing changed. */
export async function insertOr<Table extends keyof Tables, Otherwise extends 'exists' | 'taken'>(
  otherwise: Otherwise,
  db: Kysely<Tables>,
  table: Table,
  row: InsertObject<Tables, Table>,
): Promise<'done' | Otherwise> {
  try {
    await db.insertInto(table).values(row).execute()
    return 'done'
  } catch (error) {
    if (isTrouble(error, 'duplicate')) return otherwise
    throw error
  }
}
