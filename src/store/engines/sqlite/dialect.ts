/**
 * SQLite as the record store of one host: Node's own binding (`node:sqlite`) as a Kysely dialect.
 *
 * One connection writes. A store in a file has several more that only read, so that a long list
 * keeps nobody waiting.
 */
import {
  type Dialect,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { startingClock } from '../../../lib/clock.ts'
import type { Log } from '../../../lib/log.ts'
import { unavailable } from '../../../model/errors.ts'
import type { RowWatch } from '../../records/rows.ts'
import type { Schema } from '../../schema.ts'
import { openSqlStore } from '../../sql.ts'
import type { Store } from '../../store.ts'
import { SqliteDriver, SqliteReadDriver } from './driver.ts'

/** Readers of a file at once: those of the API (`fair-reads.ts`), and some for the agent. */
const READERS = 8

/**
 * Opens the store of a single host in `file` (made where it does not exist), or a private one in
 * `:memory:`. Call `migrate` next. Rejects with `unavailable` when the file cannot be used.
 */
export async function openSqliteStore(options: {
  readonly file: string
  readonly log: Log
  /** Hears of rows that cannot be read; without one they are only logged. */
  readonly rows?: RowWatch
  readonly schema?: Schema
}): Promise<Store> {
  try {
    return await openSqlStore({
      dialect: sqliteDialect(options.file),
      // Another connection to it would be another database.
      ...(options.file === ':memory:'
        ? {}
        : { readDialect: sqliteReadDialect(options.file, READERS) }),
      isRemote: false,
      nowMs: sqliteNowMs(),
      clock: startingClock,
      random: Math.random,
      log: options.log,
      ...(options.rows === undefined ? {} : { rows: options.rows }),
      ...(options.schema === undefined ? {} : { schema: options.schema }),
    })
  } catch (error) {
    throw unavailable(`The records in ${options.file} cannot be opened`, error)
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
 * SQLite in `file` (made where it does not exist, in a directory that does) or, as `:memory:`, in
 * this process alone. The file is opened with the first query.
 */
export function sqliteDialect(file: string): Dialect {
  return {
    createDriver: () => new SqliteDriver(file),
    createAdapter: () => new TransactionalDdlAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

/**
 * As many readers of `file` at once as `connections`, beside the one who writes and has made it: in
 * WAL mode each sees what was committed when its transaction began, and waits for nobody
 * (https://www.sqlite.org/wal.html). Not for `:memory:`.
 */
function sqliteReadDialect(file: string, connections: number): Dialect {
  return {
    createDriver: () => new SqliteReadDriver(file, connections),
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
