/**
 * A few connections to the chosen node. Each serves one transaction at a time, in the order of
 * requests.
 *
 * There are few because all hosts share one server, and a transaction needs its connection only for
 * a millisecond or two. Connections to a node that is no longer chosen are closed when they are
 * returned. Connections to a failed node are closed at once.
 */
import type { Driver, TransactionSettings } from 'kysely'
import type { Clock } from '../../../lib/clock.ts'
import { withDeadline } from '../../../lib/deadline.ts'
import type { Log } from '../../../lib/log.ts'
import { createLimit } from '../../../lib/queue.ts'
import { unavailable } from '../../../model/errors.ts'
import { EngineError } from '../engine.ts'
import { isReading, type MariadbConnection, type Mode } from './connection.ts'
import { type Node, Nodes, nameOf } from './nodes.ts'
import { type Access, openConnection } from './open-connection.ts'
import type { WriteGate } from './write-gate.ts'

/** Connections of one store, and so of one host. */
const CONNECTIONS_LIMIT = 8
/** A request that waits longer for a connection fails. */
const TURN_LIMIT_MS = 8_000
/** A connection that is idle for longer is closed. The server's own limit is longer. */
const IDLE_LIMIT_MS = 20_000

/** Kysely's driver for MariaDB. It checks its nodes at once, and connects when needed. */
export class MariadbDriver implements Driver {
  readonly #access: Access
  readonly #nodes: Nodes
  readonly #places = createLimit({ places: CONNECTIONS_LIMIT })
  /** Returns the place of a connection that is in use. */
  readonly #leave = new Map<MariadbConnection, () => void>()
  /** Where each connection whose transaction writes has entered. */
  readonly #gates = new Map<MariadbConnection, WriteGate>()
  /** All open connections, and since when each is idle. */
  readonly #open = new Set<MariadbConnection>()
  readonly #idleSinceMs = new Map<MariadbConnection, number>()
  readonly #closing = new AbortController()
  readonly #clock: Clock

  constructor(options: {
    readonly access: Access
    readonly nodes: readonly Node[]
    readonly clock: Clock
    readonly log: Log
  }) {
    this.#access = options.access
    this.#clock = options.clock
    this.#nodes = new Nodes({
      nodes: options.nodes,
      healthCheck: async (node, how) => {
        const connection = await openConnection(this.#access, node, this.#nodes, how)
        connection.close()
        return connection.standing
      },
      left: (node, reason) => {
        for (const connection of this.#open)
          if (connection.node === node) this.#discard(connection, reason)
      },
      clock: options.clock,
      log: options.log,
    })
    this.#nodes.start()
  }

  async init(): Promise<void> {
    void this.#closeIdle()
  }

  async acquireConnection(): Promise<MariadbConnection> {
    const late = () => unavailable('The database is too busy; try again.')
    const leave = await withDeadline({ clock: this.#clock, ms: TURN_LIMIT_MS, late }, (signal) =>
      this.#places.take({}, signal),
    )
    try {
      const connection = await this.#connect()
      this.#leave.set(connection, leave)
      return connection
    } catch (error) {
      leave()
      throw error
    }
  }

  async beginTransaction(
    connection: MariadbConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    const mode = modeOf(settings)
    if (!isReading(mode)) this.#enterGate(connection)
    await connection.begin(mode)
  }

  async commitTransaction(connection: MariadbConnection): Promise<void> {
    await connection.commit()
  }

  async rollbackTransaction(connection: MariadbConnection): Promise<void> {
    await connection.rollback()
  }

  async releaseConnection(connection: MariadbConnection): Promise<void> {
    this.#leave.get(connection)?.()
    this.#leave.delete(connection)
    this.#gates.get(connection)?.leave(connection.writeEnd)
    this.#gates.delete(connection)
    if (connection.isAlive && this.#nodes.isChosen(connection.node))
      this.#idleSinceMs.set(connection, this.#clock.monotonic())
    else this.#discard(connection, undefined)
  }

  async destroy(): Promise<void> {
    this.#closing.abort()
    this.#nodes.close()
    for (const connection of this.#open) this.#discard(connection, undefined)
  }

  #enterGate(connection: MariadbConnection): void {
    const { node } = connection
    const gate = this.#nodes.gateOf(node)
    if (!gate.enter()) {
      const why = unavailable(`${nameOf(node)} commits nothing at present.`)
      throw new EngineError('away', why, { engine: 'mariadb', node: nameOf(node) })
    }
    this.#gates.set(connection, gate)
  }

  async #connect(): Promise<MariadbConnection> {
    for (;;) {
      const node = await this.#nodes.choose()
      const idle = this.#takeIdle(node)
      if (idle !== undefined) return idle
      try {
        return await this.#nodes.withinItsTime(node, this.#openSettled)
      } catch (error) {
        if (this.#closing.signal.aborted)
          throw unavailable('The database connection is closed.', error)
        // This also closes the connection, if it exists by now.
        this.#nodes.leave(node, error)
      }
    }
  }

  readonly #openSettled = async (node: Node, signal: AbortSignal): Promise<MariadbConnection> => {
    const connection = await openConnection(this.#access, node, this.#nodes, { signal })
    this.#open.add(connection)
    const giveUp = () => this.#discard(connection, signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    await connection.settle()
    return connection
  }

  /** The connection that was used last, so that unneeded ones stay idle and are closed. */
  #takeIdle(node: Node): MariadbConnection | undefined {
    for (const connection of [...this.#idleSinceMs.keys()].reverse()) {
      this.#idleSinceMs.delete(connection)
      if (connection.isAlive && connection.node === node) return connection
      this.#discard(connection, undefined)
    }
    return undefined
  }

  #discard(connection: MariadbConnection, reason: unknown): void {
    this.#open.delete(connection)
    this.#idleSinceMs.delete(connection)
    if (reason === undefined) connection.close()
    else connection.destroy(reason)
  }

  async #closeIdle(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#clock.sleep(IDLE_LIMIT_MS / 4, this.#closing.signal).catch(() => {})
      const beforeMs = this.#clock.monotonic() - IDLE_LIMIT_MS
      for (const [connection, sinceMs] of this.#idleSinceMs)
        if (sinceMs < beforeMs || !connection.isAlive) this.#discard(connection, undefined)
    }
  }
}

function modeOf({ accessMode, isolationLevel }: TransactionSettings): Mode {
  if (accessMode === 'read only') return isolationLevel === 'serializable' ? 'latest' : 'read'
  return isolationLevel === 'read committed' ? 'claim' : 'change'
}
