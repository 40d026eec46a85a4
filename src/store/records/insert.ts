/** Inserting a row that another host may have inserted first. */
import type { InsertObject, Kysely } from 'kysely'
import { isTrouble } from '../engines/engine.ts'

/** Inserts a row; `otherwise` when a UNIQUE key of it is taken, with nothing changed. */
export async function insertOr<
  Tables,
  Name extends keyof Tables & string,
  Otherwise extends 'exists' | 'taken',
>(
  otherwise: Otherwise,
  db: Kysely<Tables>,
  table: Name,
  row: InsertObject<Tables, Name>,
): Promise<'done' | Otherwise> {
  try {
    await db.insertInto(table).values(row).execute()
    return 'done'
  } catch (error) {
    if (isTrouble(error, 'duplicate')) return otherwise
    throw error
  }
}
