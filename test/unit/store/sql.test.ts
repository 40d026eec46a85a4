/** Retries and limits of a store, over an engine whose troubles the test chooses. */
import { type Dialect, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { unavailable } from '../../../src/model/errors.ts'
import { EngineError, type EngineErrorKind } from '../../../src/store/engines/engine.ts'
import { sqliteNowMs } from '../../../src/store/engines/sqlite/dialect.ts'
import { openSqlStore } from '../../../src/store/sql.ts'
import { silentLog } from '../../../tools/kit/log.ts'

/** An engine without records; `commit` decides what becomes of each transaction. */
function emptyDialect(commit: () => void): Dialect {
  const connection = {
    executeQuery: async () => ({ rows: [] }),
    streamQuery: () => {
      throw new Error('nothing is streamed')
    },
  }
  const nothing = async () => {}
  return {
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createDriver: () => ({
      init: nothing,
      acquireConnection: async () => connection,
      beginTransaction: nothing,
      commitTransaction: async () => commit(),
      rollbackTransaction: nothing,
      releaseConnection: nothing,
      destroy: nothing,
    }),
  }
}

/** A store whose first `failures` commits fail, and what it did about it. */
async function storeWith(trouble: EngineErrorKind, failures: number, random = () => 0.5) {
  let left = failures
  const waitsMs: number[] = []
  const store = await openSqlStore({
    dialect: emptyDialect(() => {
      left -= 1
      if (left >= 0) throw new EngineError(trouble, new Error('as the test wants'), {})
    }),
    isRemote: false,
    nowMs: sqliteNowMs(),
    clock: {
      ...systemClock,
      sleep: async (ms) => {
        waitsMs.push(ms)
      },
    },
    random,
    log: silentLog,
  })
  return { store, waitsMs }
}

it.each([0, 1, 5, 24])('a transaction that loses %i conflicts is run once more', async (losses) => {
  const { store, waitsMs } = await storeWith('conflict', losses)
  let runs = 0
  const result = await store.change(async () => {
    runs += 1
    return runs
  })
  expect(result).toBe(losses + 1)
  expect(waitsMs).toHaveLength(losses)
})

it('a conflict that does not end is unavailable', async () => {
  const { store, waitsMs } = await storeWith('conflict', Number.POSITIVE_INFINITY)
  let runs = 0
  const endless = store.change(async () => {
    runs += 1
  })
  await expect(endless).rejects.toMatchObject({ kind: 'unavailable', trouble: 'conflict' })
  expect(runs).toBe(25)
  expect(waitsMs).toHaveLength(24)
})

it.each([
  ['least', () => 0],
  ['most', () => 1 - Number.EPSILON],
])('waits grow to their limit with the %s of chance', async (_chance, random) => {
  const { store, waitsMs } = await storeWith('conflict', 24, random)
  await store.change(async () => {})
  expect(waitsMs).toStrictEqual(waitsMs.toSorted((a, b) => a - b))
  expect(waitsMs.at(0)).toBeGreaterThan(0)
  expect(waitsMs.at(0)).toBeLessThanOrEqual(4)
  expect(waitsMs.at(-1)).toBeGreaterThanOrEqual(125)
  expect(waitsMs.at(-1)).toBeLessThanOrEqual(250)
})

it.each([
  ['away', 'unavailable'],
  ['misuse', 'bug'],
  ['duplicate', 'bug'],
] as const)('an engine in trouble (%s) is not asked again: %s', async (trouble, kind) => {
  const { store, waitsMs } = await storeWith(trouble, 1)
  await expect(store.change(async () => {})).rejects.toMatchObject({ kind, trouble })
  expect(waitsMs).toStrictEqual([])
})

it('what the work throws is not tried again, whatever its kind', async () => {
  const { store, waitsMs } = await storeWith('conflict', 0)
  const thrown = unavailable('the work says so')
  await expect(store.change(() => Promise.reject(thrown))).rejects.toBe(thrown)
  expect(waitsMs).toStrictEqual([])
})

it('transactions beyond the limit are turned away, and welcome when others have ended', async () => {
  const { store } = await storeWith('conflict', 0)
  const mayEnd = Promise.withResolvers<void>()
  const running = Array.from({ length: 1000 }, () => store.change(() => mayEnd.promise))
  await expect(store.read(async () => {})).rejects.toMatchObject({ kind: 'unavailable' })
  mayEnd.resolve()
  await Promise.all(running)
  await expect(store.read(async () => 'done')).resolves.toBe('done')
})
