/**
 * Connections to one file, given to one transaction each: one that writes, or several that read.
 */
import type { Driver, TransactionSettings } from 'kysely'
import { nextTurn } from '../../../lib/clock.ts'
import { bug } from '../../../model/errors.ts'
import { openConnection, type SqliteConnection } from './connection.ts'

/** How a transaction begins and ends, whichever connection it has. */
abstract class TransactionDriver {
  async beginTransaction(
    connection: SqliteConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    // A deferred transaction that reads and then writes fails without waiting when another one
    // wrote in between.
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
 * One connection to one file. Kysely gives it to one transaction at a time, in the order in which
 * they came.
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
    // As above: a queue of readers is not to keep packets and timers waiting.
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

  /** Its owner waits for what runs before it calls this. */
  async destroy(): Promise<void> {
    for (const connection of this.#free.splice(0)) connection.close()
  }
}
