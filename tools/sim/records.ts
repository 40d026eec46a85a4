/**
 * The records as a simulated host uses them: the daemon's own `Store`, over a cluster of simulated
 * nodes behind a simulated network.
 *
 * Each statement is a message to the node and one back. If no answer comes in time, the transaction
 * is lost; if none comes to a commit, nobody knows. Then the host uses its next node.
 */

import type { SQLInputValue } from 'node:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  sql,
  type TransactionSettings,
} from 'kysely'
import type { Clock } from '../../src/lib/clock.ts'
import type { Log } from '../../src/lib/log.ts'
import { bug, unavailable } from '../../src/model/errors.ts'
import { EngineError } from '../../src/store/engines/engine.ts'
import { parallelDialect } from '../../src/store/engines/sqlite/dialect.ts'
import type { RowWatch } from '../../src/store/records/rows.ts'
import type { Schema } from '../../src/store/schema.ts'
import { openSqlStore } from '../../src/store/sql.ts'
import type { Store } from '../../src/store/store.ts'
import type { Answer, DatabaseNode, Mode, Transaction } from './galera-node.ts'
import type { Network } from './network.ts'
import type { Stream } from './random.ts'

/** A statement that takes longer has no answer. */
const ANSWER_MS = 1_000
/** After all nodes failed, callers get an error at once for this time. */
const AWAY_MS = 300

/** What a client of the cluster works with. */
export interface ClientParts {
  readonly host: string
  /** In the order of its preference. */
  readonly nodes: readonly DatabaseNode[]
  readonly network: Network
  readonly clock: Clock
  readonly random: Stream
  readonly log: Log
  readonly rows?: RowWatch
  readonly schema?: Schema
  /** Whether the process still runs. */
  readonly lives: () => boolean
}

/** Opens the records of a host. */
export async function openSimulatedStore(parts: ClientParts): Promise<Store> {
  const { clock, random, log, rows, schema } = parts
  let commits = 0
  const own = Buffer.from(random.bytes(8)).toString('hex')
  const client = new Client(parts)
  return await openSqlStore({
    // The driver decides who waits for whom.
    dialect: parallelDialect(() => client),
    isRemote: true,
    nowMs: sql<number>`sim_now()`,
    ...{ clock, log, random: random.number },
    commitId: () => `${parts.host}-${own}-${commits++}`,
    ...(rows === undefined ? {} : { rows }),
    ...(schema === undefined ? {} : { schema }),
  })
}

class Client implements Driver {
  readonly #parts: ClientParts
  #chosen = 0
  #failures = 0
  #awayUntilMs = 0

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Connection> {
    const { nodes, clock } = this.#parts
    if (clock.monotonic() < this.#awayUntilMs) throw unavailable('no node of the database answers')
    const node = nodes[this.#chosen % nodes.length]
    if (node === undefined) throw bug('there is no node')
    return new Connection(this.#parts, node, (isGood) => this.#judge(node, isGood))
  }

  async beginTransaction(connection: Connection, settings: TransactionSettings): Promise<void> {
    await connection.begin(modeOf(settings))
  }

  async commitTransaction(connection: Connection): Promise<void> {
    await connection.commit()
  }

  async rollbackTransaction(connection: Connection): Promise<void> {
    connection.rollback()
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}

  #judge(node: DatabaseNode, isGood: boolean): void {
    const { nodes, clock } = this.#parts
    if (isGood) this.#failures = 0
    else if (nodes[this.#chosen % nodes.length] === node) {
      this.#chosen += 1
      this.#failures += 1
      if (this.#failures % nodes.length === 0) this.#awayUntilMs = clock.monotonic() + AWAY_MS
    }
  }
}

class Connection implements DatabaseConnection {
  readonly #parts: ClientParts
  readonly #node: DatabaseNode
  readonly #judge: (isGood: boolean) => void
  #transaction: Transaction | null = null

  constructor(parts: ClientParts, node: DatabaseNode, judge: (isGood: boolean) => void) {
    this.#parts = parts
    this.#node = node
    this.#judge = judge
  }

  async begin(mode: Mode): Promise<void> {
    try {
      await this.#call('lost', async () => {
        this.#transaction = this.#node.begin(mode)
      })
    } catch (error) {
      // The node may have begun it all the same.
      this.rollback()
      throw error
    }
  }

  async commit(): Promise<void> {
    const transaction = this.#expected()
    await this.#call('unsure', async () => transaction.commit())
  }

  rollback(): void {
    const transaction = this.#transaction
    if (transaction === null || !this.#parts.lives()) return
    this.#parts.network.send(this.#parts.host, this.#node.name, () => transaction.abort())
    // The node ends it when the connection breaks.
    this.#parts.clock.after(ANSWER_MS, () => transaction.abort())
  }

  async executeQuery<Row>({ sql: text, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const values = parameters as readonly SQLInputValue[]
    const { rows, changed } = await this.#call('lost', async () => {
      if (this.#transaction !== null) return await this.#transaction.run(text, values)
      return await alone(this.#node, text, values)
    })
    const isWrite = rows.length === 0 && !/^\s*(?:select|with)\b/i.test(text)
    return {
      rows: rows as Row[],
      ...(isWrite ? { numAffectedRows: BigInt(changed) } : {}),
    }
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator, but nothing here streams.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw bug('streaming is not built')
  }

  #expected(): Transaction {
    if (this.#transaction === null) throw bug('no transaction has begun')
    return this.#transaction
  }

  /** The answer of the node; `trouble` is the error when none comes. */
  #call<T>(trouble: 'lost' | 'unsure', work: () => Promise<T>): Promise<T> {
    const { host, network, clock, lives } = this.#parts
    return new Promise((resolve, reject) => {
      const stop = clock.after(ANSWER_MS, () => {
        this.#judge(false)
        reject(new EngineError(trouble, new Error('no answer'), { engine: 'simulated' }))
      })
      const answer = (give: () => void) =>
        network.send(this.#node.name, host, () => {
          if (!lives()) return
          stop()
          give()
        })
      network.send(host, this.#node.name, () => {
        // What a process has sent before its end arrives.
        if (!this.#node.isUp()) return
        work().then(
          (value) =>
            answer(() => {
              this.#judge(true)
              resolve(value)
            }),
          (error: unknown) => answer(() => reject(error)),
        )
      })
    })
  }
}

/** A statement that is a transaction of its own. */
async function alone(
  node: DatabaseNode,
  text: string,
  values: readonly SQLInputValue[],
): Promise<Answer> {
  const transaction = node.begin('claim')
  try {
    const answer = await transaction.run(text, values)
    transaction.commit()
    return answer
  } catch (error) {
    transaction.abort()
    throw error
  }
}

function modeOf({ accessMode, isolationLevel }: TransactionSettings): Mode {
  if (accessMode === 'read only') return isolationLevel === 'serializable' ? 'latest' : 'read'
  return isolationLevel === 'read committed' ? 'claim' : 'change'
}
