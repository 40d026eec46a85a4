/** How long one reading of what launches choose from is used. */
import { expect, it } from 'vitest'
import { createCatalogue } from '../../../../src/api/launch/catalogue.ts'
import type { Host } from '../../../../src/model/records.ts'
import { hostName, hostRecord, network } from '../../../kit/records.ts'

/** What is known of so many hosts, and how often they were read. */
function world(count: number) {
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
    subnets: async () => [network.subnet],
    groups: async () => [network.group],
  }
  const read = (fresh = false) => known.read(records, { fresh })
  return { hosts, records, state, known, read }
}

it.each([
  { count: 1, ageMs: 1 },
  { count: 1000, ageMs: 1000 },
])('one reading of $count hosts is used for $ageMs ms', async ({ count, ageMs }) => {
  const { state, read } = world(count)
  expect((await read()).isFresh).toBe(true)
  state.nowMs = ageMs - 0.1
  expect((await read()).isFresh).toBe(false)
  expect(state.readings).toBe(1)
  state.nowMs = ageMs
  expect((await read()).isFresh).toBe(true)
  expect((await read(true)).isFresh).toBe(true)
  expect(state.readings).toBe(3)
})

it('keeps in mind what was taken until it reads again', async () => {
  const { hosts, known, read } = world(2)
  const [first, second] = hosts
  known.took(hostName('host1'), { vcpus: 1, memoryMiB: 1, diskGiB: 1 })
  await read()
  known.took(hostName('host1'), { vcpus: 2, memoryMiB: 1024, diskGiB: 8 })
  const used = {
    usedVcpus: (first?.usedVcpus ?? 0) + 2,
    usedMemoryMiB: (first?.usedMemoryMiB ?? 0) + 1024,
    usedDiskGiB: (first?.usedDiskGiB ?? 0) + 8,
  }
  expect((await read()).hosts).toStrictEqual([{ ...first, ...used }, second])
  expect((await read(true)).hosts).toStrictEqual(hosts)
})

it('knows what it knew when a reading fails', async () => {
  const { known, read, records, hosts } = world(1)
  await read()
  const failing = { ...records, hosts: () => Promise.reject(new Error('away')) }
  await expect(known.read(failing, { fresh: true })).rejects.toThrow('away')
  expect(await read()).toStrictEqual({
    hosts,
    types: [],
    subnets: [network.subnet],
    groups: [network.group],
    isFresh: false,
  })
})
