/** Disks that are removed from a storage in the background. */
import { expect, it, vi } from 'vitest'
import type { StoragePlace } from '../../../../src/model/storage.ts'
import { createStorageRemovals } from '../../../../src/services/volumes/storage-removals.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { numbered } from '../../../kit/records.ts'

const [one, two] = [1, 2].map((n) => ({ storage: 'st-0', volume: numbered('vol', n) })) as [
  StoragePlace,
  StoragePlace,
]

it('removes one after the other, says so again and again, and holds up nobody for one that fails', async () => {
  const asked: string[] = []
  let isAway = true
  const wake = vi.fn()
  const removals = createStorageRemovals(
    {
      async remove({ volume }) {
        asked.push(volume)
        if (volume === one.volume && isAway) throw new Error('away')
      },
    },
    wake,
  )
  const pass = async (...places: StoragePlace[]) => {
    const gone = removals.remove(places, silentLog)
    await Promise.resolve()
    return gone
  }
  expect(await pass(one, two)).toEqual([])
  await expect.poll(() => asked).toEqual([one.volume])
  expect(wake).not.toHaveBeenCalled()
  await pass(one, two)
  await expect.poll(() => wake.mock.calls.length).toBe(1)
  expect(asked).toEqual([one.volume, two.volume])
  isAway = false
  expect(await pass(one, two)).toEqual([two.volume])
  await expect.poll(() => wake.mock.calls.length).toBe(2)
  expect(await pass(one, two)).toEqual([two.volume, one.volume])
  expect(await pass(one)).toEqual([one.volume])
  // Its record is gone, and it is forgotten.
  expect(await pass()).toEqual([])
  expect(await pass(two)).toEqual([])
})

it('removes nothing where there is no storage', async () => {
  const wake = vi.fn()
  const removals = createStorageRemovals(null, wake)
  removals.remove([one], silentLog)
  await Promise.resolve()
  expect(removals.remove([one], silentLog)).toEqual([])
  expect(wake).not.toHaveBeenCalled()
})
