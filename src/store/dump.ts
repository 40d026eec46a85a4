/**
 * All records as plain rows, to be carried from one engine to another: a host's replica is filled
 * with it. Which tables there are, in which order they are filled and what of each is copied, the
 * nouns say.
 */
import { isTrouble } from './engines/engine.ts'
import type { AnyNoun, Tables } from './nouns.ts'
import type { AnyTable, Session } from './records/noun.ts'

/** Rows by table. Of leases it tells whether they were live when the dump was made, for good. */
export type Dump = Readonly<Record<keyof Tables, readonly object[]>>

/** Rows that go into one statement: engines limit its parameters. */
const ROWS_A_STATEMENT = 500

/** Reads everything. */
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
 * Makes the records equal to the dump. What a newer daemon added to the tables is left out, and so
 * are rows that do not fit and those that refer to them, of which it gives the number: a copy that
 * lacks them is better than an old one. How the rest of a row looks is for whoever reads it.
 */
export async function writeDump(
  nouns: readonly AnyNoun[],
  { db }: Session<Tables>,
  dump: Dump,
): Promise<number> {
  const names = tablesOf(nouns)
    .filter(({ copied }) => copied !== 'never')
    // The nouns' own tables are all that the database is asked for.
    .map(({ name }) => name as keyof Tables)
  for (const table of names.toReversed()) await db.deleteFrom(table).execute()
  const columns = await columnsOf(db)
  // What another engine gave for this table is what it holds; the engines' schemas are the same.
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
        if (!isTrouble(error, 'duplicate', 'referenced', 'misuse')) throw error
        for (const row of part)
          await insert(table, [row]).catch((cause: unknown) => {
            if (!isTrouble(cause, 'duplicate', 'referenced', 'misuse')) throw cause
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
