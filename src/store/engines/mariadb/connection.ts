/**
 * One connection to one node: its session's settings, its transactions, and the end of its
 * patience.
 *
 * Patience. A node that lost its power sends nothing, not even a refusal, so a statement that takes
 * long makes somebody look at the node by another connection. As long as that finds it well, the
 * statement may go on to its limit: a Galera cluster stands still for some seconds while it agrees
 * that a member is gone. If it is not, the socket is closed and the statement has failed.
 *
 * Failing. After a failure that undid the transaction, or that leaves open what is left of it, the
 * rest of the work is refused until the rollback: its statements would be committed one by one. A
 * failed commit is always `unsure`.
 */
import { connect, type Socket } from 'node:net'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import type { Connection, ConnectionOptions } from 'mysql2'
import type { TlsReader } from '../../../lib/engine-access.ts'
import { bug, unavailable } from '../../../model/errors.ts'
import { EngineError, type EngineTrouble } from '../engine.ts'
import { diagnose } from './errors.ts'
import { LOOK_TIMEOUT_MS, type Node, type Nodes, nameOf, type Standing } from './nodes.ts'

/**
 * What a statement may take on a node that is well. Members that are gone are given up within 4 s.
 */
const STATEMENT_LIMIT_MS = 6_000
/** What one may take that changes tables, as migrations do. */
const PATIENT_LIMIT_MS = 60_000
/** What fails a statement and not its transaction. */
const FAILS_ALONE: ReadonlySet<EngineTrouble> = new Set(['duplicate', 'referenced', 'misuse'])
const CHANGES_TABLES = /^\s*(?:alter|create|drop)\b/i

/**
 * `wsrep_local_state`, `wsrep_ready` and `wsrep_cluster_status` of a node that has every commit and
 * serves, and of one that feeds another.
 */
const SYNCED = '4, ON, Primary'
const DONOR = '2, ON, Primary'

/** How to make a connection to any node; `createConnection` is mysql2's. */
export interface Access {
  readonly createConnection: (options: ConnectionOptions) => Connection
  readonly database: string
  readonly user: string
  readonly password: string
  readonly tls: TlsReader
}

/**
 * What a transaction does: reads one snapshot, of this node or of all; reads what is committed and
 * writes; reads one snapshot and writes.
 */
export type Mode = 'read' | 'latest' | 'claim' | 'change'

/** What a connection asks of, and tells to, those that know the nodes. */
type Colleagues = Pick<
  Nodes,
  'check' | 'leave' | 'answered' | 'doubtAfterMs' | 'patient' | 'monotonic'
>

interface Answer {
  readonly rows: readonly unknown[]
  readonly affectedRows: bigint | undefined
}

/** Settings of every session. All are safe to repeat. */
const SESSION = [
  `set session ${[
    // What does not fit is refused instead of cut off; division by zero too.
    "sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
    "time_zone = '+00:00'",
    'autocommit = 1',
    'innodb_lock_wait_timeout = 1',
    // A transaction fails that would change what was changed since its snapshot (MariaDB 10.6.18,
    // 10.11.8 or later). Locks on all that is read (`serializable`) were tried: a seventh of the
    // launches a second, and some never came through.
    'innodb_snapshot_isolation = 1',
    // A host that is cut off in the middle of a transaction must not hold its locks for hours.
    'idle_transaction_timeout = 3',
    'wait_timeout = 60',
    'net_write_timeout = 10',
  ].join(', ')}`,
  'set session transaction isolation level repeatable read',
]

/**
 * Connects to a node and proves that it is well; rejects when it is not, or with the signal. Call
 * `settle` before it is used.
 */
export async function openConnection(
  access: Access,
  node: Node,
  nodes: Colleagues,
  signal: AbortSignal,
): Promise<MariadbConnection> {
  const tls = await access.tls(node.host)
  signal.throwIfAborted()
  const socket = connect({ host: node.host, port: node.port, noDelay: true })
  // mysql2 gives tls.connect no name for an address, and that takes the certificate for one of
  // `localhost` unless the socket knows where it went to. It does where a name was looked up.
  Object.assign(socket, { _host: node.host })
  const raw = access.createConnection({
    stream: socket,
    host: node.host,
    port: node.port,
    user: access.user,
    password: access.password,
    database: access.database,
    ...(tls === undefined ? {} : { ssl: tls }),
    // Only a backstop: the signal comes first.
    connectTimeout: STATEMENT_LIMIT_MS,
    flags: ['-LOCAL_FILES'],
    charset: 'utf8mb4',
    // The house's values are text and numbers; the escaping of anything else would be a surprise.
    stringifyObjects: true,
    maxPreparedStatements: 1,
  })
  const connection = new MariadbConnection(raw, socket, node, nodes)
  const giveUp = () => connection.destroy(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    await connection.expectWell()
    return connection
  } catch (error) {
    connection.destroy(error)
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** A connection that Kysely can use. One statement runs at a time. */
export class MariadbConnection implements DatabaseConnection {
  readonly node: Node
  readonly #raw: Connection
  readonly #socket: Socket
  readonly #nodes: Colleagues
  #dead: unknown
  #failPending: ((error: unknown) => void) | undefined
  #isGalera = false
  /** Whether its node was the group's only member when it was last asked. */
  #isAlone = false
  #standing: Standing = 'well'
  #transaction: { readonly mode: Mode; failure: EngineError | undefined } | undefined

  constructor(raw: Connection, socket: Socket, node: Node, nodes: Colleagues) {
    this.#raw = raw
    this.#socket = socket
    this.node = node
    this.#nodes = nodes
    // Without listeners Node would end the process for a server that goes away.
    raw.on('error', (error: unknown) => this.destroy(error))
    raw.on('end', () => this.destroy(unavailable('The server closed the connection.')))
    socket.on('error', (error) => this.destroy(error))
  }

  /** Whether it can still be used. */
  get isAlive(): boolean {
    return this.#dead === undefined
  }

  /**
   * What `expectWell` has found: a Galera node that feeds another one serves, but may stand still
   * for a while.
   */
  get standing(): Standing {
    return this.#standing
  }

  /** Sets what the session needs. */
  async settle(): Promise<void> {
    for (const sql of SESSION) await this.#ask(sql)
    if (this.#isGalera) await this.#ask('set session wsrep_sync_wait = 15')
  }

  /**
   * Rejects when the node cannot serve. A Galera node serves when it is in the primary component,
   * ready, and not behind the others
   * (https://galeracluster.com/library/documentation/galera-status-variables.html).
   */
  async expectWell(): Promise<void> {
    const galera = await this.#ask("show global variables like 'wsrep_on'")
    this.#isGalera = galera.rows.some((row) => shownValue(row) === 'ON')
    if (!this.#isGalera) return
    const { rows } = await this.#ask(
      "show global status where variable_name in ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state')",
    )
    const said = rows.map(shownValue).toSorted().join(', ')
    if (said === DONOR) this.#standing = 'spare'
    else if (said !== SYNCED)
      throw unavailable(`${nameOf(this.node)} is no synced member: ${said}.`)
    this.#isAlone = (await this.#members()) === 1
  }

  /**
   * How many nodes the group has, as this one knows it: a member that has joined is known before
   * anything that it writes.
   */
  async #members(): Promise<number> {
    const { rows } = await this.#ask(
      "set statement wsrep_sync_wait = 0 for show global status like 'wsrep_cluster_size'",
    )
    return Number(rows.map(shownValue)[0])
  }

  /**
   * A node alone has every commit. Asked to wait for the group it would wait for its own next beat,
   * some 100 ms.
   */
  async #stillAlone(): Promise<boolean> {
    if (this.#isAlone) this.#isAlone = (await this.#members()) === 1
    return this.#isAlone
  }

  /**
   * Begins a transaction. One that writes waits until what others have committed is here
   * (`wsrep_sync_wait`), so that it does not decide on old records, and takes its snapshot with its
   * first SELECT, so that changes before it lose no race. One that reads does not wait unless it
   * wants the latest: it would stand still with the cluster, and decides nothing. Only the first
   * statement waits (https://mariadb.com/kb/en/galera-cluster-system-variables/#wsrep_sync_wait): a
   * read costs one round through the group.
   */
  async begin(mode: Mode): Promise<void> {
    // For the next transaction only.
    if (mode === 'claim') await this.#ask('set transaction isolation level read committed')
    const waits = this.#isGalera && mode !== 'read' && !(await this.#stillAlone())
    const atOnce = this.#isGalera && !waits ? 'set statement wsrep_sync_wait = 0 for ' : ''
    const start = isReading(mode) ? 'with consistent snapshot, read only' : 'read write'
    await this.#ask(`${atOnce}start transaction ${start}`)
    this.#transaction = { mode, failure: undefined }
  }

  /** Commits. Whatever goes wrong with a transaction that could have written, it is `unsure`. */
  async commit(): Promise<void> {
    const transaction = this.#expectTransaction()
    try {
      await this.#ask('commit')
      this.#transaction = undefined
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      const trouble = isReading(transaction.mode) ? 'lost' : 'unsure'
      transaction.failure = new EngineError(trouble, error.cause, error.detail)
      throw transaction.failure
    }
  }

  /**
   * Takes everything back; never rejects. What cannot be taken back in time ends with the
   * connection.
   */
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
    const limitMs = CHANGES_TABLES.test(query.sql) ? PATIENT_LIMIT_MS : STATEMENT_LIMIT_MS
    const { rows, affectedRows } = await this.#ask(query.sql, query.parameters, limitMs)
    return affectedRows === undefined
      ? { rows: rows as Item[] }
      : { rows: [], numAffectedRows: affectedRows }
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator, and the house streams nothing.
  async *streamQuery<Item>(): AsyncIterableIterator<QueryResult<Item>> {
    throw bug('streaming from MariaDB is not built')
  }

  /**
   * Takes leave of the server, which otherwise logs a warning. For a connection that does nothing.
   */
  close(): void {
    if (!this.isAlive) return
    this.#dead = unavailable('The connection was closed.')
    // The driver calls back before it has written its farewell; the server then closes the
    // connection.
    this.#raw.end()
    this.#socket.setTimeout(LOOK_TIMEOUT_MS, () => this.#socket.destroy())
    this.#socket.unref()
  }

  /** Closes the socket at once and fails the statement under way. Repeating it is harmless. */
  destroy(reason: unknown): void {
    if (!this.isAlive) return
    this.#dead = reason ?? unavailable('The connection was closed.')
    this.#raw.destroy()
    this.#socket.destroy()
    this.#failPending?.(this.#lost('', this.#dead))
  }

  #expectTransaction(): { readonly mode: Mode; failure: EngineError | undefined } {
    if (this.#transaction === undefined) throw bug('there is no transaction to go on with')
    if (this.#transaction.failure !== undefined) throw this.#transaction.failure
    return this.#transaction
  }

  /** Sends a statement and waits for its answer, as long as there is hope. */
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
   * Has the node looked at, again and again, while a statement takes long; ends the connection when
   * there is no hope.
   */
  #doubt(limitMs: number): () => void {
    const startMs = this.#nodes.monotonic()
    let over = false
    const lookAgain = async () => {
      const found = await this.#nodes.check(this.node)
      if (over) return
      if (found === 'away') this.destroy(unavailable(`${nameOf(this.node)} does not answer.`))
      else if (this.#nodes.monotonic() - startMs > limitMs)
        this.destroy(unavailable(`${nameOf(this.node)} took longer than ${limitMs} ms.`))
      else stop = this.#nodes.patient.after(this.#nodes.doubtAfterMs(this.node), lookAgain)
    }
    let stop = this.#nodes.patient.after(this.#nodes.doubtAfterMs(this.node), lookAgain)
    return () => {
      over = true
      stop()
    }
  }

  async #classified(error: unknown, sql: string): Promise<EngineError> {
    if (error instanceof EngineError) return this.#remember(error)
    const diagnosis = diagnose(error, sql)
    if (diagnosis.nodeIsUnwell) this.#nodes.leave(this.node, diagnosis.error)
    if (diagnosis.error.trouble === 'lost') this.destroy(error)
    if (diagnosis.nodeIsDoubtful) await this.#nodes.check(this.node)
    return this.#remember(diagnosis.error)
  }

  /**
   * A duplicate, a row that is referred to and a statement that is wrong fail alone; everything
   * else fails the transaction.
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

function isReading(mode: Mode): boolean {
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

/** The driver would write an array as a list and an object as text. */
function expectScalar(value: unknown): void {
  const isScalar =
    value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
  if (!isScalar) throw bug('a value for the record store is neither text nor a number')
}
