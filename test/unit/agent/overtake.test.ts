import { afterEach, beforeEach, expect, it } from 'vitest'
import { overtakeLedger } from '../../../src/agent/overtake.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { hostName } from '../../kit/records.ts'

const host = hostName('one')
let store: Store
beforeEach(async () => {
  store = await openRecords([host])
})
afterEach(() => store.close())

const parts = () => ({ store, log: silentLog })
const generation = async () =>
  (await store.read((tx) => tx.peerHosts([host])))[0]?.generation ?? Number.NaN

it('goes beyond a ledger that is newer than all records', async () => {
  const known = (await generation()) + 5
  expect(await overtakeLedger(parts(), { host, generation: known })).toBe(true)
  expect(await generation()).toBe(known + 1)
  expect(await overtakeLedger(parts(), { host, generation: known })).toBe(false)
})

it('leaves the records alone when only the node that was read lags', async () => {
  const before = await generation()
  expect(await overtakeLedger(parts(), { host, generation: before })).toBe(false)
  expect(await generation()).toBe(before)
})

it('asks for what any node has, and not for what the next one has', async () => {
  const asked: unknown[] = []
  const noting: Store = {
    ...store,
    read: (work, options) => {
      asked.push(options?.sees)
      return store.read(work, options)
    },
  }
  await overtakeLedger({ store: noting, log: silentLog }, { host, generation: 0 })
  expect(asked).toEqual(['latest'])
})

it('does nothing for a host that the records do not know', async () => {
  expect(await overtakeLedger(parts(), { host: hostName('two'), generation: 3 })).toBe(false)
})
