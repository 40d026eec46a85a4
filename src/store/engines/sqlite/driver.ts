/**
 * SQLite as the record store of one host: Node's own binding (`node:sqlite`) as a Kysely dialect.
 *
 * Durability. WAL with `synchronous = FULL`: every commit is on disk before the request is
 * answered. With NORMAL, a power cut could take back accepted launches, and with them the host's
 * generation, which the ledger on the same disk has already seen: the agent would then rightly
 * refuse to go backwards and wait for records that never come.
 *
 * Waiting. The driver is synchronous, so SQLite's own busy handler would stop the whole daemon
 * (DHCP and DNS too). It gets a short time only; after that the transaction fails as `conflict` and
 * `sql.ts` waits without blocking.
 */
import { closeSync, fchmodSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
  type TransactionSettings,
} from 'kysely'
import { LRUCache } from 'lru-cache'
import { nextTurn, systemClock } from '../../../lib/clock.ts'
import { createQueue } from '../../../lib/queue.ts'
import { createPiece } from '../../../lib/turns.ts'
import { AtollError, bug, unavailable } from '../../../model/errors.ts'
import { EngineError, type EngineTrouble } from '../engine.ts'

/** How long SQLite may block the process to wait for another one's lock. */
const BUSY_TIMEOUT_MS = 5
/** Prepared statements that are kept: more than the house has different ones. */
const STATEMENT_CACHE_LIMIT = 256
/** The file holds the secrets of the access keys. SQLite gives its WAL the same mode. */
const FILE_MODE = 0o600

/**
 * Primary result codes (https://www.sqlite.org/rescode.html) that are another transaction's or the
 * world's turn.
 */
const TROUBLE_OF_CODE: ReadonlyMap<number, EngineTrouble> = new Map([
  [5, 'conflict'], // SQLITE_BUSY
  [6, 'conflict'], // SQLITE_LOCKED
  [3, 'away'], // SQLITE_PERM
  [7, 'away'], // SQLITE_NOMEM
  [8, 'away'], // SQLITE_READONLY
  [10, 'away'], // SQLITE_IOERR
  [11, 'away'], // SQLITE_CORRUPT
  [13, 'away'], // SQLITE_FULL
  [14, 'away'], // SQLITE_CANTOPEN
  [15, 'away'], // SQLITE_PROTOCOL
  [22, 'away'], // SQLITE_NOLFS
  [23, 'away'], // SQLITE_AUTH
  [26, 'away'], // SQLITE_NOTADB
])
/** Reading looks at the clock after so many rows. */
const PIECE_ROWS = 64
const SQLITE_CONSTRAINT_PRIMARYKEY = 1555
const SQLITE_CONSTRAINT_UNIQUE = 2067
/** Extended result codes carry the primary one in their low byte. */
const PRIMARY_CODE_MASK = 0xff

/**
 * SQLite in `file` (made where it does not exist, in a directory that does) or, as `:memory:`, in
 * this process alone. The file is opened with the first query.
 */
export function sqliteDialect(file: string): Dialect {
  return {
    createDriver: () => new NodeSqliteDriver(file),
    createAdapter: () => new TransactionalDdlAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

/**
 * SQLite's clock, which is this machine's, in milliseconds since the epoch: the same in all of one
 * statement.
 */
export function sqliteNowMs(): RawBuilder<number> {
  return sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`
}

/**
 * As many readers of `file` at once as `connections`, beside the one who writes and has made it: in
 * WAL mode each sees what was committed when its transaction began, and waits for nobody
 * (https://www.sqlite.org/wal.html). Not for `:memory:`.
 */
export function sqliteReadDialect(file: string, connections: number): Dialect {
  return {
    createDriver: () => new NodeSqliteReadDriver(file, connections),
    createAdapter: () => new ParallelAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

/**
 * SQLite can undo DDL (https://www.sqlite.org/lang_transaction.html). Saying so makes Kysely's
 * Migrator run everything in one transaction, which begins with the write lock: that is what lets
 * several start at once.
 */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class ParallelAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

/** How a transaction begins and ends, whichever connection it has. */
abstract class TransactionDriver {
  async beginTransaction(
    connection: NodeSqliteConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    // A deferred transaction that reads and then writes fails without waiting when another one
    // wrote in between.
    connection.begin(settings.accessMode === 'read only' ? 'deferred' : 'immediate')
  }

  async commitTransaction(connection: NodeSqliteConnection): Promise<void> {
    connection.commit()
  }

  async rollbackTransaction(connection: NodeSqliteConnection): Promise<void> {
    connection.rollback()
  }
}

/**
 * One connection to one file. Kysely gives it to one transaction at a time, in the order in which
 * they came.
 */
class NodeSqliteDriver extends TransactionDriver implements Driver {
  readonly #file: string
  #connection: NodeSqliteConnection | undefined

  constructor(file: string) {
    super()
    this.#file = file
  }

  async init(): Promise<void> {
    this.#connection = new NodeSqliteConnection(
      classified(`open ${this.#file}`, () => openDatabase(this.#file)),
    )
  }

  async acquireConnection(): Promise<NodeSqliteConnection> {
    if (this.#connection === undefined) throw bug('the SQLite driver is used before it is opened')
    // Everything here is synchronous below its promises: without a pause, a queue of transactions
    // would keep packets and timers waiting until its end.
    await nextTurn()
    return this.#connection
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#connection?.close()
  }
}

/** Connections that only read, opened when they are first needed and kept. */
class NodeSqliteReadDriver extends TransactionDriver implements Driver {
  readonly #file: string
  readonly #free: NodeSqliteConnection[] = []
  readonly #waiting: ((connection: NodeSqliteConnection) => void)[] = []
  readonly #connections: number
  #opened = 0

  constructor(file: string, connections: number) {
    super()
    this.#file = file
    this.#connections = connections
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<NodeSqliteConnection> {
    // As above: a queue of readers is not to keep packets and timers waiting.
    await nextTurn()
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#opened >= this.#connections)
      return await new Promise((resolve) => this.#waiting.push(resolve))
    const database = classified(`open ${this.#file}`, () => openDatabase(this.#file))
    classified('query_only', () => database.exec('pragma query_only = on'))
    this.#opened += 1
    return new NodeSqliteConnection(database)
  }

  async releaseConnection(connection: NodeSqliteConnection): Promise<void> {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(connection)
    else next(connection)
  }

  /** Its owner waits for what runs before it calls this. */
  async destroy(): Promise<void> {
    for (const connection of this.#free.splice(0)) connection.close()
  }
}

interface Prepared {
  readonly statement: StatementSync
  /** Names of the columns of its rows; none when it gives no rows. */
  readonly columns: readonly string[]
}

class NodeSqliteConnection implements DatabaseConnection {
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
  const piece = createPiece(systemClock)
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

/** Runs a call of the binding and turns what it throws into an `EngineError`. */
function classified<Result>(sql: string, call: () => Result): Result {
  try {
    return call()
  } catch (error) {
    throw error instanceof AtollError ? error : engineError(error, sql)
  }
}

function engineError(error: unknown, sql: string): EngineError {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  const detail = { engine: 'sqlite', code, sql }
  if (typeof code !== 'number') return new EngineError('misuse', error, detail)
  const duplicate = code === SQLITE_CONSTRAINT_UNIQUE || code === SQLITE_CONSTRAINT_PRIMARYKEY
  const trouble = duplicate ? 'duplicate' : TROUBLE_OF_CODE.get(code & PRIMARY_CODE_MASK)
  return new EngineError(trouble ?? 'misuse', error, detail)
}
