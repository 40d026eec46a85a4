/**
 * Connections to one file, each for one transaction at a time: one that writes, or several that
 * read.
 */
import type { Driver, TransactionSettings } from 'kysely'
import { nextTurn } from '../../../lib/clock.ts'
import { bug } from '../../../model/errors.ts'
import { openConnection, type SqliteConnection } from './connection.ts'

/** How a transaction begins and ends, on any connection. */
abstract class TransactionDriver {
  async beginTransaction(
    connection: SqliteConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    // A deferred transaction that reads and then writes fails without waiting if another one wrote
    // in between.
    connection.begin(settings.accessMode === 'read only' ? 'deferred' : 'immediate')
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    connection.commit()
  }

  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    connection.rollback()
  }
}

/**
 * One connection to one file. Kysely gives it to one transaction at a time, in the order of
 * requests.
 */
export class SqliteDriver extends TransactionDriver implements Driver {
  readonly #file: string
  #connection: SqliteConnection | undefined

  constructor(file: string) {
    super()
    this.#file = file
  }

  async init(): Promise<void> {
    this.#connection = openConnection(this.#file, 'write')
  }

  async acquireConnection(): Promise<SqliteConnection> {
    if (this.#connection === undefined) throw bug('the SQLite driver is used before it is opened')
    // SQLite's calls are synchronous. Without a pause, a queue of transactions would delay packets
    // and timers until its end.
    await nextTurn()
    return this.#connection
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#connection?.close()
  }
}

/** Connections that only read. They are opened when needed and then kept. */
export class SqliteReadDriver extends TransactionDriver implements Driver {
  readonly #file: string
  readonly #free: SqliteConnection[] = []
  readonly #waiting: ((connection: SqliteConnection) => void)[] = []
  readonly #connections: number
  #opened = 0

  constructor(file: string, connections: number) {
    super()
    this.#file = file
    this.#connections = connections
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    // As above: a queue of readers must not delay packets and timers.
    await nextTurn()
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#opened >= this.#connections)
      return await new Promise((resolve) => this.#waiting.push(resolve))
    const connection = openConnection(this.#file, 'read')
    this.#opened += 1
    return connection
  }

  async releaseConnection(connection: SqliteConnection): Promise<void> {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(connection)
    else next(connection)
  }

  /** The caller first waits for everything that runs. */
  async destroy(): Promise<void> {
    for (const connection of this.#free.splice(0)) connection.close()
  }
}
