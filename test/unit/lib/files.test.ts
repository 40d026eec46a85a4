import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { exists, readRecord, writeRecord } from '../../../src/lib/files.ts'

const schema = z.strictObject({ boot: z.int().positive() })

describe('records in files', () => {
  let dir: string
  let file: string

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'atoll-files-'))
    file = join(dir, 'record.json')
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  test('that are not there are null', async () => {
    expect(await exists(file)).toBe(false)
    expect(await readRecord(file, schema)).toBeNull()
  })

  test('are read as they were written, and nothing else is left', async () => {
    await writeRecord(file, { boot: 1 })
    await writeRecord(file, { boot: 2 })
    expect(await exists(file)).toBe(true)
    expect(await readRecord(file, schema)).toEqual({ boot: 2 })
    expect(await readdir(dir)).toEqual(['record.json'])
  })

  test('that are torn or foreign count as lost', async () => {
    for (const text of ['', '{', 'null', '{"boot":0}', '{"boot":1,"more":1}', '[]']) {
      await writeFile(file, text)
      expect(await readRecord(file, schema)).toBeNull()
    }
  })
})
