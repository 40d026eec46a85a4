/**
 * One connection to one node: settings of its session, its transactions, and how long it waits.
 *
 * Waiting. A node that lost power sends nothing, not even a refusal. So a slow statement causes a
 * check of the node through another connection. While the check succeeds, the statement may run up
 * to its limit: a Galera cluster stops for some seconds while it agrees that a member is gone. If
 * the check fails, the socket is closed and the statement fails. A node that does nothing else may
 * pass it, so at the limit a thorough check follows (`expectCaughtUp`).
 *
 * Failing. After a failure that ended the transaction, or may have, all further statements are
 * refused until the rollback, because they would be committed one by one. A failed commit is always
 * `unsure`.
 */
import type { Socket } from 'node:net'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import type { Connection } from 'mysql2'
import { bug, unavailable } from '../../../model/errors.ts'
import { EngineError, type EngineErrorKind } from '../engine.ts'
import { diagnose } from './errors.ts'
import { CHECK_TIMEOUT_MS, type Node, type Nodes, nameOf, type Standing } from './nodes.ts'
import type { WriteEnd } from './write-gate.ts'

/** Limit of a statement on a healthy node. A cluster gives up missing members within 4 s. */
export const STATEMENT_LIMIT_MS = 6_000
/** Limit of a statement that changes tables, as migrations do. */
const SCHEMA_LIMIT_MS = 60_000
/** Failures of a statement that leave its transaction intact. */
const FAILS_ALONE: ReadonlySet<EngineErrorKind> = new Set(['duplicate', 'referenced', 'misuse'])
const CHANGES_TABLES = /^\s*(?:alter|create|drop)\b/i

/**
 * `wsrep_local_state`, `wsrep_ready` and `wsrep_cluster_status`: of a node that has every commit
 * and serves requests, and of a donor, which sends its state to another node.
 */
const SYNCED = '4, ON, Primary'
const DONOR = '2, ON, Primary'

/**
 * What a transaction does: read a snapshot of this node or of the cluster; read committed rows and
 * write; or read a snapshot and write.
 */
export type Mode = 'read' | 'latest' | 'claim' | 'change'

/** The part of `Nodes` that a connection uses. */
export type Colleagues = Pick<
  Nodes,
  'check' | 'leave' | 'answered' | 'doubtAfterMs' | 'tolerantClock' | 'monotonic'
>

interface Transaction {
  readonly mode: Mode
  failure: EngineError | undefined
  /** Whether it has changed rows. */
  hasWritten: boolean
}

interface Answer {
  readonly rows: readonly unknown[]
  readonly affectedRows: bigint | undefined
}

/** Settings of every session. They are safe to repeat. */
const SESSION = [
  `set session ${[
    // Values that do not fit are refused instead of truncated. So is division by zero.
    "sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
    "time_zone = '+00:00'",
    'autocommit = 1',
    'innodb_lock_wait_timeout = 1',
    // A transaction fails if it changes a row that was changed since its snapshot (MariaDB 10.6.18,
    // 10.11.8 or later). `serializable`, which locks all rows that are read, allowed a seventh of
    // the launches a second, and some never succeeded.
    'innodb_snapshot_isolation = 1',
    // A host that is cut off during a transaction must not hold its locks for long.
    'idle_transaction_timeout = 3',
    'wait_timeout = 60',
    'net_write_timeout = 10',
  ].join(', ')}`,
  'set session transaction isolation level repeatable read',
]

/** A connection for Kysely. It runs one statement at a time. */
export class MariadbConnection implements DatabaseConnection {
  readonly node: Node
  readonly #raw: Connection
  readonly #socket: Socket
  readonly #nodes: Colleagues
  #dead: unknown
  #failPending: ((error: unknown) => void) | undefined
  #isGalera = false
  /** Whether the node was the only member of its cluster at the last check. */
  #isAlone = false
  #standing: Standing = 'healthy'
  #transaction: Transaction | undefined
  #writeEnd: WriteEnd = 'other'

  constructor(raw: Connection, socket: Socket, node: Node, nodes: Colleagues) {
    this.#raw = raw
    this.#socket = socket
    this.node = node
    this.#nodes = nodes
    // Without listeners Node would end the process when the server disconnects.
    raw.on('error', (error: unknown) => this.destroy(error))
    raw.on('end', () => this.destroy(unavailable('The server closed the connection.')))
    socket.on('error', (error) => this.destroy(error))
  }

  /** Whether it is usable. */
  get isAlive(): boolean {
    return this.#dead === undefined
  }

  /** The result of `expectHealthy`. A Galera donor serves requests but may stop for a while. */
  get standing(): Standing {
    return this.#standing
  }

  /** How the last transaction ended, if it wrote. */
  get writeEnd(): WriteEnd {
    return this.#writeEnd
  }

  /** Applies the settings of the session. */
  async settle(): Promise<void> {
    for (const sql of SESSION) await this.#ask(sql)
    if (this.#isGalera) await this.#ask('set session wsrep_sync_wait = 15')
  }

  /**
   * Rejects when the node cannot serve. A Galera node can when it is in the primary component,
   * ready, and up to date
   * (https://galeracluster.com/library/documentation/galera-status-variables.html).
   */
  async expectHealthy(): Promise<void> {
    const galera = await this.#ask("show global variables like 'wsrep_on'")
    this.#isGalera = galera.rows.some((row) => shownValue(row) === 'ON')
    if (!this.#isGalera) return
    const { rows } = await this.#ask(
      "show global status where variable_name in ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state')",
    )
    const said = rows.map(shownValue).toSorted().join(', ')
    if (said === DONOR) this.#standing = 'spare'
    else if (said !== SYNCED)
      throw unavailable(`${nameOf(this.node)} is not a synced member: ${said}.`)
    this.#isAlone = (await this.#members()) === 1
  }

  /**
   * Resolves when the node has what its cluster had committed. A Galera node whose disk hangs, or
   * whose appliers do, is a synced member, but this never resolves there. Other nodes resolve.
   */
  async expectCaughtUp(): Promise<void> {
    if (this.#isGalera) await this.#ask('set statement wsrep_sync_wait = 1 for select 1')
  }

  /**
   * Number of nodes in the cluster, as this node knows it. It knows a new member before anything
   * that the member writes.
   */
  async #members(): Promise<number> {
    const { rows } = await this.#ask(
      "set statement wsrep_sync_wait = 0 for show global status like 'wsrep_cluster_size'",
    )
    return Number(rows.map(shownValue)[0])
  }

  /**
   * Whether the node is the only member, so that it has every commit. If such a node waits for its
   * cluster, it waits some 100 ms for its next heartbeat.
   */
  async #stillAlone(): Promise<boolean> {
    if (this.#isAlone) this.#isAlone = (await this.#members()) === 1
    return this.#isAlone
  }

  /**
   * Begins a transaction. One that writes waits until this node has what others committed
   * (`wsrep_sync_wait`), so that it does not decide on old records. It takes its snapshot with its
   * first SELECT, so that earlier changes cause no conflict. One that only reads does not wait
   * unless it wants the latest records: it would stop whenever the cluster stops. Only the first
   * statement waits, so a read costs one round trip in the cluster
   * (https://mariadb.com/kb/en/galera-cluster-system-variables/#wsrep_sync_wait).
   */
  async begin(mode: Mode): Promise<void> {
    this.#writeEnd = 'other'
    // Applies to the next transaction only.
    if (mode === 'claim') await this.#ask('set transaction isolation level read committed')
    const waits = this.#isGalera && mode !== 'read' && !(await this.#stillAlone())
    const atOnce = this.#isGalera && !waits ? 'set statement wsrep_sync_wait = 0 for ' : ''
    const start = isReading(mode) ? 'with consistent snapshot, read only' : 'read write'
    await this.#ask(`${atOnce}start transaction ${start}`)
    this.#transaction = { mode, failure: undefined, hasWritten: false }
  }

  /** Commits. A failure of a transaction that may have written is `unsure`. */
  async commit(): Promise<void> {
    const transaction = this.#expectTransaction()
    try {
      await this.#ask('commit')
      this.#transaction = undefined
      if (transaction.hasWritten) this.#writeEnd = 'committed'
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      const trouble = isReading(transaction.mode) ? 'lost' : 'unsure'
      transaction.failure = new EngineError(trouble, error.cause, error.detail, error.isDiskFull)
      throw transaction.failure
    }
  }

  /** Rolls back. Never rejects: if it takes too long, the connection is closed. */
  async rollback(): Promise<void> {
    this.#transaction = undefined
    if (!this.isAlive) return
    try {
      await this.#ask('rollback')
    } catch (error) {
      this.destroy(error)
    }
  }

  async executeQuery<Item>(query: CompiledQuery): Promise<QueryResult<Item>> {
    for (const value of query.parameters) expectScalar(value)
    if (this.#transaction !== undefined) this.#expectTransaction()
    const limitMs = CHANGES_TABLES.test(query.sql) ? SCHEMA_LIMIT_MS : STATEMENT_LIMIT_MS
    const { rows, affectedRows } = await this.#ask(query.sql, query.parameters, limitMs)
    if (this.#transaction !== undefined && affectedRows !== undefined && affectedRows > 0n)
      this.#transaction.hasWritten = true
    return affectedRows === undefined
      ? { rows: rows as Item[] }
      : { rows: [], numAffectedRows: affectedRows }
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator, but nothing here streams.
  async *streamQuery<Item>(): AsyncIterableIterator<QueryResult<Item>> {
    throw bug('streaming from MariaDB is not built')
  }

  /** Says goodbye to the server, which otherwise logs a warning. Only for an idle connection. */
  close(): void {
    if (!this.isAlive) return
    this.#dead = unavailable('The connection was closed.')
    // The driver calls back before it has sent the message. The server then closes the connection.
    this.#raw.end()
    this.#socket.setTimeout(CHECK_TIMEOUT_MS, () => this.#socket.destroy())
    this.#socket.unref()
  }

  /** Closes the socket at once, which fails the current statement. May be repeated. */
  destroy(reason: unknown): void {
    if (!this.isAlive) return
    this.#dead = reason ?? unavailable('The connection was closed.')
    this.#raw.destroy()
    this.#socket.destroy()
    this.#failPending?.(this.#lost('', this.#dead))
  }

  #expectTransaction(): Transaction {
    if (this.#transaction === undefined) throw bug('there is no transaction to go on with')
    if (this.#transaction.failure !== undefined) throw this.#transaction.failure
    return this.#transaction
  }

  /** Sends a statement and waits for its result, as long as the node seems healthy. */
  async #ask(
    sql: string,
    values: readonly unknown[] = [],
    limitMs = STATEMENT_LIMIT_MS,
  ): Promise<Answer> {
    if (!this.isAlive) throw this.#lost(sql, this.#dead)
    const stopDoubting = this.#doubt(limitMs)
    const beganMs = this.#nodes.monotonic()
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        this.#failPending = reject
        this.#raw.query({ sql, values: [...values] }, (error, result) => {
          if (error === null) resolve(toAnswer(result))
          else reject(error)
        })
      })
      this.#nodes.answered(this.node, this.#nodes.monotonic() - beganMs)
      return answer
    } catch (error) {
      throw await this.#classified(error, sql)
    } finally {
      this.#failPending = undefined
      stopDoubting()
    }
  }

  /**
   * Checks the node repeatedly while a statement is slow. Closes the connection when a check fails.
   */
  #doubt(limitMs: number): () => void {
    const startMs = this.#nodes.monotonic()
    let over = false
    const checkAgain = async () => {
      const isLast = this.#nodes.monotonic() - startMs > limitMs
      const found = await this.#nodes.check(this.node, { isThorough: isLast })
      if (over) return
      if (isLast) this.#writeEnd = 'stuck'
      if (found === 'away') this.destroy(unavailable(`${nameOf(this.node)} does not answer.`))
      else if (isLast)
        this.destroy(unavailable(`${nameOf(this.node)} took longer than ${limitMs} ms.`))
      else stop = this.#nodes.tolerantClock.after(this.#nodes.doubtAfterMs(this.node), checkAgain)
    }
    let stop = this.#nodes.tolerantClock.after(this.#nodes.doubtAfterMs(this.node), checkAgain)
    return () => {
      over = true
      stop()
    }
  }

  async #classified(error: unknown, sql: string): Promise<EngineError> {
    if (error instanceof EngineError) return this.#remember(error)
    const diagnosis = diagnose(error, sql)
    if (diagnosis.isNodeError) this.#nodes.leave(this.node, diagnosis.error)
    if (diagnosis.error.trouble === 'lost') this.destroy(error)
    if (diagnosis.needsCheck) await this.#nodes.check(this.node)
    return this.#remember(diagnosis.error)
  }

  /**
   * A duplicate, a reference and a wrong statement fail alone. Any other error fails the
   * transaction.
   */
  #remember(error: EngineError): EngineError {
    const alone = FAILS_ALONE.has(error.trouble)
    if (this.#transaction !== undefined && !alone) this.#transaction.failure ??= error
    return error
  }

  #lost(sql: string, cause: unknown): EngineError {
    return new EngineError('lost', cause, { engine: 'mariadb', node: nameOf(this.node), sql })
  }
}

/** Whether a transaction of this mode writes nothing. */
export function isReading(mode: Mode): boolean {
  return mode === 'read' || mode === 'latest'
}

function toAnswer(result: unknown): Answer {
  if (Array.isArray(result)) return { rows: result, affectedRows: undefined }
  const { affectedRows } = result as { readonly affectedRows: number }
  return { rows: [], affectedRows: BigInt(affectedRows) }
}

/** The second column of SHOW VARIABLES and SHOW STATUS. */
function shownValue(row: unknown): string {
  return String((row as { readonly Value: unknown }).Value)
}

/** The driver would escape an array as a list, and an object as text. */
function expectScalar(value: unknown): void {
  const isScalar =
    value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
  if (!isScalar) throw bug('a value for the database is neither text nor a number')
}
