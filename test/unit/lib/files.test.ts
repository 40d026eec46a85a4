import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { exists, readRecord, replaceFile, writeRecord } from '../../../src/lib/files.ts'

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

  test('have the mode that is asked for, whatever a crash left aside', async () => {
    await writeFile(`${file}.new`, 'torn', { mode: 0o644 })
    await replaceFile(file, '{"boot":3}', 0o600)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(dir)).toEqual(['record.json'])
  })

  test('are replaced by several at once, and the last of them stays', async () => {
    const contents = Array.from({ length: 20 }, (_, boot) => ({ boot: boot + 1 }))
    await Promise.all(contents.map((content) => writeRecord(file, content)))
    expect(await readRecord(file, schema)).toEqual({ boot: 20 })
    expect(await readdir(dir)).toEqual(['record.json'])
  })

  test('that cannot be replaced stay, and nothing is left aside', async () => {
    await writeRecord(file, { boot: 4 })
    await expect(replaceFile(join(file, 'below'), '')).rejects.toThrow('ENOTDIR')
    expect(await readRecord(file, schema)).toEqual({ boot: 4 })
    expect(await readdir(dir)).toEqual(['record.json'])
  })

  test('that are torn or foreign count as lost', async () => {
    for (const text of ['', '{', 'null', '{"boot":0}', '{"boot":1,"more":1}', '[]']) {
      await writeFile(file, text)
      expect(await readRecord(file, schema)).toBeNull()
    }
  })
})
