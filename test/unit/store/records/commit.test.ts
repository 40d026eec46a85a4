/**
 * A transaction is applied once, whatever becomes of its commits: SQLite's, whose answers the test
 * loses.
 */
import fc from 'fast-check'
import { type Dialect, Kysely } from 'kysely'
import { expect, it } from 'vitest'
import { EngineError, isEngineError } from '../../../../src/store/engines/engine.ts'
import { sqliteDialect, sqliteNowMs } from '../../../../src/store/engines/sqlite/dialect.ts'
import { migrateToLatest } from '../../../../src/store/migrations.ts'
import type { Tables } from '../../../../src/store/nouns.ts'
import { appliedOnce, sweepCommits } from '../../../../src/store/records/commit.ts'
import { silentLog } from '../../../../tools/kit/log.ts'

/**
 * What becomes of a run: it fails before its commit, its commit does not arrive, or the answer to
 * it does not.
 */
type CommitOutcome = 'lost' | 'commit lost' | 'answer lost'

/** Records in memory, whose next commits meet these fates. */
async function openRecords(fates: CommitOutcome[]): Promise<Kysely<Tables>> {
  const real = sqliteDialect(':memory:')
  const dialect: Dialect = {
    createAdapter: () => real.createAdapter(),
    createQueryCompiler: () => real.createQueryCompiler(),
    createIntrospector: (db) => real.createIntrospector(db),
    createDriver() {
      const driver = real.createDriver()
      const commit = driver.commitTransaction.bind(driver)
      driver.commitTransaction = async (connection) => {
        const fate = fates.shift()
        if (fate === 'lost') throw new EngineError('lost', new Error('before the commit'), {})
        if (fate !== 'commit lost') await commit(connection)
        if (fate !== undefined) throw new EngineError('unsure', new Error(fate), {})
      }
      return driver
    },
  }
  return new Kysely<Tables>({ dialect })
}

async function untilItSucceeds<T>(run: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run()
    } catch (error) {
      if (!isEngineError(error, 'lost', 'unsure')) throw error
    }
  }
}

it('is applied once, with the result of the run that was, whatever becomes of its commits', async () => {
  const anyFates = fc.array(fc.constantFrom<CommitOutcome>('lost', 'commit lost', 'answer lost'), {
    maxLength: 5,
  })
  const left: CommitOutcome[] = []
  const db = await openRecords(left)
  await migrateToLatest(db, silentLog)
  let transactions = 0
  await fc.assert(
    fc.asyncProperty(anyFates, async (fates) => {
      await db.deleteFrom('accounts').execute()
      left.push(...fates)
      transactions += 1
      let runs = 0
      const result = await untilItSucceeds(
        appliedOnce(
          () => db.transaction(),
          sqliteNowMs(),
          `${transactions}`,
          async (transaction) => {
            runs += 1
            await transaction
              .insertInto('accounts')
              .values({ id: `00000000000${runs}` as Tables['accounts']['id'], name: 'a' })
              .execute()
            return runs
          },
        ),
      )
      const accounts = await db.selectFrom('accounts').selectAll().execute()
      expect(accounts.map(({ id }) => Number(id))).toStrictEqual([result])
      left.length = 0
    }),
    { examples: [[['answer lost', 'answer lost']], [['commit lost', 'answer lost', 'lost']]] },
  )
  await db.destroy()
})

it('one that changes nothing leaves nothing behind', async () => {
  const db = await openRecords([])
  await migrateToLatest(db, silentLog)
  const read = appliedOnce(
    () => db.transaction(),
    sqliteNowMs(),
    'one',
    (transaction) => transaction.selectFrom('accounts').selectAll().execute(),
  )
  expect(await read()).toStrictEqual([])
  expect(await recorded(db)).toStrictEqual([])
  await db.destroy()
})

it('what is recorded is swept when it is old, and not before', async () => {
  const db = await openRecords([])
  await migrateToLatest(db, silentLog)
  const accounts = ['1', '2'] as Tables['accounts']['id'][]
  for (const id of accounts)
    await appliedOnce(
      () => db.transaction(),
      sqliteNowMs(),
      id,
      (transaction) => transaction.insertInto('accounts').values({ id, name: 'a' }).execute(),
    )()
  const commits = db.withTables<{ commits: { id: string; madeAtMs: number } }>()
  await commits
    .updateTable('commits')
    .set({ madeAtMs: Date.now() - 3_600_000 })
    .where('id', '=', '1')
    .execute()
  await sweepCommits(db, sqliteNowMs())
  expect(await recorded(db)).toStrictEqual(['2'])
  await db.destroy()
})

async function recorded(db: Kysely<Tables>): Promise<readonly string[]> {
  const commits = db.withTables<{ commits: { id: string } }>()
  return (await commits.selectFrom('commits').select('id').execute()).map(({ id }) => id)
}
