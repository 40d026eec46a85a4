/**
 * One connection to one file: how it is opened, transactions, prepared statements and rows.
 *
 * Durability. WAL with `synchronous = FULL`: every commit is on the disk before a request is
 * answered. With NORMAL, a power failure could undo accepted launches and the host's generation.
 * The ledger on the same disk would have the later generation, and the agent would refuse the older
 * records for ever.
 *
 * Waiting. `node:sqlite` is synchronous, so SQLite's busy handler would stop the whole daemon, with
 * DHCP and DNS. It gets only a short time. Then the transaction fails as `conflict`, and `sql.ts`
 * waits without blocking.
 */
import { closeSync, fchmodSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { LRUCache } from 'lru-cache'
import { nextTurn, systemClock } from '../../../lib/clock.ts'
import { codeOf } from '../../../lib/errno.ts'
import { createQueue } from '../../../lib/queue.ts'
import { createTimeSlice } from '../../../lib/turns.ts'
import { bug, messageOf, unavailable } from '../../../model/errors.ts'
import { EngineError } from '../engine.ts'
import { classified } from './errors.ts'

/** How long SQLite may block the process to wait for a lock of another process. */
const BUSY_TIMEOUT_MS = 5
/** Cached prepared statements: more than there are different ones. */
const STATEMENT_CACHE_LIMIT = 256
/** The file contains the secrets of access keys. SQLite gives its WAL the same mode. */
const FILE_MODE = 0o600

/** A read checks the clock after this many rows. */
const PIECE_ROWS = 64

/**
 * Opens `file` (created if missing) for writing, or only for reading. In a process the connection
 * that writes comes first.
 */
export function openConnection(file: string, mode: 'write' | 'read'): SqliteConnection {
  const database = classified(`open ${file}`, () => {
    // Not for readers: closing any descriptor of the file gives up all locks that this process has
    // on it (fcntl_locking(2)). Another process would take the file for unused when it closes it,
    // and remove the log that this one writes to (https://www.sqlite.org/howtocorrupt.html, 2.2).
    if (mode === 'write' && file !== ':memory:') keepPrivate(file)
    return openDatabase(file)
  })
  if (mode === 'read') classified('query_only', () => database.exec('pragma query_only = on'))
  return new SqliteConnection(database)
}

interface Prepared {
  readonly statement: StatementSync
  /** Column names of its rows. Empty for a statement without rows. */
  readonly columns: readonly string[]
}

/** A connection for Kysely. */
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
    // A second rollback would fail and hide the error for which SQLite has rolled back itself.
    if (this.#database.isTransaction) this.#control('rollback')
  }

  /**
   * One after another: a transaction may run several statements at once, but a prepared statement
   * only has one reader at a time.
   */
  executeQuery<Item>(query: CompiledQuery): Promise<QueryResult<Item>> {
    return this.#inTurn(() => this.#execute<Item>(query))
  }

  async #execute<Item>(query: CompiledQuery): Promise<QueryResult<Item>> {
    // The binding checks the types, and throws for values that SQLite does not know.
    const values = query.parameters as readonly SQLInputValue[]
    const { statement, columns } = classified(query.sql, () => {
      if (this.#begun) this.#expectTransaction()
      return this.#prepare(query.sql)
    })
    if (columns.length > 0)
      return { rows: await readAnyRows<Item>(query.sql, statement, values, columns) }
    const { changes } = classified(query.sql, () => statement.run(...values))
    return { rows: [], numAffectedRows: BigInt(changes) }
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator, but nothing here streams.
  async *streamQuery<Item>(): AsyncIterableIterator<QueryResult<Item>> {
    throw bug('streaming from SQLite is not built')
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  /**
   * After some failures, such as a full disk, SQLite rolls back by itself (lang_transaction.html,
   * section 3.1). If the work went on, its next statements would be committed one by one.
   */
  #expectTransaction(): void {
    if (!this.#database.isTransaction)
      throw unavailable('The database has rolled back this transaction.')
  }

  #control(sql: string): void {
    classified(sql, () => this.#prepare(sql).statement.run())
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    // Rows as arrays. The binding's objects take four times as long to create, and have no
    // prototype.
    const statement = this.#database.prepare(sql, { returnArrays: true })
    const prepared = { statement, columns: statement.columns().map(({ name }) => name) }
    this.#statements.set(sql, prepared)
    return prepared
  }
}

/**
 * As `readRows`. The binding refuses a whole statement for one integer that is no safe number
 * (beyond 2^53). No daemon writes one. It is given as a bigint, which no schema takes, so that only
 * its own row is unreadable.
 */
async function readAnyRows<Item>(
  ...[sql, statement, values, columns]: Parameters<typeof readRows>
): Promise<Item[]> {
  try {
    return await readRows<Item>(sql, statement, values, columns)
  } catch (error) {
    if (!(error instanceof EngineError) || codeOf(error.cause) !== 'ERR_OUT_OF_RANGE') throw error
  }
  statement.setReadBigInts(true)
  try {
    const rows = await readRows<object>(sql, statement, values, columns)
    return rows.map(withSafeNumbers) as Item[]
  } finally {
    statement.setReadBigInts(false)
  }
}

/** The row with numbers instead of bigints, where they are exact. */
function withSafeNumbers(row: object): object {
  const isSafe = (value: bigint) => Number.isSafeInteger(Number(value))
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      typeof value === 'bigint' && isSafe(value) ? Number(value) : value,
    ]),
  )
}

/**
 * All rows, read in pieces, so that packets and timers are handled during a long list. Until its
 * end the connection belongs to this transaction.
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
 * A row as an ordinary object. `values` is an array, although the binding's types say that rows are
 * objects.
 */
function toObject(columns: readonly string[], values: Readonly<Record<number, unknown>>): object {
  const row: Record<string, unknown> = {}
  for (const [index, column] of columns.entries()) row[column] = values[index]
  return row
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, {
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
  })
  try {
    database.exec('pragma journal_mode = wal')
    database.exec('pragma synchronous = full')
    // A secret that was in clear text must not stay in the file after it was encrypted or deleted.
    database.exec('pragma secure_delete = on')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Creates the file if it is missing, and makes it private before anything is in it. */
function keepPrivate(file: string): void {
  let descriptor: number
  try {
    descriptor = openSync(file, 'a', FILE_MODE)
  } catch (error) {
    const what = `${file} cannot be opened for writing: ${messageOf(error)}`
    const cause = new Error(`${what} (fix: let root write it, or remove what is there)`)
    throw unavailable(
      'The database is unavailable; try again.',
      Object.assign(cause, { code: codeOf(error) }),
    )
  }
  try {
    fchmodSync(descriptor, FILE_MODE)
  } finally {
    closeSync(descriptor)
  }
}
