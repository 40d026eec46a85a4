/** Daemons of two versions over the same records. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, type Logger } from 'kysely'
import type { Migration } from 'kysely/migration'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqliteStore, sqliteDialect } from '../../../src/store/engines/sqlite/dialect.ts'
import { MIGRATIONS, migrateToLatest } from '../../../src/store/migrations.ts'
import type { Tables } from '../../../src/store/nouns.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import * as given from '../../contract/store/records.ts'

const addition: Migration = {
  async up(db) {
    await db.schema
      .alterTable('accounts')
      .addColumn('motto', 'varchar(64)', (column) => column.notNull().defaultTo('none'))
      .execute()
    await db.schema.createTable('futures').addColumn('id', 'varchar(64)').execute()
  },
}
/** What the next version of the daemon knows. */
const NEXT = { ...MIGRATIONS, '0999-motto': addition }

let directory: string
let file: string
const opened: Kysely<Tables>[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-migrations-'))
  file = join(directory, 'records.db')
})
afterEach(async () => {
  for (const db of opened.splice(0)) await db.destroy()
  await rm(directory, { recursive: true })
})

function open(): Kysely<Tables> {
  const db = new Kysely<Tables>({ dialect: sqliteDialect(file) })
  opened.push(db)
  return db
}

async function appliedNames(): Promise<readonly string[]> {
  const rows = await open()
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute()
  return rows.map(({ name }) => name)
}

it('a daemon works with additions that only the next version knows', async () => {
  await migrateToLatest(open(), silentLog, NEXT)
  const store = await openSqliteStore({ file, log: silentLog })
  await store.migrate()
  await store.migrate()
  await given.settle(store)
  expect(await store.read((tx) => tx.accounts())).toMatchObject([given.account, given.otherAccount])
  await store.close()
  expect(await appliedNames()).toStrictEqual(Object.keys(NEXT))
})

it('the next version adds to records that a daemon of this one has made and uses', async () => {
  const store = await openSqliteStore({ file, log: silentLog })
  await store.migrate()
  await given.settle(store)
  await migrateToLatest(open(), silentLog, NEXT)
  await store.change((tx) => tx.insertKeyPair(given.keyPair(1)))
  expect(await store.read((tx) => tx.accounts())).toHaveLength(2)
  await store.close()
})

it('a daemon that finds nothing to do asks one thing, and waits for no lock', async () => {
  await migrateToLatest(open(), silentLog, NEXT)
  const asked: string[] = []
  const log: Logger = ({ query }) => {
    asked.push(query.sql)
  }
  const db = new Kysely<Tables>({ dialect: sqliteDialect(file), log })
  opened.push(db)
  await migrateToLatest(db, silentLog)
  expect(asked).toEqual([expect.stringMatching(/^select "name" from "kysely_migration"/)])
})

it('a daemon refuses a generation that it does not know, and names it', async () => {
  await migrateToLatest(open(), silentLog, { ...MIGRATIONS, '1000-anew': addition })
  await expect(migrateToLatest(open(), silentLog)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/1000-anew.*newer version/),
  })
})

it('every migration says which generation it is of', () => {
  for (const name of Object.keys(MIGRATIONS)) expect(name).toMatch(/^0\d{3}-[a-z-]+$/)
})
