/** The `Store` contract, held by every engine. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** Worlds of stores over one file each. */
const filesOf = (open: (file: string) => Promise<Store>) => async (): Promise<StoreFixture> => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-store-'))
  const opened: Store[] = []
  return {
    async open() {
      const store = await open(join(directory, 'records.db'))
      opened.push(store)
      return store
    },
    async end() {
      await Promise.all(opened.map((store) => store.close()))
      await rm(directory, { recursive: true })
    },
  }
}

describeStoreContract(
  'SQLite',
  filesOf((file) => openSqliteStore({ file, log: silentLog })),
)

describeStoreContract(
  'SQLite, interleaved by statements',
  filesOf((file) =>
    openSqlStore({
      dialect: withTurns(sqliteDialect(file)),
      isRemote: false,
      nowMs: sqliteNowMs(),
      clock: systemClock,
      random: Math.random,
      log: silentLog,
    }),
  ),
)
