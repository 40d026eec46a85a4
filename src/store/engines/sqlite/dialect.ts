/**
 * SQLite as the record store of one host: a Kysely dialect for Node's own binding (`node:sqlite`).
 *
 * One connection writes. For a store in a file, further connections only read, so that a long list
 * delays nobody.
 */
import {
  type Dialect,
  type Driver,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { startingClock } from '../../../lib/clock.ts'
import type { Log } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { unavailable } from '../../../model/errors.ts'
import type { RowWatch } from '../../records/rows.ts'
import type { Schema } from '../../schema.ts'
import { openSqlStore } from '../../sql.ts'
import type { Store } from '../../store.ts'
import { SqliteDriver, SqliteReadDriver } from './driver.ts'

/** Connections that read a file: for the API (`fair-reads.ts`), and some for the agent. */
const READERS = 8

/**
 * Opens the store of a single host in `file` (created if missing), or a private one in `:memory:`.
 * Call `migrate` next. Rejects with `unavailable` when the file is unusable.
 */
export async function openSqliteStore(options: {
  readonly file: string
  readonly log: Log
  /** Gets the rows that cannot be read. Without it they are only logged. */
  readonly rows?: RowWatch
  readonly schema?: Schema
}): Promise<Store> {
  try {
    return await openSqlStore({
      dialect: sqliteDialect(options.file),
      // A second connection to `:memory:` would open another database.
      ...(options.file === ':memory:'
        ? {}
        : { readDialect: sqliteReadDialect(options.file, READERS) }),
      isRemote: false,
      nowMs: sqliteNowMs(),
      clock: startingClock,
      random: systemRandom,
      log: options.log,
      ...(options.rows === undefined ? {} : { rows: options.rows }),
      ...(options.schema === undefined ? {} : { schema: options.schema }),
    })
  } catch (error) {
    throw unavailable(`The database ${options.file} cannot be opened`, error)
  }
}

/**
 * SQLite's clock, which is the machine's, in milliseconds since the epoch. The same for the whole
 * statement.
 */
export function sqliteNowMs(): RawBuilder<number> {
  return sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`
}

/**
 * SQLite in `file` (created if missing, in an existing directory) or, with `:memory:`, in this
 * process only. The first query opens the file.
 */
export function sqliteDialect(file: string): Dialect {
  return dialectOf(
    () => new SqliteDriver(file),
    () => new TransactionalDdlAdapter(),
  )
}

/**
 * Up to `connections` readers of `file`, besides the writer, which has created it. In WAL mode each
 * sees what was committed when its transaction began, and waits for nobody
 * (https://www.sqlite.org/wal.html). Not for `:memory:`.
 */
function sqliteReadDialect(file: string, connections: number): Dialect {
  return parallelDialect(() => new SqliteReadDriver(file, connections))
}

/** SQLite's language for a driver that has several connections. */
export function parallelDialect(createDriver: () => Driver): Dialect {
  return dialectOf(createDriver, () => new ParallelAdapter())
}

function dialectOf(createDriver: () => Driver, createAdapter: () => SqliteAdapter): Dialect {
  return {
    ...{ createDriver, createAdapter },
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

/**
 * SQLite can roll back DDL (https://www.sqlite.org/lang_transaction.html). So Kysely's Migrator
 * runs everything in one transaction, which begins with the write lock. This allows several
 * migrations to start at once.
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
