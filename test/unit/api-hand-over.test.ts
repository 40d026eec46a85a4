/** Where the database in a file is put, for the agent alone or for processes of the API. */
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isRestored, placeDatabase } from '../../src/api-hand-over.ts'
import { configSchema } from '../../src/config.ts'
import { databaseFile } from '../../src/settings.ts'
import { silentLog } from '../../tools/kit/log.ts'

let stateDir: string
let plain: string
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'atoll-place-'))
  plain = join(stateDir, 'atoll.db')
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

const configOf = (workers: number) => configSchema.parse({ stateDir, api: { workers } })
const place = (workers: number) => placeDatabase(configOf(workers), silentLog)

/** Writes a database with one row, and leaves it as a killed process does: with its log. */
function write(file: string, text: string): void {
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal; create table said (text)')
  database.prepare('insert into said values (?)').run(text)
  const [bytes, log] = [readFileSync(file), readFileSync(`${file}-wal`)]
  database.close()
  writeFileSync(file, bytes)
  writeFileSync(`${file}-wal`, log)
}

function saidIn(file: string): unknown {
  using database = new DatabaseSync(file)
  return database.prepare('select text from said').get()?.['text']
}

it('moves with the setting, with what was only in its log, and is found by its plain name', async () => {
  write(plain, 'first')
  await place(2)
  const apart = databaseFile(configOf(1))
  expect(databaseFile(configOf(2))).toBe(apart)
  expect([saidIn(apart), saidIn(plain)]).toEqual(['first', 'first'])
  expect(lstatSync(plain).isSymbolicLink()).toBe(true)
  await place(1)
  expect(saidIn(plain)).toBe('first')
  await place(0)
  expect(lstatSync(plain).isFile()).toBe(true)
  expect(saidIn(plain)).toBe('first')
})

it('is made at its place by whoever opens it first', async () => {
  await place(1)
  write(databaseFile(configOf(1)), 'new')
  expect(saidIn(plain)).toBe('new')
})

it('is the one that was put at the plain name, and the one before is kept', async () => {
  const apart = databaseFile(configOf(1))
  await place(1)
  expect(await isRestored(configOf(1))).toBe(false)
  write(apart, 'before')
  rmSync(plain)
  write(plain, 'restored')
  expect(await isRestored(configOf(1))).toBe(true)
  expect(await isRestored(configOf(0))).toBe(false)
  await place(1)
  expect(saidIn(apart)).toBe('restored')
  expect(saidIn(`${apart}.replaced`)).toBe('before')
  expect(await isRestored(configOf(1))).toBe(false)
})

it('is moved as it is when it is damaged, for whoever opens it to say so', async () => {
  mkdirSync(stateDir, { recursive: true })
  writeFileSync(plain, 'this is no database '.repeat(100))
  await place(1)
  expect(readFileSync(databaseFile(configOf(1)), 'utf8')).toContain('no database')
})
