import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { diskShortage, freeBytes } from '../../../src/lib/disk.ts'

it('names the first directory with too little room, and passes over what is not there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-disk-'))
  const missing = join(directory, 'none')
  const endless = 2 ** 40
  expect(await diskShortage([], endless)).toBeNull()
  expect(await diskShortage([missing], endless)).toBeNull()
  expect(await diskShortage([missing, directory], 0)).toBeNull()
  expect(await diskShortage([missing, directory], endless)).toMatch(
    new RegExp(`^disk: \\d+ MiB are free in ${directory}, ${endless} are kept$`),
  )
  await rm(directory, { recursive: true })
})

it('tells how much an unprivileged user may still write', async () => {
  expect(await freeBytes(tmpdir())).toBeGreaterThan(0)
  await expect(freeBytes('/nowhere/at/all')).rejects.toThrow('ENOENT')
})
