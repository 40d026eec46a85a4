/**
 * One node of a simulated database cluster: the transactions that run on it at the same time.
 *
 * - A `change` and a `read` see one snapshot. A `claim` sees with each statement what the node has
 *   by then (READ COMMITTED).
 * - Who changes a row keeps others from changing it until the end of its transaction. Two that wait
 *   for each other are a conflict.
 * - A transaction whose client says nothing any more is ended after a while, and one that has
 *   waited for another one for too long is a conflict.
 * - What other nodes have committed is applied between two statements. It ends a claim that has
 *   changed the same row; a `change` fails at its certification.
 *
 * SQLite knows one transaction at a time. So what one has changed is taken out of the database and
 * put in again, as a changeset, whenever another one has its turn. A snapshot that is older than
 * the node becomes a database of its own.
 */
import type { DatabaseSync, Session, SQLInputValue, StatementSync } from 'node:sqlite'
import { EngineError } from '../../src/store/engines/engine.ts'
import { classified } from '../../src/store/engines/sqlite/errors.ts'
import type { VirtualTime } from './time.ts'
import { applies, conflict, type Replication, type WriteSet, writeSetOf } from './write-set.ts'

/** What a transaction is for (`MariadbDriver`). */
export type Mode = 'change' | 'claim' | 'read' | 'latest'

/** Rows of a statement, and how many it has changed. */
export interface Answer {
  readonly rows: readonly object[]
  readonly changed: number
}

/** A transaction on a node. What it says after its end is an error: `lost`. */
export interface Transaction {
  /** Waits for the end of others that have changed the same rows. Errors: `EngineError`. */
  run(sql: string, values: readonly SQLInputValue[]): Promise<Answer>
  /** Errors: `conflict`. */
  commit(): void
  /** Ends it. Nothing of it is left. */
  abort(): void
}

/** A node. */
export interface DatabaseNode {
  readonly name: string
  begin(mode: Mode): Transaction
  /** Applies what the cluster has committed. */
  catchUp(): void
  /** Its process has ended, with all transactions. */
  kill(): void
  start(): void
  isUp(): boolean
  /** Reads the whole log again, which was cut. */
  restore(): void
  close(): void
}

interface Open {
  readonly mode: Mode
  /** The position in the log of its snapshot. */
  readonly sawUntil: number
  /** A database of its own, with its old snapshot. */
  own: Opened | null
  /** What it has changed, while it is not in the node's database. */
  set: WriteSet
  session: Session | null
  /** The end of the transaction; its reason if it was ended from outside. */
  readonly ended: PromiseWithResolvers<void>
  failed: EngineError | null
  isOver: boolean
  waitsFor: Open | null
  /** Stops waiting for the client's next statement. */
  heard: () => void
}

interface Opened {
  readonly database: DatabaseSync
  readonly statements: Map<
    string,
    { readonly statement: StatementSync; readonly columns: string[] }
  >
}

const NOTHING = writeSetOf(new Uint8Array())
/** `idle_transaction_timeout` and `innodb_lock_wait_timeout` of the daemon's connections. */
const IDLE_MS = 3_000
const LOCK_WAIT_MS = 1_000

/** A node that is up and has nothing but the first records. */
export function createDatabaseNode(options: {
  readonly name: string
  readonly time: VirtualTime
  readonly replication: Replication
  /** Opens a database: with the first records, unless others are given. */
  readonly open: (records?: Uint8Array) => DatabaseSync
}): DatabaseNode {
  return new SimulatedNode(options)
}

class SimulatedNode implements DatabaseNode {
  readonly name: string
  readonly #time: VirtualTime
  readonly #replication: Replication
  readonly #openDatabase: (records?: Uint8Array) => DatabaseSync
  readonly #transactions = new Set<Open>()
  #main: Opened
  #applied = 0
  /** Whose changes are in the database now. */
  #loaded: Open | null = null
  #isUp = true

  constructor(options: Parameters<typeof createDatabaseNode>[0]) {
    this.name = options.name
    this.#time = options.time
    this.#replication = options.replication
    this.#openDatabase = options.open
    this.#main = opened(options.open())
  }

  isUp(): boolean {
    return this.#isUp
  }

  begin(mode: Mode): Transaction {
    if (!this.#isUp) throw gone('the node is down')
    // It waits until it has everything (`wsrep_sync_wait`), which takes no time here. What only
    // reads, and does not want the latest, goes on at once.
    if (mode !== 'read') this.catchUp()
    const one: Open = {
      ...{ mode, sawUntil: this.#applied, own: null, set: NOTHING, session: null },
      ...{ ended: Promise.withResolvers<void>(), failed: null, isOver: false, waitsFor: null },
      heard: () => undefined,
    }
    this.#transactions.add(one)
    this.#awaitClient(one)
    return {
      run: async (sql, values) => {
        one.heard()
        try {
          return await this.#run(one, sql, values)
        } finally {
          this.#awaitClient(one)
        }
      },
      commit: () => this.#commit(one),
      abort: () => this.#end(one, null),
    }
  }

  catchUp(): void {
    if (this.#isUp) this.#applyUntil(this.#replication.log.length)
  }

  kill(): void {
    this.#isUp = false
    for (const one of [...this.#transactions]) this.#end(one, gone('the node was killed'))
  }

  start(): void {
    this.#isUp = true
  }

  restore(): void {
    for (const one of [...this.#transactions]) this.#end(one, gone('the node lost its power'))
    this.#main.database.close()
    this.#main = opened(this.#openDatabase())
    this.#applied = 0
    this.#applyUntil(this.#replication.log.length)
  }

  close(): void {
    for (const one of [...this.#transactions]) this.#end(one, gone('the node is closed'))
    this.#main.database.close()
  }

  /** Its client may have ended: then nobody else would end it. */
  #awaitClient(one: Open): void {
    one.heard()
    if (one.isOver) return
    one.heard = this.#time.after(IDLE_MS, () => this.#end(one, gone('its client says nothing')))
  }

  async #run(one: Open, sql: string, values: readonly SQLInputValue[]): Promise<Answer> {
    for (;;) {
      expectOpen(one)
      const others = [...this.#transactions].filter(
        (other) => other !== one && other.mode !== 'read' && other.mode !== 'latest',
      )
      const on = this.#turnOf(one)
      expectOpen(one)
      const before = others.length > 0 && one.mode !== 'read' ? one.session?.changeset() : undefined
      const answer = execute(on, sql, values)
      if (answer.changed === 0 || before === undefined) return answer
      const { keys } = writeSetOf(one.session?.changeset() ?? new Uint8Array())
      const holder = others.find((other) => !keysOf(other).isDisjointFrom(keys))
      if (holder === undefined) return answer
      this.#takeOut(one)
      one.set = writeSetOf(before)
      await this.#waitFor(one, holder)
      // It has read what was before.
      if (one.mode === 'change' && this.#applied > one.sawUntil && this.#isOutdated(one, keys))
        this.#end(one, conflict('a row that was changed since the snapshot'))
    }
  }

  #isOutdated(one: Open, keys: ReadonlySet<string>): boolean {
    return this.#replication.log
      .slice(one.sawUntil, this.#applied)
      .some((set) => !set.keys.isDisjointFrom(keys))
  }

  async #waitFor(one: Open, holder: Open): Promise<void> {
    for (let next: Open | null = holder; next !== null; next = next.waitsFor)
      if (next === one) {
        this.#end(one, conflict('a deadlock'))
        expectOpen(one)
      }
    one.waitsFor = holder
    const stop = this.#time.after(LOCK_WAIT_MS, () =>
      this.#end(one, conflict('it waits for another transaction for too long')),
    )
    await Promise.race([holder.ended.promise, one.ended.promise])
    stop()
    one.waitsFor = null
  }

  #commit(one: Open): void {
    expectOpen(one)
    if (this.#commitInPlace(one)) return
    this.#takeOut(one)
    if (one.set.keys.size > 0) {
      try {
        // A claim has seen what this node has by now, and nobody else could change its rows.
        this.#replication.certify(one.set, one.mode === 'claim' ? this.#applied : one.sawUntil)
      } catch (error) {
        this.#end(one, null)
        throw error
      }
      const mine = one.set
      one.set = NOTHING
      this.#applyUntil(this.#replication.log.length, mine)
    }
    this.#end(one, null)
  }

  /** The usual case: nobody has committed since its beginning, and nobody has a snapshot. */
  #commitInPlace(one: Open): boolean {
    const isNewest = this.#loaded === one && this.#applied === this.#replication.log.length
    if (!isNewest || one.session === null) return false
    const isAlone = [...this.#transactions].every(
      (other) => other === one || other.own !== null || other.mode === 'claim',
    )
    if (!isAlone) return false
    const set = writeSetOf(one.session.changeset())
    if (set.keys.size === 0) return false
    try {
      this.#replication.certify(set, one.mode === 'claim' ? this.#applied : one.sawUntil)
    } catch (error) {
      this.#end(one, null)
      throw error
    }
    one.session.close()
    one.session = null
    this.#main.database.exec('commit')
    this.#loaded = null
    this.#applied += 1
    this.#end(one, null)
    return true
  }

  /** `mine` is the write-set of a transaction of this node, whose locks count no more. */
  #applyUntil(end: number, mine?: WriteSet): void {
    while (this.#applied < end) {
      const set = this.#replication.log[this.#applied]
      if (set === undefined) return
      this.#keepSnapshots()
      if (set !== mine)
        for (const one of [...this.#transactions])
          if (one.mode === 'claim' && !keysOf(one).isDisjointFrom(set.keys))
            this.#end(one, conflict('ended by a write-set of another node'))
      if (!applies(this.#main.database, set))
        throw new Error(`${this.name} cannot apply what was certified`)
      this.#applied += 1
    }
  }

  /** Before the node goes on: transactions with a snapshot get what they have seen. */
  #keepSnapshots(): void {
    if (this.#loaded !== null) this.#takeOut(this.#loaded)
    for (const one of this.#transactions) {
      if (one.mode === 'claim' || one.own !== null) continue
      one.own = opened(this.#openDatabase(this.#main.database.serialize()))
      putIn(one, one.own)
    }
  }

  /** The database that has what the transaction sees, with what it has changed. */
  #turnOf(one: Open): Opened {
    if (one.own !== null) {
      if (one.session === null) putIn(one, one.own)
      return one.own
    }
    if (this.#loaded === one) return this.#main
    if (this.#loaded !== null) this.#takeOut(this.#loaded)
    putIn(one, this.#main)
    this.#loaded = one
    return this.#main
  }

  #takeOut(one: Open): void {
    const on = one.own ?? (this.#loaded === one ? this.#main : null)
    if (on === null || one.session === null) return
    one.set = writeSetOf(one.session.changeset())
    one.session.close()
    one.session = null
    on.database.exec('rollback')
    if (this.#loaded === one) this.#loaded = null
  }

  #end(one: Open, reason: EngineError | null): void {
    if (one.isOver) return
    one.heard()
    this.#takeOut(one)
    one.own?.database.close()
    one.isOver = true
    one.failed = reason
    this.#transactions.delete(one)
    one.ended.resolve()
  }
}

function opened(database: DatabaseSync): Opened {
  return { database, statements: new Map() }
}

function putIn(one: Open, { database }: Opened): void {
  database.exec('begin')
  one.session = database.createSession()
  if (one.set.keys.size > 0 && !applies(database, one.set)) {
    // The rows that it has changed are held, but not all that they depend on.
    one.failed = conflict('what it has changed does not fit any more')
  }
}

function keysOf(one: Open): ReadonlySet<string> {
  return one.session === null ? one.set.keys : writeSetOf(one.session.changeset()).keys
}

function expectOpen(one: Open): void {
  if (one.failed !== null) throw one.failed
  if (one.isOver) throw gone('the transaction is over')
}

function gone(what: string): EngineError {
  return new EngineError('lost', new Error(what), { engine: 'simulated' })
}

function execute(
  { database, statements }: Opened,
  sql: string,
  values: readonly SQLInputValue[],
): Answer {
  return classified(sql, () => {
    let prepared = statements.get(sql)
    if (prepared === undefined) {
      const statement = database.prepare(sql, { returnArrays: true })
      prepared = { statement, columns: statement.columns().map(({ name }) => name) }
      statements.set(sql, prepared)
    }
    const { statement, columns } = prepared
    if (columns.length === 0) return { rows: [], changed: Number(statement.run(...values).changes) }
    const rows = (statement.all(...values) as unknown as readonly unknown[][]).map((row) =>
      Object.fromEntries(columns.map((column, at) => [column, row[at]])),
    )
    return { rows, changed: 0 }
  })
}
