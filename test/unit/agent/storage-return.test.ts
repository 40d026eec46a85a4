/** A host that is back after others took over its instances, and its storage. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  fencesOfOthers,
  returnToStorage,
  startStorageReturn,
} from '../../../src/agent/storage-return.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { LONG_MS, OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import { hostName, hostRecord } from '../../kit/records.ts'

const [back, other] = [hostName('back'), hostName('other')]
const storage = 'rbd-0123456789abcdef'
const fence = { storage, address: '10.0.0.9', id: 'takeover', isEnding: false }
const ending = { ...fence, isEnding: true }
let store: Store
let done: string[]
let broken: string | null
let isBack: boolean
let isRefused: boolean
/** What happens before this. */
let meanwhile: { readonly before: string; readonly work: () => Promise<unknown> } | null

beforeEach(async () => {
  ;[done, broken, isBack, isRefused, meanwhile] = [[], null, true, true, null]
  store = await openRecords([back, other])
  await say(back, fence.address)
  await takeOver('takeover')
})
afterEach(() => store.close())

const say = (host: typeof back, storageAddress: string, leaseMs = LONG_MS) => {
  const { shortOf, lastSeenAt } = hostRecord(host)
  return store.change((tx) =>
    tx.renewLease(hostRecord(host), leaseMs, { shortOf, lastSeenAt, storageAddress }),
  )
}
const takeOver = (id: string) =>
  store.change((tx) => tx.fenceStorage(back, { storage, address: fence.address, id }))

const doing = async (what: string) => {
  if (broken === what) throw new Error(what)
  if (meanwhile?.before === what) await meanwhile.work()
  done.push(what)
}
const parts = () => ({
  ...{ store, clock: systemClock, log: silentLog, isBack: () => isBack },
  endUsers: (which: string) => doing(`end ${which}`),
  isRefused: async () => {
    await doing('ask')
    return isRefused
  },
  unfence: ({ address }: { readonly address: string }) => doing(`unfence ${address}`),
  refuseLost: () => doing('refuse others'),
})
const come = (self = back) => returnToStorage(parts(), self)
const fences = async () => (await store.read((tx) => tx.storageFences())).fences
const STEPS = [`end ${storage}`, 'ask', 'unfence 10.0.0.9']

it('ends what it has there first, and then may go there again', async () => {
  expect(await come()).toEqual(ending)
  expect(done).toEqual(STEPS)
  expect(await fences()).toEqual([])
  expect(await come()).toBeNull()
  expect(done).toHaveLength(STEPS.length)
})

it.each(STEPS)('stays out as long as it cannot %s, and goes on from there', async (what) => {
  broken = what
  await expect(come()).rejects.toThrow(what)
  expect(await fences()).toHaveLength(1)
  broken = null
  await come()
  expect(await fences()).toEqual([])
  // What has ended is not ended again.
  expect(done.filter((one) => one === STEPS[0])).toHaveLength(1)
})

it('does nothing before it is back, or for another host', async () => {
  expect(await come(other)).toBeNull()
  isBack = false
  expect(await come()).toBeNull()
  expect(done).toEqual([])
})

it('leaves the refusal of an address that it does not have', async () => {
  isRefused = false
  expect(await come()).toEqual(ending)
  expect(done).toEqual(STEPS.slice(0, 2))
  expect(await fences()).toEqual([])
})

it.each(STEPS)('begins anew when it is taken over again before it can %s', async (before) => {
  meanwhile = { before, work: () => takeOver('again') }
  expect(await come()).toBeNull()
  const again = { ...fence, id: 'again' }
  expect(await fences()).toEqual([{ host: back, fence: again }])
  meanwhile = null
  expect(await come()).toEqual({ ...again, isEnding: true })
  expect(done.slice(-STEPS.length)).toEqual(STEPS)
})

const othersOf = (self: typeof back) => fencesOfOthers(store, self, () => 'anew')

it('is no matter of its own when it starts a machine, only of others', async () => {
  expect(await othersOf(back).list()).toEqual([])
  expect(await othersOf(other).list()).toEqual([{ host: back, fence }])
})

it("is nobody else's matter once it is ending, unless one had not heard of that", async () => {
  await store.change((tx) => tx.endStorageFence(back, fence))
  expect(await othersOf(other).list()).toEqual([])
  await othersOf(other).restore({ host: back, fence })
  const anew = { ...fence, id: 'anew' }
  expect(await othersOf(other).list()).toEqual([{ host: back, fence: anew }])
  // One of a takeover since then stays.
  await takeOver('again')
  await othersOf(other).restore({ host: back, fence })
  expect(await othersOf(other).list()).toEqual([{ host: back, fence: { ...fence, id: 'again' } }])
})

it('is refused when it has been forgotten, until another host has the address', async () => {
  await say(back, fence.address, OVER_MS)
  await store.change((tx) => tx.setHostState(back, 'forgotten'))
  expect(await othersOf(other).list()).toEqual([{ host: back, fence }])
  await say(other, fence.address)
  expect(await othersOf(other).list()).toEqual([])
})

it('has others refused as well, and says once that it cannot', async () => {
  broken = 'refuse others'
  const said: unknown[] = []
  const log = { ...silentLog, warn: (...words: unknown[]) => void said.push(words[1]) }
  const loop = startStorageReturn({ ...parts(), log }, other)
  try {
    await expect.poll(() => said).toHaveLength(1)
    loop.wake()
    broken = null
    loop.wake()
    await expect.poll(() => done).toContain('refuse others')
    expect(said).toHaveLength(1)
  } finally {
    await loop.close()
  }
})
