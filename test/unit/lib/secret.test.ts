/** A secret is made once and is the same for everybody after that. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSecret } from '../../../src/lib/secret.ts'

let directory: string
let file: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-secret-'))
  file = join(directory, 'key')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('made where it is missing, for root only, and nothing else is left', async () => {
  const secret = await readSecret(file)
  expect(secret).toHaveLength(32)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(directory)).toEqual(['key'])
})

test('kept', async () => {
  const first = await readSecret(file)
  expect(await readSecret(file)).toEqual(first)
  expect(new Uint8Array(await readFile(file))).toEqual(new Uint8Array(first))
})

test('two are never the same', async () => {
  expect(await readSecret(file)).not.toEqual(await readSecret(join(directory, 'other')))
})

test.each([0, 31, 33])('a file of %i bytes is not one and is replaced', async (length) => {
  await writeFile(file, Buffer.alloc(length))
  const secret = await readSecret(file)
  expect(secret).toHaveLength(32)
  expect(await readSecret(file)).toEqual(secret)
})

test('a directory that is not there is an error', async () => {
  await expect(readSecret(join(directory, 'absent', 'key'))).rejects.toMatchObject({
    code: 'ENOENT',
  })
})
