/**
 * All records as plain rows, to copy them from one engine to another. A host's replica is filled
 * with it. The nouns say which tables there are, in which order they are filled, and what of each
 * is copied.
 */
import { isEngineError } from './engines/engine.ts'
import type { AnyNoun, Tables } from './nouns.ts'
import type { AnyTable, Session } from './records/noun.ts'

/** Rows by table. Of leases it only says whether they were valid when the dump was made. */
export type Dump = Readonly<Record<keyof Tables, readonly object[]>>

/** Rows in one statement. Engines limit its parameters. */
const ROWS_A_STATEMENT = 500

/** Reads all records. */
export async function readDump(
  nouns: readonly AnyNoun[],
  { db, nowMs }: Session<Tables>,
): Promise<Dump> {
  const rows: [string, readonly object[]][] = []
  for (const { name, copied } of tablesOf(nouns)) {
    const query = db.selectFrom(name as keyof Tables).selectAll()
    if (copied === 'never') rows.push([name, []])
    else if (copied === undefined) rows.push([name, await query.execute()])
    else {
      const found = await query.select(nowMs.as('nowMs')).execute()
      rows.push([name, found.map(({ nowMs: at, ...row }) => copied(row, Number(at)))])
    }
  }
  return Object.fromEntries(rows) as Dump
}

/**
 * Makes the records equal to the dump. Columns and tables that a newer daemon added are left out.
 * So are rows that do not fit and those that refer to them; it returns their number. A copy without
 * them is better than an old copy. Rows are parsed when they are read, not here.
 */
export async function writeDump(
  nouns: readonly AnyNoun[],
  { db }: Session<Tables>,
  dump: Dump,
): Promise<number> {
  const names = tablesOf(nouns)
    .filter(({ copied }) => copied !== 'never')
    // The database is only asked for tables of nouns.
    .map(({ name }) => name as keyof Tables)
  for (const table of names.toReversed()) await db.deleteFrom(table).execute()
  const columns = await columnsOf(db)
  // The value comes from the same table of another engine, and the engines' schemas are equal.
  const insert = (table: keyof Tables, rows: readonly object[]) =>
    db
      .insertInto<keyof Tables>(table)
      .values(rows as never)
      .execute()
  let leftOut = 0
  for (const table of names) {
    const rows = dump[table].map((row) => withOnly(columns.get(table), row))
    for (let start = 0; start < rows.length; start += ROWS_A_STATEMENT) {
      const part = rows.slice(start, start + ROWS_A_STATEMENT)
      try {
        await insert(table, part)
      } catch (error) {
        if (!isEngineError(error, 'duplicate', 'referenced', 'misuse')) throw error
        for (const row of part)
          await insert(table, [row]).catch((cause: unknown) => {
            if (!isEngineError(cause, 'duplicate', 'referenced', 'misuse')) throw cause
            leftOut += 1
          })
      }
    }
  }
  return leftOut
}

function tablesOf(nouns: readonly AnyNoun[]): readonly AnyTable[] {
  return nouns.flatMap(({ tables }) => Object.values<AnyTable>(tables))
}

async function columnsOf(
  db: Session<Tables>['db'],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const tables = await db.introspection.getTables()
  return new Map(
    tables.map(({ name, columns }) => [name, new Set(columns.map((column) => column.name))]),
  )
}

function withOnly(columns: ReadonlySet<string> | undefined, row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([column]) => columns?.has(column) === true))
}
