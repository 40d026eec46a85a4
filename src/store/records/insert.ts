/** Writes that may fail because of other hosts' writes. */
import type { InsertObject, Kysely } from 'kysely'
import type { GroupId } from '../../model/ids.ts'
import type { Group } from '../../model/records.ts'
import { EngineError, type EngineErrorKind, isEngineError } from '../engines/engine.ts'

/**
 * Runs a write. Returns `otherwise` if the engine refuses it with this trouble; then nothing has
 * changed.
 */
export async function unless<Otherwise extends string>(
  trouble: EngineErrorKind,
  otherwise: Otherwise,
  write: () => Promise<unknown>,
): Promise<'done' | Otherwise> {
  try {
    await write()
    return 'done'
  } catch (error) {
    if (isEngineError(error, trouble)) return otherwise
    throw error
  }
}

/**
 * Inserts a row. Returns `otherwise` when one of its UNIQUE keys is taken; then nothing has
 * changed.
 */
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
  return unless('duplicate', otherwise, () => db.insertInto(table).values(row).execute())
}

/**
 * Runs a write of a row that refers to another which this transaction has just seen. If the engine
 * reports that it is gone, the transaction is run again.
 */
export async function orConflict<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (isEngineError(error, 'referenced')) throw new EngineError('conflict', error, {})
    throw error
  }
}

/** Columns of groups, for rows that refer to them. */
export interface GroupIds {
  readonly securityGroups: Pick<Group, 'id'>
}

/**
 * Inserts rows that refer to these groups. If the engine reports that a group is gone which this
 * transaction still sees, the transaction is run again.
 */
export async function insertReferring<Tables extends GroupIds, Name extends keyof Tables & string>(
  db: Kysely<Tables>,
  table: Name,
  rows: readonly InsertObject<Tables, Name>[],
  groups: readonly GroupId[],
): Promise<void> {
  if (rows.length === 0) return
  try {
    await db.insertInto(table).values(rows).execute()
  } catch (error) {
    if (!isEngineError(error, 'referenced')) throw error
    const seen = await (db as unknown as Kysely<GroupIds>)
      .selectFrom('securityGroups')
      .select('id')
      .where('id', 'in', groups)
      .execute()
    if (seen.length < new Set(groups).size) throw error
    throw new EngineError('conflict', error, { table })
  }
}
