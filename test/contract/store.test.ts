/** The `Store` contract, held by every engine. */
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import {
  openSqliteStore,
  sqliteDialect,
  sqliteNowMs,
} from '../../src/store/engines/sqlite/dialect.ts'
import { openSqlStore } from '../../src/store/sql.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'
import type { StoreFixture } from './store/fixture.ts'
import { withTurns } from './store/turns.ts'
import { describeStoreContract } from './store-contract.ts'

const directories: string[] = []
afterAll(async () => {
  await Promise.all(directories.map((directory) => rm(directory, { recursive: true })))
})

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-store-'))
  directories.push(directory)
  return directory
}

async function makeMigrated(): Promise<string> {
  const file = join(await newDirectory(), 'records.db')
  const store = await openSqliteStore({ file, log: silentLog })
  await store.migrate()
  await store.close()
  return file
}

let made: Promise<string> | undefined
/** Records with the current schema, for copies: to make the tables takes most of a test's time. */
const migrated = () => (made ??= makeMigrated())

/** Worlds of stores over one file each. `fill` makes the file, where it should not be empty. */
const filesOf =
  (
    open: (file: string) => Promise<Store>,
    fill: (file: string) => Promise<void> = async () => {},
  ) =>
  async (): Promise<StoreFixture> => {
    const file = join(await newDirectory(), 'records.db')
    await fill(file)
    const opened: Store[] = []
    return {
      async open() {
        const store = await open(file)
        opened.push(store)
        return store
      },
      async end() {
        await Promise.all(opened.map((store) => store.close()))
      },
    }
  }

function describeFiles(name: string, open: (file: string) => Promise<Store>): void {
  const fill = async (file: string) => await copyFile(await migrated(), file)
  describeStoreContract(name, filesOf(open), filesOf(open, fill))
}

describeFiles('SQLite', (file) => openSqliteStore({ file, log: silentLog }))

describeFiles('SQLite, interleaved by statements', (file) =>
  openSqlStore({
    dialect: withTurns(sqliteDialect(file)),
    isRemote: false,
    nowMs: sqliteNowMs(),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  }),
)
