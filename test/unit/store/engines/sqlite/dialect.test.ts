/** The SQLite dialect: what it makes of SQLite's own failures and rollbacks. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { explain } from '../../../../../src/model/errors.ts'
import { sqliteDialect } from '../../../../../src/store/engines/sqlite/dialect.ts'

interface Things {
  readonly things: { readonly id: number; readonly name: string }
}

let db: Kysely<Things>
beforeEach(async () => {
  db = new Kysely<Things>({ dialect: sqliteDialect(':memory:') })
  await sql`create table things (id integer primary key, name text not null unique)`.execute(db)
  await sql`insert into things values (1, 'one')`.execute(db)
})
afterEach(() => db.destroy())

describe('a failure', () => {
  it.each([
    ['a taken primary key', `insert into things values (1, 'x')`, 'duplicate', 'bug'],
    ['a taken UNIQUE key', `insert into things values (2, 'one')`, 'duplicate', 'bug'],
    ['a missing value', `insert into things values (2, null)`, 'misuse', 'bug'],
    ['an unknown table', 'select * from nothings', 'misuse', 'bug'],
    ['no SQL', 'selekt', 'misuse', 'bug'],
  ])('from %s is told by its code', async (_what, statement, trouble, kind) => {
    const failing = sql.raw(statement).execute(db)
    await expect(failing).rejects.toMatchObject({ trouble, kind, detail: { engine: 'sqlite' } })
  })

  it('from a value that SQLite cannot hold is ours', async () => {
    const failing = sql`select ${Symbol('x')}`.execute(db)
    await expect(failing).rejects.toMatchObject({ trouble: 'misuse', kind: 'bug' })
  })

  it.each([
    ['no database', Buffer.from('not a database, and long enough to be looked at'), 'backup'],
    ['a directory', null, 'remove what is there'],
  ])('of a file that is %s names the fix to the operator only', async (_what, content, fix) => {
    const directory = await mkdtemp(join(tmpdir(), 'atoll-sqlite-'))
    const file = join(directory, 'atoll.db')
    await (content === null ? mkdir(file) : writeFile(file, content))
    const damaged = new Kysely<Things>({ dialect: sqliteDialect(file) })
    const failure = await damaged
      .selectFrom('things')
      .selectAll()
      .execute()
      .catch((error: unknown) => error)
    await damaged.destroy().catch(() => undefined)
    await rm(directory, { recursive: true })
    expect(failure).toMatchObject({ kind: 'unavailable' })
    expect(explain(failure)).toContain(fix)
    expect(String(failure)).not.toContain(fix)
  })

  it('never shows the caller SQL or values', async () => {
    const failing = sql`insert into things values (2, ${'one'})`.execute(db)
    await expect(failing).rejects.toThrow(/^The database refused a statement\.$/)
  })
})

describe('a transaction that SQLite has undone by itself', () => {
  it('takes nothing more, even from work that goes on regardless', async () => {
    const stubborn = db.transaction().execute(async (transaction) => {
      await sql`insert into things values (2, 'two')`.execute(transaction)
      await sql`insert or rollback into things values (1, 'x')`
        .execute(transaction)
        .catch(() => undefined)
      await sql`insert into things values (3, 'three')`.execute(transaction)
    })
    await expect(stubborn).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await db.selectFrom('things').select('id').execute()).toEqual([{ id: 1 }])
  })

  it('is not taken for committed', async () => {
    const stubborn = db.transaction().execute(async (transaction) => {
      await sql`insert or rollback into things values (1, 'x')`
        .execute(transaction)
        .catch(() => undefined)
    })
    await expect(stubborn).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('fails with the reason, and the next one succeeds', async () => {
    const failing = db
      .transaction()
      .execute((transaction) =>
        sql`insert or rollback into things values (1, 'x')`.execute(transaction),
      )
    await expect(failing).rejects.toMatchObject({ trouble: 'duplicate' })
    await db
      .transaction()
      .execute((transaction) =>
        transaction.insertInto('things').values({ id: 2, name: 'two' }).execute(),
      )
    expect(await db.selectFrom('things').select('id').execute()).toHaveLength(2)
  })
})

it('gives ordinary objects and counts what a statement changed', async () => {
  expect(await db.selectFrom('things').selectAll().execute()).toStrictEqual([
    { id: 1, name: 'one' },
  ])
  const updated = await db.updateTable('things').set({ name: 'x' }).executeTakeFirst()
  expect(updated.numUpdatedRows).toBe(1n)
  const missed = await db
    .updateTable('things')
    .set({ name: 'y' })
    .where('id', '=', 9)
    .executeTakeFirst()
  expect(missed.numUpdatedRows).toBe(0n)
})

it('gives a number that is none of ours as a bigint, and all other rows as ever', async () => {
  await sql`insert into things values (${2n ** 62n}, 'two'), (3, 'three')`.execute(db)
  const all = () => db.selectFrom('things').selectAll().orderBy('id').execute()
  const given = [
    { id: 1, name: 'one' },
    { id: 3, name: 'three' },
    { id: 2n ** 62n, name: 'two' },
  ]
  expect(await all()).toStrictEqual(given)
  await db.deleteFrom('things').where('name', '=', 'two').execute()
  expect(await all()).toStrictEqual(given.slice(0, 2))
})

it('leaves a turn to packets and timers before each of many queued queries', async () => {
  let turns = 0
  let counting = true
  const count = () => {
    turns += 1
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  const query = () => db.selectFrom('things').selectAll().execute()
  await Promise.all(Array.from({ length: 100 }, query))
  counting = false
  expect(turns).toBeGreaterThanOrEqual(100)
})
