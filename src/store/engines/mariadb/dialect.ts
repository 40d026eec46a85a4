/**
 * MariaDB, alone or as a Galera cluster, as the record store of many hosts
 * (https://mariadb.com/kb/en/galera-cluster/).
 *
 * All hosts write to the first node of the same list that is well; the others stand by
 * (`mariadb/nodes.ts`). A node that dies is left within a second, and the transaction is run again
 * on another one, exactly once in effect (`commits.ts`).
 *
 * What a `change` promises (`store.ts`) is snapshot isolation, by
 * InnoDB on one node and by Galera's certification between nodes: of two that change the same row
 * one is run again; two that read the same and change different rows may both win. So whatever
 * hosts may fight for is a UNIQUE key, or one conditional statement on the row that is fought for.
 * Time is that of the node which runs the statement: keep the nodes' clocks together (NTP) to well
 * within a lease.
 */
import {
  type CreateTableNode,
  type Dialect,
  type Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely'
import { startingClock, systemClock } from '../../../lib/clock.ts'
import { createTlsReader, type EngineAccess, splitAddress } from '../../../lib/engine-access.ts'
import type { Log } from '../../../lib/log.ts'
import { messageOf, unavailable } from '../../../model/errors.ts'
import type { RowWatch } from '../../records/rows.ts'
import { openSqlStore } from '../../sql.ts'
import type { Store } from '../../store.ts'
import type { Access } from './connection.ts'
import { MariadbDriver } from './driver.ts'
import type { Node } from './nodes.ts'

const DEFAULT_PORT = 3306
/**
 * A migration that holds the lock for longer has died; one that has not will find its statements
 * safe to repeat.
 */
const MIGRATION_LOCK_MS = 30_000
/** How long a host waits for another one's migration. */
const MIGRATION_PATIENCE_MS = 60_000
const MIGRATION_PAUSE_MS = 100

/** How to reach the records, as in the settings. */
export interface MariadbSettings extends EngineAccess {
  readonly database: string
  readonly log: Log
  /** Hears of rows that cannot be read; without one they are only logged. */
  readonly rows?: RowWatch
}

/**
 * Opens the store without waiting for any node: while all are away, every call rejects with
 * `unavailable`, at first within a second and then at once. Call `migrate` next. Rejects with
 * `unavailable` when a certificate cannot be read.
 */
export async function openMariadbStore(settings: MariadbSettings): Promise<Store> {
  const { createConnection } = await import('mysql2')
  const { database, user, password, log } = settings
  const nodes = settings.nodes.map((node) => splitAddress(node, DEFAULT_PORT))
  const access: Access = {
    createConnection,
    database,
    user,
    password,
    tls: await certificatesFor(nodes, settings),
  }
  return openSqlStore({
    dialect: mariadbDialect(access, nodes, log),
    nowMs: mariadbNowMs(),
    isRemote: true,
    clock: startingClock,
    random: Math.random,
    log,
    ...(settings.rows === undefined ? {} : { rows: settings.rows }),
  })
}

/**
 * The clock of the node that runs the statement, whatever the session's time zone: the same in all
 * of one statement.
 */
function mariadbNowMs(): RawBuilder<number> {
  return sql<number>`(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)`
}

function mariadbDialect(access: Access, nodes: readonly Node[], log: Log): Dialect {
  return {
    createDriver: () => new MariadbDriver({ access, nodes, clock: systemClock, log }),
    createAdapter: () => new MariadbAdapter(),
    createQueryCompiler: () => new MariadbQueryCompiler(),
    createIntrospector: (db) => new MysqlIntrospector(db),
  }
}

/**
 * Says of every table how its text is kept and compared. The database's default would depend on
 * when a session began to use it, and so differ between the nodes that repeat the statement.
 */
class MariadbQueryCompiler extends MysqlQueryCompiler {
  protected override visitCreateTable(node: CreateTableNode): void {
    super.visitCreateTable(node)
    this.append(' engine = InnoDB character set utf8mb4 collate utf8mb4_nopad_bin')
  }
}

/** Reads the certificates once, so that a file that is not there is told of at once. */
async function certificatesFor(
  nodes: readonly Node[],
  { tls }: MariadbSettings,
): Promise<Access['tls']> {
  const read = createTlsReader(tls)
  try {
    for (const { host } of nodes) await read(host)
  } catch (error) {
    throw unavailable(`The record store's certificates cannot be read: ${messageOf(error)}`, error)
  }
  return read
}

/**
 * The lock table of Kysely's migrator; `is_locked` holds the end of the lock in seconds since the
 * epoch, or 0.
 */
interface LockTable {
  readonly [table: string]: { readonly id: string; readonly is_locked: number }
}
type LockOptions = Parameters<MysqlAdapter['acquireMigrationLock']>[1]

/**
 * Migrating with several hosts through several nodes. Kysely's own lock for MySQL (`get_lock`) is
 * known to one node only. This one is a row taken by a conditional statement, which Galera
 * certifies; it ends by itself when its holder dies.
 */
class MariadbAdapter extends MysqlAdapter {
  /** The end of the lock that a connection holds. */
  readonly #held = new WeakMap<object, number>()

  override async acquireMigrationLock(db: Kysely<LockTable>, options: LockOptions): Promise<void> {
    const giveUpMs = startingClock.monotonic() + MIGRATION_PATIENCE_MS
    while (!(await this.#tryLock(db, options))) {
      if (startingClock.monotonic() > giveUpMs)
        throw unavailable('Another host migrates the records and does not come to an end.')
      await startingClock.sleep(MIGRATION_PAUSE_MS)
    }
  }

  override async releaseMigrationLock(db: Kysely<LockTable>, options: LockOptions): Promise<void> {
    const untilSeconds = this.#held.get(db)
    if (untilSeconds === undefined) return
    this.#held.delete(db)
    await db
      .updateTable(options.lockTable)
      .set({ is_locked: 0 })
      .where('id', '=', options.lockRowId)
      .where('is_locked', '=', untilSeconds)
      .execute()
  }

  async #tryLock(db: Kysely<LockTable>, options: LockOptions): Promise<boolean> {
    const clock = await sql<{ readonly seconds: number }>`
      select ${mariadbNowMs()} div 1000 as seconds`.execute(db)
    const nowSeconds = clock.rows[0]?.seconds ?? 0
    const untilSeconds = nowSeconds + MIGRATION_LOCK_MS / 1000
    const { numUpdatedRows } = await db
      .updateTable(options.lockTable)
      .set({ is_locked: untilSeconds })
      .where('id', '=', options.lockRowId)
      .where('is_locked', '<', nowSeconds)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) this.#held.set(db, untilSeconds)
    return numUpdatedRows === 1n
  }
}
