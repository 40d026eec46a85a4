/** How long one reading of what launches choose from is used. */
import { expect, it } from 'vitest'
import { createCatalogue } from '../../../../src/api/launch/catalogue.ts'
import type { Host } from '../../../../src/model/records.ts'
import { hostName, hostRecord, network } from '../../../kit/records.ts'

/** What is known of so many hosts, and how often they were read. */
function fixture(count: number) {
  const hosts = Array.from(
    { length: count },
    (_, index): Host => hostRecord(hostName(`host${index + 1}`)),
  )
  const state = { nowMs: 0, readings: 0 }
  const known = createCatalogue({ monotonic: () => state.nowMs })
  const records = {
    hosts: async () => {
      state.readings += 1
      return hosts
    },
    instanceTypes: async () => [],
    recoverable: async () => [],
    warmInstances: async () => [],
    subnets: async () => [network.subnet],
  }
  /** Reads as the next launch does, or as one does that was refused by an old reading. */
  const read = async (renewed = false) => {
    const reader = known.reader()
    if (renewed) reader.renew()
    return { ...(await reader.read(records)), isOld: reader.isOld() }
  }
  return { hosts, records, state, known, read }
}

it.each([
  { count: 1, ageMs: 1 },
  { count: 1000, ageMs: 1000 },
])('one reading of $count hosts is used for $ageMs ms', async ({ count, ageMs }) => {
  const { state, read } = fixture(count)
  expect((await read()).isOld).toBe(false)
  state.nowMs = ageMs - 0.1
  expect((await read()).isOld).toBe(true)
  expect(state.readings).toBe(1)
  state.nowMs = ageMs
  expect((await read()).isOld).toBe(false)
  expect((await read(true)).isOld).toBe(false)
  expect(state.readings).toBe(3)
})

it('is read once for launches that come at once, and by each of them when that reading fails', async () => {
  const { known, records, state } = fixture(1000)
  const readers = Array.from({ length: 5 }, () => known.reader())
  const [first, ...others] = await Promise.all(readers.map((one) => one.read(records)))
  expect(state.readings).toBe(1)
  expect(others.every((reading) => reading === first)).toBe(true)
  expect(readers.map((one) => one.isOld())).toEqual([false, true, true, true, true])
  state.nowMs = 1000
  const lost = Promise.withResolvers<never>()
  const failing = known.reader().read({ ...records, hosts: () => lost.promise })
  const waiting = known.reader()
  const read = waiting.read(records)
  lost.reject(new Error('away'))
  await expect(failing).rejects.toThrow('away')
  expect((await read).hosts).toBe(first?.hosts)
  expect([state.readings, waiting.isOld()]).toEqual([2, false])
})

it('is read again for a launch that was refused by an old reading, and for no other', async () => {
  const { known, records, state } = fixture(1000)
  const first = known.reader()
  await first.read(records)
  expect(first.renew()).toBe(false)
  const second = known.reader()
  await second.read(records)
  expect(second.isOld()).toBe(true)
  expect(second.renew()).toBe(true)
  await second.read(records)
  expect(second.isOld()).toBe(false)
  expect(state.readings).toBe(2)
})

it('knows what it knew when a reading fails', async () => {
  const { known, read, records, hosts } = fixture(1)
  await read()
  const failing = { ...records, hosts: () => Promise.reject(new Error('away')) }
  const reader = known.reader()
  reader.renew()
  await expect(reader.read(failing)).rejects.toThrow('away')
  expect(await read()).toStrictEqual({
    hosts,
    types: [],
    offers: [],
    subnets: [network.subnet],
    reserve: null,
    isOld: true,
  })
})
