/**
 * A noun: everything the store knows of one kind of record, in one file.
 *
 * A noun has its tables (the rows, how they are parsed, how a copy gets them), what reads them,
 * what writes them, whom each write concerns, and what becomes of each write in a host's own copy.
 * The list of nouns (`nouns.ts`) is all that the rest of the store is built from: the transaction,
 * the dump, the replica and the names of the tables. `src/README.md` has the recipe for a new one.
 */
import type { Kysely, RawBuilder } from 'kysely'
import type { HostName } from '../../model/ids.ts'
import type { Scope } from '../scope.ts'
import type { RowReader, RowShape } from './rows.ts'
import type { Whereabouts } from './whereabouts.ts'

/** A table. */
export interface Table<Row> extends RowShape<Row> {
  /**
   * What a copy of the records gets: all rows as they are (unless told), none (`never`), or each
   * row as this function leaves it, given the store's clock in milliseconds since the epoch.
   */
  readonly copied?: 'never' | ((row: Row, nowMs: number) => Row)
}

/** Some table. */
// biome-ignore lint/suspicious/noExplicitAny: rows of any form fit; `unknown` ones would fit none.
export type AnyTable = Table<any>

/** Says of which form the rows of a table are. */
export function table<Row>(facts: Table<Row>): Table<Row> {
  return facts
}

/** What the methods of nouns work with: one transaction. */
export interface Session<Tables> {
  readonly db: Kysely<Tables>
  /** The engine's clock in a query (`engines/engine.ts`): milliseconds since the epoch. */
  readonly nowMs: RawBuilder<number>
  readonly rows: RowReader
  readonly where: Whereabouts
  /** Hosts whose generation this transaction has advanced, which it does once for each. */
  readonly advances: Set<HostName>
  /** The scopes that this transaction has touched so far, by their text. */
  readonly touched: Map<string, Scope>
}

/** A method of a noun. */
// biome-ignore lint/suspicious/noExplicitAny: any parameters fit; `unknown` ones would fit none.
type Method = (...given: any[]) => Promise<unknown>
type Methods = Readonly<Record<string, Method>>

/** Whom a write concerns. Asked before it, when what it removes is still there. */
type Touches<Tables, M extends Method> = (
  session: Session<Tables>,
  ...given: Parameters<M>
) => readonly Scope[] | Promise<readonly Scope[]>

/**
 * What becomes of a write in this host's own copy of the records. A function: it is made again
 * there, and the function tells whether the copy shows it. `null`: it is not made again, because no
 * client reads what it changes, because it adds to a number that may have it already, or because
 * the copy does not have such rows.
 */
type InCopy<Reads, M extends Method> =
  | ((tx: Reads, ...given: Parameters<M>) => Promise<boolean>)
  | null

/** A noun whose methods need these tables, its own among them. */
export interface Noun<
  Own extends Readonly<Record<string, AnyTable>>,
  Tables,
  Reads extends Methods,
  Writes extends Methods,
> {
  /** Its tables by name, in an order in which they can be filled: what is referred to comes first. */
  readonly tables: Own
  readonly reads: (session: Session<Tables>) => Reads
  /**
   * A write can lose a race: it says so in what it returns and never throws for it. What gives
   * nothing, or `done`, has happened.
   */
  readonly writes: (session: Session<Tables>) => Writes
  readonly touches: { readonly [M in keyof Writes]: Touches<Tables, Writes[M]> }
  readonly inCopy: { readonly [M in keyof Writes]: InCopy<Reads, Writes[M]> }
}

/** Says of a noun what it is, so that its parts are held against each other. */
export function noun<
  Own extends Readonly<Record<string, AnyTable>>,
  Tables,
  Reads extends Methods,
  Writes extends Methods,
>(parts: Noun<Own, Tables, Reads, Writes>): Noun<Own, Tables, Reads, Writes> {
  return parts
}

/** The rows of tables by name, as Kysely wants to know them. */
export type RowsOf<Own> = {
  readonly [Name in keyof Own]: Own[Name] extends Table<infer Row> ? Row : never
}

/** The write concerns no host: why, its noun says. */
export const nobody = (): readonly Scope[] => []

/** Made again in a copy, which shows it then whatever else it has. */
export const always = async (): Promise<boolean> => true

/** Whether there is any. */
export async function isThere(rows: Promise<readonly unknown[]>): Promise<boolean> {
  return (await rows).length > 0
}
