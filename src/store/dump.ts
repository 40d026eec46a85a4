/**
 * All records as plain rows, to be carried from one engine to another: a host's replica is filled with it.
 *
 * Client tokens stay behind: they guard writes, and nobody writes to a replica.
 */
import type { Kysely, RawBuilder } from 'kysely'
import { isTrouble } from './engines/engine.ts'
import type { Tables } from './tables.ts'

/** Tables in an order in which they can be filled: what is referred to comes first. */
const TABLES = [
  'accounts',
  'accessKeys',
  'hosts',
  'images',
  'instanceTypes',
  'vpcs',
  'subnets',
  'securityGroups',
  'instances',
  'nics',
  'nicGroups',
  'volumes',
  'keyPairs',
  'tags',
] as const satisfies readonly (keyof Tables)[]

/** Rows by table. Of leases it tells whether they were live when the dump was made, for good. */
export type Dump = Readonly<Record<(typeof TABLES)[number], readonly object[]>>

/** Rows that go into one statement: engines limit its parameters. */
const ROWS_A_STATEMENT = 500

/** Reads everything. */
export async function readDump(db: Kysely<Tables>, nowMs: RawBuilder<number>): Promise<Dump> {
  const hosts = await db.selectFrom('hosts').selectAll().select(nowMs.as('nowMs')).execute()
  const rows: [string, readonly object[]][] = []
  for (const table of TABLES)
    rows.push([table, table === 'hosts' ? [] : await db.selectFrom(table).selectAll().execute()])
  const frozen = hosts.map((row) => {
    const { nowMs, ...host } = row
    return {
      ...host,
      leaseUntilMs: Number(row.leaseUntilMs) >= Number(nowMs) ? Number.MAX_SAFE_INTEGER : 0,
    }
  })
  return { ...(Object.fromEntries(rows) as Dump), hosts: frozen }
}

/**
 * Makes the records equal to the dump. What a newer daemon added to the tables is left out, and so are rows that do not fit and those
 * that refer to them, of which it gives the number: a copy that lacks them is better than an old one. How the rest of a row looks is for
 * whoever reads it.
 */
export async function writeDump(db: Kysely<Tables>, dump: Dump): Promise<number> {
  for (const table of TABLES.toReversed()) await db.deleteFrom(table).execute()
  const columns = await columnsOf(db)
  // What another engine gave for this table is what it holds; the engines' schemas are the same.
  const insert = (table: keyof Tables, rows: readonly object[]) =>
    db
      .insertInto<keyof Tables>(table)
      .values(rows as never)
      .execute()
  let leftOut = 0
  for (const table of TABLES) {
    const rows = dump[table].map((row) => withOnly(columns.get(table), row))
    for (let start = 0; start < rows.length; start += ROWS_A_STATEMENT) {
      const part = rows.slice(start, start + ROWS_A_STATEMENT)
      try {
        await insert(table, part)
      } catch (error) {
        if (!isTrouble(error, 'duplicate', 'misuse')) throw error
        for (const row of part)
          await insert(table, [row]).catch((cause: unknown) => {
            if (!isTrouble(cause, 'duplicate', 'misuse')) throw cause
            leftOut += 1
          })
      }
    }
  }
  return leftOut
}

async function columnsOf(db: Kysely<Tables>): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const tables = await db.introspection.getTables()
  return new Map(
    tables.map(({ name, columns }) => [name, new Set(columns.map((column) => column.name))]),
  )
}

function withOnly(columns: ReadonlySet<string> | undefined, row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([column]) => columns?.has(column) === true))
}
