import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { classified } from '../../../../../src/store/engines/sqlite/errors.ts'

it('says of a database that cannot grow that its disk is full, and what to do', () => {
  using database = new DatabaseSync(':memory:')
  database.exec('create table much (text text)')
  database.exec('pragma max_page_count = 2')
  const insert = "insert into much values (replace(hex(zeroblob(5000)), '00', 'atoll'))"
  expect(() => classified(insert, () => database.exec(insert))).toThrow(
    expect.objectContaining({
      code: 'Unavailable',
      message: expect.stringMatching(/disk of the database is full.*frees some space/),
      trouble: 'away',
    }),
  )
})
