/** The records of a new cloud: the schema, with what the migrations have put there. */
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { SqliteConnection } from '../../src/store/engines/sqlite/connection.ts'
import { sqliteDialect } from '../../src/store/engines/sqlite/dialect.ts'
import { SqliteDriver } from '../../src/store/engines/sqlite/driver.ts'
import { migrateToLatest } from '../../src/store/migrations.ts'
import type { Tables } from '../../src/store/nouns.ts'
import { silentLog } from '../kit/log.ts'

/** Small pages, because it is copied often. */
const PAGE_BYTES = 1024

class OpenDriver extends SqliteDriver {
  readonly #connection: SqliteConnection

  constructor(database: DatabaseSync) {
    super(':memory:')
    this.#connection = new SqliteConnection(database)
  }

  override async init(): Promise<void> {}

  override async acquireConnection(): Promise<SqliteConnection> {
    return this.#connection
  }
}

/** A serialized database. */
export async function makeTemplate(): Promise<Uint8Array> {
  const database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true })
  database.exec(`pragma page_size = ${PAGE_BYTES}`)
  const dialect = { ...sqliteDialect(':memory:'), createDriver: () => new OpenDriver(database) }
  const db = new Kysely<Tables>({ dialect })
  await migrateToLatest(db, silentLog)
  const image = database.serialize()
  database.close()
  return image
}
