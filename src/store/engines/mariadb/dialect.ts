/**
 * MariaDB, alone or as a Galera cluster, as the record store of many hosts
 * (https://mariadb.com/kb/en/galera-cluster/).
 *
 * All hosts use the first healthy node of the same list; the others are on standby (`nodes.ts`).
 * When a node dies, a host changes to another one within a second and runs the transaction again
 * there. It is applied exactly once (`records/commit.ts`).
 *
 * The promise of a `change` (`store.ts`) is snapshot isolation, by InnoDB on one node and by
 * Galera's certification between nodes. Of two that change the same row, one is run again. Two that
 * read the same rows and change different ones may both succeed. So what hosts may compete for must
 * be a UNIQUE key, or one conditional statement on one row. The time is that of the node that runs
 * the statement: keep the nodes' clocks synchronized (NTP) to much less than a lease.
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
import { systemRandom } from '../../../lib/random.ts'
import { messageOf, unavailable } from '../../../model/errors.ts'
import type { RowWatch } from '../../records/rows.ts'
import { openSqlStore } from '../../sql.ts'
import type { Store } from '../../store.ts'
import { MariadbDriver } from './driver.ts'
import type { Node } from './nodes.ts'
import type { Access } from './open-connection.ts'

const DEFAULT_PORT = 3306
/**
 * A migration that holds the lock for longer has died. If it has not, its statements are safe to
 * repeat.
 */
const MIGRATION_LOCK_MS = 30_000
/** How long a host waits for another host's migration. */
const MIGRATION_PATIENCE_MS = 60_000
const MIGRATION_PAUSE_MS = 100

/** Access to the database, from the settings. */
export interface MariadbSettings extends EngineAccess {
  readonly database: string
  readonly log: Log
  /** Gets the rows that cannot be read. Without it they are only logged. */
  readonly rows?: RowWatch
}

/**
 * Opens the store without waiting for a node. While none is available, every call rejects with
 * `unavailable`: the first within a second, later ones at once. Call `migrate` next. Rejects with
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
    random: systemRandom,
    log,
    ...(settings.rows === undefined ? {} : { rows: settings.rows }),
  })
}

/**
 * The clock of the node that runs the statement, in any time zone of the session. The same for the
 * whole statement.
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
 * Sets character set and collation of every table. The database's default depends on when a session
 * first used it, so nodes that replay the statement could differ.
 */
class MariadbQueryCompiler extends MysqlQueryCompiler {
  protected override visitCreateTable(node: CreateTableNode): void {
    super.visitCreateTable(node)
    this.append(' engine = InnoDB character set utf8mb4 collate utf8mb4_nopad_bin')
  }
}

/** Reads the certificates once, so that a missing file is reported at once. */
async function certificatesFor(
  nodes: readonly Node[],
  { tls }: MariadbSettings,
): Promise<Access['tls']> {
  const read = createTlsReader(tls)
  try {
    for (const { host } of nodes) await read(host)
  } catch (error) {
    throw unavailable(`The database's certificates cannot be read: ${messageOf(error)}`, error)
  }
  return read
}

/**
 * The lock table of Kysely's migrator. `is_locked` has the lock's end in seconds since the epoch,
 * or 0.
 */
interface LockTable {
  readonly [table: string]: { readonly id: string; readonly is_locked: number }
}
type LockOptions = Parameters<MysqlAdapter['acquireMigrationLock']>[1]

/**
 * A migration lock for several hosts and nodes. Kysely's lock for MySQL (`get_lock`) exists on one
 * node only. This one is a row that a conditional statement takes, which Galera certifies. It
 * expires by itself when its holder dies.
 */
class MariadbAdapter extends MysqlAdapter {
  /** The end of the lock that each connection holds. */
  readonly #held = new WeakMap<object, number>()

  override async acquireMigrationLock(db: Kysely<LockTable>, options: LockOptions): Promise<void> {
    const giveUpMs = startingClock.monotonic() + MIGRATION_PATIENCE_MS
    while (!(await this.#tryLock(db, options))) {
      if (startingClock.monotonic() > giveUpMs)
        throw unavailable('The migration of the database by another host does not end.')
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
