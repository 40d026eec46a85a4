/**
 * A noun: everything the store knows of one kind of record, in one file.
 *
 * A noun has its tables (rows, parsers, and what a copy gets), its reads, its writes, whom each
 * write concerns, and what becomes of each write in a host's own copy. The rest of the store is
 * built from the list of nouns (`nouns.ts`): transactions, dump, replica and table names.
 * `src/README.md` has the recipe for a new noun.
 */
import type { Kysely, RawBuilder } from 'kysely'
import type { HostName } from '../../model/ids.ts'
import type { Scope } from '../scope.ts'
import type { RecordLocations } from './record-locations.ts'
import type { RowReader, RowShape } from './rows.ts'

/** A table. */
export interface Table<Row> extends RowShape<Row> {
  /**
   * What a copy of the records gets: all rows unchanged (the default), none (`never`), or each row
   * as this function returns it. `nowMs` is the store's time in milliseconds since the epoch.
   */
  readonly copied?: 'never' | ((row: Row, nowMs: number) => Row)
}

/** Any table. */
// biome-ignore lint/suspicious/noExplicitAny: rows of any form fit; `unknown` ones would fit none.
export type AnyTable = Table<any>

/** Declares the rows of a table. */
export function table<Row>(facts: Table<Row>): Table<Row> {
  return facts
}

/** What the methods of nouns work with: one transaction. */
export interface Session<Tables> {
  readonly db: Kysely<Tables>
  /** The engine's clock for use in a query (`engines/engine.ts`): milliseconds since the epoch. */
  readonly nowMs: RawBuilder<number>
  readonly rows: RowReader
  readonly where: RecordLocations
  /** Hosts whose generation this transaction has advanced, each once. */
  readonly advances: Set<HostName>
  /** The scopes that this transaction has touched so far, by their text. */
  readonly touched: Map<string, Scope>
}

/** A method of a noun. */
// biome-ignore lint/suspicious/noExplicitAny: any parameters fit; `unknown` ones would fit none.
type Method = (...given: any[]) => Promise<unknown>
type Methods = Readonly<Record<string, Method>>

/**
 * Whom a write concerns. It is called before the write, while what the write removes still exists.
 */
type Touches<Tables, M extends Method> = (
  session: Session<Tables>,
  ...given: Parameters<M>
) => readonly Scope[] | Promise<readonly Scope[]>

/**
 * What becomes of a write in this host's own copy of the records. A function: the write is repeated
 * there, and the function tells whether the copy shows it. `null`: it is not repeated, because no
 * client reads the change, because it adds to a number that may already include it, or because the
 * copy has no such rows.
 */
type InCopy<Reads, M extends Method> =
  | ((tx: Reads, ...given: Parameters<M>) => Promise<boolean>)
  | null

/** A noun whose methods need these tables, including its own. */
export interface Noun<
  Own extends Readonly<Record<string, AnyTable>>,
  Tables,
  Reads extends Methods,
  Writes extends Methods,
> {
  /**
   * Its tables by name, in an order in which they can be filled: a table comes after those it
   * refers to.
   */
  readonly tables: Own
  readonly reads: (session: Session<Tables>) => Reads
  /**
   * A write that can lose a race says so in its result, and never throws for it. It has happened if
   * it returns nothing or `done`.
   */
  readonly writes: (session: Session<Tables>) => Writes
  readonly touches: { readonly [M in keyof Writes]: Touches<Tables, Writes[M]> }
  readonly inCopy: { readonly [M in keyof Writes]: InCopy<Reads, Writes[M]> }
}

/** Declares a noun, so that the types of its parts are checked against each other. */
export function noun<
  Own extends Readonly<Record<string, AnyTable>>,
  Tables,
  Reads extends Methods,
  Writes extends Methods,
>(parts: Noun<Own, Tables, Reads, Writes>): Noun<Own, Tables, Reads, Writes> {
  return parts
}

/** The rows of tables by name, as Kysely needs them. */
export type RowsOf<Own> = {
  readonly [Name in keyof Own]: Own[Name] extends Table<infer Row> ? Row : never
}

/** The write concerns no host. Its noun says why. */
export const nobody = (): readonly Scope[] => []

/** The write is repeated in a copy, which then shows it in any case. */
export const always = async (): Promise<boolean> => true

/** Whether there is a row. */
export async function isThere(rows: Promise<readonly unknown[]>): Promise<boolean> {
  return (await rows).length > 0
}

/** Whether there is a row with this id. */
export async function hasId(
  rows: Promise<readonly { readonly id: string }[]>,
  id: string,
): Promise<boolean> {
  return (await rows).some((row) => row.id === id)
}
