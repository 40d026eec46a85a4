/**
 * The `Store` over any SQL engine that has a dialect (`engines/engine.ts`).
 *
 * A transaction that loses a conflict, or whose connection breaks, is run again as a whole, after a
 * pause that grows and differs from host to host. The number of runs and their time are limited,
 * and so is the number of waiting transactions. A `change` is applied once, even if the answer to
 * its commit is lost (`records/commit.ts`). Errors of the work pass through unchanged after a
 * rollback.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type Dialect, Kysely, type RawBuilder, sql } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { systemUuid } from '../lib/random.ts'
import { type Backoff, retry } from '../lib/retry.ts'
import { bug, unavailable } from '../model/errors.ts'
import { isEngineError } from './engines/engine.ts'
import { migrateToLatest } from './migrations.ts'
import type { Tables } from './nouns.ts'
import { appliedOnce, sweepCommits } from './records/commit.ts'
import { advanceGenerations } from './records/generation.ts'
import { createRowCache, createRowReader, createRowWatch, type RowWatch } from './records/rows.ts'
import { SCHEMA, type Schema } from './schema.ts'
import type { ReadTx, Store, Tx } from './store.ts'
import { readTx, sessionIn, writeTx } from './tx.ts'

/** Maximum number of runs of one transaction. With the pauses below, this takes some seconds. */
const RUNS_LIMIT = 25
/** It is not run again after this time: the caller has given up by then. */
const RUNS_TIME_LIMIT_MS = 15_000
const RUNS_PAUSES: Backoff = { firstMs: 4, lastMs: 250 }
/**
 * Maximum number of running and waiting transactions. Further ones are refused, so that an overload
 * cannot grow without bound.
 */
const TRANSACTIONS_LIMIT = 1000
/**
 * The same for a snapshot that is only read: whether it may lack what other hosts have committed.
 */
const SNAPSHOT = { local: 'snapshot', latest: 'serializable' } as const
/** One of this many transactions deletes old rows of commits. */
const SWEEP_EVERY = 500

function snapshotOf(db: Kysely<Tables>, sees: keyof typeof SNAPSHOT) {
  return db.transaction().setAccessMode('read only').setIsolationLevel(SNAPSHOT[sees])
}

/**
 * Returns a function that repeats a transaction after a conflict or a broken connection. It rejects
 * with the error of the last run.
 */
function createRetrying(clock: Clock, backoff: Backoff, log: Log) {
  return async function retryConflicts<T>(run: () => Promise<T>): Promise<T> {
    const giveUpMs = clock.monotonic() + RUNS_TIME_LIMIT_MS
    const again = (error: unknown, runs: number, waitMs: number) => {
      if (!isEngineError(error, 'conflict', 'lost', 'unsure')) return false
      if (runs >= RUNS_LIMIT || clock.monotonic() > giveUpMs) return false
      log.debug({ runs, waitMs, error }, 'a transaction failed and is run again')
      return true
    }
    return await retry({ clock, backoff, again }, run)
  }
}

/**
 * Opens a store. An engine on this machine must answer; if it does not, this rejects with
 * `unavailable`.
 */
export async function openSqlStore(options: {
  readonly dialect: Dialect
  /** What `read` uses, if not the connection for writes. */
  readonly readDialect?: Dialect
  /**
   * Whether it is behind a network: it may be away when the store is opened, and the answer to a
   * commit may be lost.
   */
  readonly isRemote: boolean
  /** The engine's clock as part of a query, in whole milliseconds since the epoch. */
  readonly nowMs: RawBuilder<number>
  /** Its sleeps must keep the process alive. Nothing else does while a daemon starts. */
  readonly clock: Clock
  /** Returns 0 to 1, to spread retries. */
  readonly random: () => number
  /** Names a transaction, never twice the same. A UUID unless given. */
  readonly commitId?: () => string
  readonly log: Log
  readonly rows?: RowWatch
  readonly schema?: Schema
}): Promise<Store> {
  const { nowMs, random, log, clock, schema = SCHEMA, commitId = systemUuid } = options
  const backoff: Backoff = { ...RUNS_PAUSES, jitter: { share: 0.5, random } }
  const watch = options.rows ?? createRowWatch({ log, monotonic: clock.monotonic })
  const cache = createRowCache()
  const rows = () => createRowReader(watch, cache, clock)
  const db = new Kysely<Tables>({ dialect: options.dialect })
  const readDb =
    options.readDialect === undefined ? db : new Kysely<Tables>({ dialect: options.readDialect })
  const { nouns } = schema
  const reading = (some: Kysely<Tables>): ReadTx => readTx(nouns, sessionIn(some, nowMs, rows()))
  /**
   * Work in a transaction, which advances the generations of the touched scopes in its last
   * statements.
   */
  const inside =
    <T>(work: (tx: Tx) => Promise<T>) =>
    async (some: Kysely<Tables>): Promise<T> => {
      const session = sessionIn(some, nowMs, rows())
      const result = await work(writeTx(nouns, session))
      await advanceGenerations(session)
      return result
    }
  const running = new Set<Promise<unknown>>()
  const retryConflicts = createRetrying(clock, backoff, log)
  const inTransaction = new AsyncLocalStorage<true>()
  let closed = false

  async function admitted<T>(run: () => Promise<T>): Promise<T> {
    if (closed) throw unavailable('The database connection is closed.')
    // With one connection the inner transaction would wait for the outer one for ever.
    if (inTransaction.getStore() === true) throw bug('a transaction is begun inside another one')
    if (running.size >= TRANSACTIONS_LIMIT)
      throw unavailable('Too many requests are waiting for the database; try again.')
    const outcome = inTransaction.run(true, () => retryConflicts(run))
    running.add(outcome)
    try {
      return await outcome
    } finally {
      running.delete(outcome)
    }
  }

  /** What is not deleted now is deleted next time. */
  function sweep(): void {
    admitted(() => sweepCommits(db, nowMs)).catch((error: unknown) =>
      log.debug({ error }, 'old commits were not deleted'),
    )
  }

  const store: Store = {
    migrate: () => admitted(() => migrateToLatest(db, log, schema.migrations)),
    async change(work) {
      const begin = () => db.transaction().setIsolationLevel('snapshot')
      if (!options.isRemote) return await admitted(() => begin().execute(inside(work)))
      const result = await admitted(appliedOnce(begin, nowMs, commitId(), inside(work)))
      if (random() * SWEEP_EVERY < 1) sweep()
      return result
    },
    claim: (work) =>
      admitted(() => db.transaction().setIsolationLevel('read committed').execute(inside(work))),
    single: (work) => admitted(() => inside(work)(db)),
    read: (work, { sees = 'local' } = {}) =>
      admitted(() => snapshotOf(readDb, sees).execute((transaction) => work(reading(transaction)))),
    async close() {
      closed = true
      await Promise.allSettled(running)
      if (readDb !== db) await readDb.destroy()
      await db.destroy()
    },
  }
  if (options.isRemote) return store
  try {
    await admitted(() => sql`select 1`.execute(db))
  } catch (error) {
    await store.close()
    throw error
  }
  return store
}
