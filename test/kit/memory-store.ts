/**
 * Records in memory for tests, with the current schema. It is copied from records that this process
 * has migrated once: the migrations take longer than most tests.
 */
import { CompiledQuery, Kysely, sql } from 'kysely'
import { systemClock } from '../../src/lib/clock.ts'
import type { SqliteConnection } from '../../src/store/engines/sqlite/connection.ts'
import { sqliteDialect, sqliteNowMs } from '../../src/store/engines/sqlite/dialect.ts'
import { SqliteDriver } from '../../src/store/engines/sqlite/driver.ts'
import { migrateToLatest } from '../../src/store/migrations.ts'
import type { Tables } from '../../src/store/nouns.ts'
import type { RowWatch } from '../../src/store/records/rows.ts'
import { openSqlStore } from '../../src/store/sql.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'

/** What makes the schema, and the rows of the migrations. */
type Statements = readonly CompiledQuery[]

const once: { statements?: Promise<Statements> } = {}

async function statementsOfMigrations(): Promise<Statements> {
  await using db = new Kysely<Tables>({ dialect: sqliteDialect(':memory:') })
  await migrateToLatest(db, silentLog)
  // Automatic indexes have no text.
  const schema = await sql<{ name: string; type: string; sql: string }>`
    select name, type, sql from sqlite_master where sql is not null and name not like 'sqlite_%'
    order by type desc`.execute(db)
  const statements = schema.rows.map((row) => CompiledQuery.raw(row.sql))
  for (const { name } of schema.rows.filter(({ type }) => type === 'table')) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(
      db,
    )
    for (const row of rows) {
      const columns = sql.join(Object.keys(row).map((column) => sql.ref(column)))
      const values = sql.join(Object.values(row))
      statements.push(
        sql`insert into ${sql.table(name)} (${columns}) values (${values})`.compile(db),
      )
    }
  }
  return statements
}

/** Gets each statement that reads, and what SQLite does for it (`explain query plan`). */
type Explained = (plan: readonly string[], statement: string) => void

class MigratedDriver extends SqliteDriver {
  readonly #statements: Statements
  readonly #explained: Explained | undefined

  constructor(statements: Statements, explained: Explained | undefined) {
    super(':memory:')
    this.#statements = statements
    this.#explained = explained
  }

  override async init(): Promise<void> {
    await super.init()
    const connection = await this.acquireConnection()
    for (const statement of this.#statements) await connection.executeQuery(statement)
    if (this.#explained !== undefined) explainOn(connection, this.#explained)
  }
}

function explainOn(connection: SqliteConnection, explained: Explained): void {
  const run = connection.executeQuery.bind(connection)
  connection.executeQuery = async <Item>(query: CompiledQuery) => {
    if (/^\s*select/i.test(query.sql)) {
      const text = `explain query plan ${query.sql}`
      const { rows } = await run<{ readonly detail: string }>({ ...query, sql: text })
      explained(
        rows.map(({ detail }) => detail),
        query.sql,
      )
    }
    return await run<Item>(query)
  }
}

/** An empty store in memory that needs no `migrate`. */
export async function openMemoryStore(rows?: RowWatch, explained?: Explained): Promise<Store> {
  once.statements ??= statementsOfMigrations()
  const statements = await once.statements
  return await openSqlStore({
    dialect: {
      ...sqliteDialect(':memory:'),
      createDriver: () => new MigratedDriver(statements, explained),
    },
    isRemote: false,
    nowMs: sqliteNowMs(),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    ...(rows === undefined ? {} : { rows }),
  })
}
