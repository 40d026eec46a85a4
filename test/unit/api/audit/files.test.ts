/** Files of records: whole lines, one file for each owner, within their limits. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openAuditFiles } from '../../../../src/api/audit/files.ts'
import { STRANGERS } from '../../../../src/model/audit.ts'
import { KIB, MIB } from '../../../../src/model/sizes.ts'
import { ALICE, BOB } from '../../../kit/api-cloud.ts'

let directory: string
let lost: { count: number; full: number }
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'atoll-audit-')), 'audit')
  lost = { count: 0, full: 0 }
})
afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }))

function open(sizes: { fileBytes?: number; totalBytes?: number } = {}) {
  const settings = { directory, fileBytes: MIB, totalBytes: 8 * MIB, ...sizes }
  return openAuditFiles(settings, (count, why) => {
    lost.count += count
    if (why === 'full') lost.full += count
  })
}
const read = (name: string) => readFile(join(directory, name), 'utf8')

it('has the lines of each owner in a file that only root may read', async () => {
  const files = open()
  files.write(ALICE, '{"a":1}')
  files.write(BOB, '{"b":1}')
  files.write(ALICE, '{"a":2}')
  await files.flushed()
  expect(await read(`${ALICE}.jsonl`)).toBe('{"a":1}\n{"a":2}\n')
  expect(await read(`${BOB}.jsonl`)).toBe('{"b":1}\n')
  expect((await stat(join(directory, `${ALICE}.jsonl`))).mode & 0o777).toBe(0o600)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
})

it('sets a large file aside, and removes the largest older part when all are too large', async () => {
  const files = open({ fileBytes: 10 * KIB, totalBytes: 30 * KIB })
  const line = JSON.stringify({ filler: 'x'.repeat(1000) })
  for (let n = 0; n < 100; n += 1) {
    files.write(STRANGERS, line)
    await files.flushed()
  }
  files.write(ALICE, '{"mine":true}')
  await files.flushed()
  const sizes = await Promise.all(
    (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
  )
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(40 * KIB)
  expect(await read(`${ALICE}.jsonl`)).toBe('{"mine":true}\n')
  expect(lost.count).toBe(0)
})

it('removes the largest file when many small ones are too much', async () => {
  const files = open({ fileBytes: MIB, totalBytes: 50 * KIB })
  const line = JSON.stringify({ filler: 'x'.repeat(1000) })
  for (let n = 0; n < 199; n += 1) {
    files.write(ALICE, line)
    await files.flushed()
  }
  files.write(BOB, '{"b":1}')
  await files.flushed()
  expect(await readdir(directory)).toEqual([`${BOB}.jsonl`])
})

it('drops and counts what cannot be written, and goes on with a whole line', async () => {
  const files = open()
  await writeFile(directory, 'a file in the place of the directory')
  files.write(ALICE, '{"a":1}')
  await files.flushed()
  expect(lost).toEqual({ count: 1, full: 0 })
  await rm(directory)
  files.write(ALICE, '{"a":2}')
  await files.flushed()
  expect((await read(`${ALICE}.jsonl`)).split('\n').filter((line) => line !== '')).toEqual([
    '{"a":2}',
  ])
})

it('does not follow a link', async () => {
  await mkdir(directory, { recursive: true })
  await symlink('/dev/null', join(directory, `${ALICE}.jsonl`))
  const files = open()
  files.write(ALICE, '{"a":1}')
  await files.flushed()
  expect(lost.count).toBe(1)
})

it('gives one owner a part of the waiting lines, however many it has', async () => {
  const files = open({ fileBytes: 64 * MIB, totalBytes: 256 * MIB })
  const line = JSON.stringify({ filler: 'x'.repeat(10_000) })
  for (let n = 0; n < 1000; n += 1) files.write(ALICE, line)
  expect(lost.full).toBeGreaterThan(800)
  files.write(BOB, '{"b":1}')
  await files.flushed()
  expect(await read(`${BOB}.jsonl`)).toBe('{"b":1}\n')
})
