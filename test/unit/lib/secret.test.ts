/** A secret is made once and is the same for everybody after that. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSecret } from '../../../src/lib/secret.ts'

/** A new secret in place of a damaged one does no harm. */
const HARMLESS = { guards: null }
let directory: string
let file: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-secret-'))
  file = join(directory, 'key')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('made where it is missing, for root only, and nothing else is left', async () => {
  const secret = await readSecret(file, HARMLESS)
  expect(secret).toHaveLength(32)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(directory)).toEqual(['key'])
})

test('kept', async () => {
  const first = await readSecret(file, HARMLESS)
  expect(await readSecret(file, HARMLESS)).toEqual(first)
  expect(new Uint8Array(await readFile(file))).toEqual(new Uint8Array(first))
})

test('two are never the same', async () => {
  expect(await readSecret(file, HARMLESS)).not.toEqual(
    await readSecret(join(directory, 'other'), HARMLESS),
  )
})

test.each([0, 31, 33])(
  'a file of %i bytes is not one and is replaced if that does no harm',
  async (length) => {
    await writeFile(file, Buffer.alloc(length))
    const secret = await readSecret(file, HARMLESS)
    expect(secret).toHaveLength(32)
    expect(await readSecret(file, HARMLESS)).toEqual(secret)
  },
)

test.each([0, 31, 33])(
  'a damaged one of %i bytes that guards something is left',
  async (length) => {
    await writeFile(file, Buffer.alloc(length))
    await expect(readSecret(file, { guards: 'no key can be used' })).rejects.toThrow(
      `The secret ${file} has ${length} bytes instead of 32. Restore it from a backup, or remove it to have a new one made. Without it no key can be used.`,
    )
    expect(await readFile(file)).toHaveLength(length)
  },
)

test('one that cannot be read is not replaced', async () => {
  await mkdir(file)
  await expect(readSecret(file, HARMLESS)).rejects.toThrow(/cannot be read .*EISDIR.*backup/)
})

test('a directory that is not there is an error', async () => {
  await expect(readSecret(join(directory, 'absent', 'key'), HARMLESS)).rejects.toMatchObject({
    code: 'ENOENT',
  })
})
