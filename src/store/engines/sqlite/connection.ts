/**
 * One connection to one file: how the file is opened, transactions, prepared statements and rows.
 *
 * Durability. WAL with `synchronous = FULL`: every commit is on disk before the request is
 * answered. With NORMAL, a power cut could take back accepted launches, and with them the host's
 * generation, which the ledger on the same disk has already seen: the agent would then rightly
 * refuse to go backwards and wait for records that never come.
 *
 * Waiting. `node:sqlite` is synchronous, so SQLite's own busy handler would stop the whole daemon
 * (DHCP and DNS too). It gets a short time only; after that the transaction fails as `conflict` and
 * `sql.ts` waits without blocking.
 */
import { closeSync, fchmodSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { LRUCache } from 'lru-cache'
import { nextTurn, systemClock } from '../../../lib/clock.ts'
import { createQueue } from '../../../lib/queue.ts'
import { createTimeSlice } from '../../../lib/turns.ts'
import { bug, unavailable } from '../../../model/errors.ts'
import { classified } from './errors.ts'

/** How long SQLite may block the process to wait for another one's lock. */
const BUSY_TIMEOUT_MS = 5
/** Prepared statements that are kept: more than the house has different ones. */
const STATEMENT_CACHE_LIMIT = 256
/** The file holds the secrets of the access keys. SQLite gives its WAL the same mode. */
const FILE_MODE = 0o600

/** Reading looks at the clock after so many rows. */
const PIECE_ROWS = 64

/** Opens `file` (made where it does not exist), to write or only to read. */
export function openConnection(file: string, mode: 'write' | 'read'): SqliteConnection {
  const database = classified(`open ${file}`, () => openDatabase(file))
  if (mode === 'read') classified('query_only', () => database.exec('pragma query_only = on'))
  return new SqliteConnection(database)
}

interface Prepared {
  readonly statement: StatementSync
  /** Names of the columns of its rows; none when it gives no rows. */
  readonly columns: readonly string[]
}

/** A connection that Kysely can use. */
export class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync
  readonly #statements = new LRUCache<string, Prepared>({ max: STATEMENT_CACHE_LIMIT })
  readonly #inTurn = createQueue()
  #begun = false

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  begin(mode: 'deferred' | 'immediate'): void {
    this.#control(`begin ${mode}`)
    this.#begun = true
  }

  commit(): void {
    this.#expectTransaction()
    this.#control('commit')
    this.#begun = false
  }

  rollback(): void {
    this.#begun = false
    // A second rollback would be an error that hides the one for which SQLite has rolled back by
    // itself.
    if (this.#database.isTransaction) this.#control('rollback')
  }

  /**
   * In turn: a transaction may ask for several things at once, and one statement is read once at a
   * time.
   */
  executeQuery<Item>(query: CompiledQuery): Promise<QueryResult<Item>> {
    return this.#inTurn(() => this.#execute<Item>(query))
  }

  async #execute<Item>(query: CompiledQuery): Promise<QueryResult<Item>> {
    // The binding checks the type of each value itself and throws for what SQLite does not know.
    const values = query.parameters as readonly SQLInputValue[]
    const { statement, columns } = classified(query.sql, () => {
      if (this.#begun) this.#expectTransaction()
      return this.#prepare(query.sql)
    })
    if (columns.length > 0)
      return { rows: await readRows<Item>(query.sql, statement, values, columns) }
    const { changes } = classified(query.sql, () => statement.run(...values))
    return { rows: [], numAffectedRows: BigInt(changes) }
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator, and the house streams nothing.
  async *streamQuery<Item>(): AsyncIterableIterator<QueryResult<Item>> {
    throw bug('streaming from SQLite is not built')
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  /**
   * After some failures, a full disk for one, SQLite rolls back by itself (lang_transaction.html,
   * section 3.1). If the work goes on regardless, its next statements would be committed one by
   * one.
   */
  #expectTransaction(): void {
    if (!this.#database.isTransaction)
      throw unavailable('The record store has undone this transaction.')
  }

  #control(sql: string): void {
    classified(sql, () => this.#database.exec(sql))
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    // Rows as arrays: the binding's own objects take four times as long to make, and have no
    // prototype.
    const statement = this.#database.prepare(sql, { returnArrays: true })
    const prepared = { statement, columns: statement.columns().map(({ name }) => name) }
    this.#statements.set(sql, prepared)
    return prepared
  }
}

/**
 * All rows, in pieces: a long list is read between packets and timers. Until its end the connection
 * is this transaction's.
 */
async function readRows<Item>(
  sql: string,
  statement: StatementSync,
  values: readonly SQLInputValue[],
  columns: readonly string[],
): Promise<Item[]> {
  const rows: object[] = []
  const found = classified(sql, () => statement.iterate(...values))
  const piece = createTimeSlice(systemClock)
  for (;;) {
    const { done, value } = classified(sql, () => found.next())
    if (done === true) return rows as Item[]
    rows.push(toObject(columns, value))
    if (rows.length % PIECE_ROWS !== 0 || !piece.isOver()) continue
    await nextTurn()
    piece.begin()
  }
}

/**
 * A row as an ordinary object. `values` is an array, though the binding's types know rows as
 * objects only.
 */
function toObject(columns: readonly string[], values: Readonly<Record<number, unknown>>): object {
  const row: Record<string, unknown> = {}
  for (const [index, column] of columns.entries()) row[column] = values[index]
  return row
}

function openDatabase(file: string): DatabaseSync {
  if (file !== ':memory:') keepPrivate(file)
  const database = new DatabaseSync(file, {
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
  })
  try {
    database.exec('pragma journal_mode = wal')
    database.exec('pragma synchronous = full')
    // What was a secret in clear once must not stay in the file after it was sealed or deleted.
    database.exec('pragma secure_delete = on')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Makes the file, if need be, and takes it away from everyone but its owner before anything is in
 * it.
 */
function keepPrivate(file: string): void {
  let descriptor: number
  try {
    descriptor = openSync(file, 'a', FILE_MODE)
  } catch (error) {
    throw unavailable(`The record store's file ${file} cannot be opened for writing.`, error)
  }
  try {
    fchmodSync(descriptor, FILE_MODE)
  } finally {
    closeSync(descriptor)
  }
}
