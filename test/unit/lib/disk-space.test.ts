import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createDiskWatch, freeBytes } from '../../../src/lib/disk-space.ts'

it('names the first directory with too little room, and passes over what is not there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-disk-'))
  const missing = join(directory, 'none')
  const endless = 2 ** 40
  expect(await createDiskWatch(endless)([])).toBeNull()
  expect(await createDiskWatch(endless)([missing])).toBeNull()
  expect(await createDiskWatch(0)([missing, directory])).toBeNull()
  expect(await createDiskWatch(endless)([missing, directory])).toMatch(
    new RegExp(`^disk: ${directory} has \\d+ MiB free, less than the reserve of ${endless} MiB$`),
  )
  await rm(directory, { recursive: true })
})

it('is enough again only when there is clearly enough', async () => {
  let freeMiB = 0
  const watch = createDiskWatch(1000, async () => freeMiB * 1024 * 1024)
  const shortageOf = async (free: number) => {
    freeMiB = free
    return (await watch(['/'])) === null
  }
  const said: boolean[] = []
  for (const free of [1000, 999, 1000, 1099, 1100, 1000, 999]) said.push(await shortageOf(free))
  expect(said).toEqual([true, false, false, false, true, true, false])
})

it('returns how much an unprivileged user may still write', async () => {
  expect(await freeBytes(tmpdir())).toBeGreaterThan(0)
  await expect(freeBytes('/nowhere/at/all')).rejects.toThrow('ENOENT')
})
