/** When a host may start what others may start again, with real records. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createOwnRecovery, type OwnRecovery } from '../../../src/agent/own-recovery.ts'
import { createRecordsReader } from '../../../src/agent/reader.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import type { Instance } from '../../../src/model/records.ts'
import { KEEP, type Recovery } from '../../../src/model/recovery.ts'
import type { InstanceWant } from '../../../src/model/want.ts'
import { wantFor } from '../../../src/plan/want.ts'
import type { Store } from '../../../src/store/store.ts'
import { instance, passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { known } from '../../kit/api.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { type FakeFence, fakeFence } from '../../kit/fake-fence.ts'
import { hostName, instanceId, instanceRecord, nicRecord } from '../../kit/records.ts'

const one = hostName('one')
const two = hostName('two')
const self = { name: one, identity: one }
const id = instanceId(1)
const WISHED: Recovery = { ...KEEP, wanted: 'recover' }
const OURS: Recovery = { wanted: 'recover', acknowledged: 'recover', run: 2, assignment: 'taken' }
const signal = new AbortController().signal
let store: Store
let fence: FakeFence
let own: OwnRecovery
let ids = 0
const newId = () => {
  ids += 1
  return `id-${ids}`
}

const start = () =>
  createOwnRecovery(
    {
      ...{ store, fence, clock: systemClock, log: silentLog },
      ...{ wake: () => undefined, newId },
    },
    { self, firstUser: 2_000_000 },
  )

beforeEach(async () => {
  ids = 0
  store = await openRecords([one, two])
  fence = fakeFence([one, two])
  own = start()
})
afterEach(async () => {
  await own.close()
  await store.close()
})

const put = (recovery: Recovery, change: Partial<Instance> = {}) =>
  store.change(async (tx) => {
    const driver = FIRST_DRIVERS.container
    await tx.insertInstance({ ...instanceRecord(id, one), driver, recovery, ...change })
    await tx.insertNic(nicRecord(id, 1))
  })

/** One pass; the instance as this host wants it. */
async function pass(): Promise<InstanceWant> {
  const snapshot = await createRecordsReader(store, one, systemClock).read({ fresh: true })
  const want = known(wantFor(one, snapshot) ?? undefined)
  await own.apply({ ...passWith(), want })
  await own.run(snapshot, signal)
  return known(want.local.instances[0] ?? instance(1))
}

/** Passes until the time of an assignment that was seen now is over. */
async function passes(): Promise<InstanceWant> {
  await pass()
  fence.pass(fence.times.durableMs)
  return await pass()
}

const recoveryNow = async () => (await store.read((tx) => tx.instances({ ids: [id] })))[0]?.recovery
const epochNow = async () => (await store.read((tx) => tx.hostEpoch(one)))?.epoch

describe('a wish', () => {
  it('is acknowledged with permission only, after fence has it and the host a new epoch', async () => {
    await put(WISHED)
    await pass()
    expect(fence.lists.at(-1)).toMatchObject([{ instance: id, containers: [], user: null }])
    expect(await recoveryNow()).toEqual(WISHED)
    expect(await epochNow()).toBeNull()
    fence.permit(1)
    await pass()
    expect(await epochNow()).toBe('id-1')
    const acknowledged = { wanted: 'recover', acknowledged: 'recover', run: 1 }
    expect(await recoveryNow()).toEqual({ ...acknowledged, assignment: 'id-2' })
  })

  it('that is withdrawn is acknowledged, and stays guarded until that cannot be lost', async () => {
    await put({ ...OURS, wanted: 'keep' })
    fence.permit(1)
    await pass()
    expect(await recoveryNow()).toMatchObject({ acknowledged: 'keep', run: 3 })
    await pass()
    fence.pass(fence.times.durableMs - 1)
    await pass()
    expect(fence.lists.at(-1)).toHaveLength(1)
    fence.pass(1)
    await pass()
    expect(fence.lists.at(-1)).toEqual([])
  })

  it('of an instance that is not claimed waits, and does not delay its start', async () => {
    await put(WISHED, { claimed: false })
    fence.permit(1)
    expect(own.mayStart(await pass())).toBe(true)
    expect(await recoveryNow()).toEqual(WISHED)
  })
})

describe('a start', () => {
  it('waits until the assignment cannot be lost and was read again', async () => {
    await put(OURS)
    fence.permit(1)
    expect(own.mayStart(await pass())).toBe(false)
    fence.pass(fence.times.durableMs - 1)
    expect(own.mayStart(await pass())).toBe(false)
    fence.pass(1)
    expect(own.mayStart(await pass())).toBe(true)
  })

  it('counts the time of its assignment from the beginning of the pass that saw it', async () => {
    fence.permit(1)
    await pass()
    expect(await epochNow()).toBe('id-1')
    await put(OURS)
    const snapshot = await createRecordsReader(store, one, systemClock).read({ fresh: true })
    await own.apply({ ...passWith(), want: known(wantFor(one, snapshot) ?? undefined) })
    fence.pass(fence.times.durableMs)
    await own.run(snapshot, signal)
    expect(own.mayStart(await pass())).toBe(true)
  })

  it('is over with the permission, and in a new term begins anew', async () => {
    await put(OURS)
    fence.permit(1)
    const want = await passes()
    const first = await epochNow()
    fence.pass(fence.times.permissionMs)
    expect(own.mayStart(want)).toBe(false)
    fence.permit(2)
    expect(own.mayStart(want)).toBe(false)
    await pass()
    expect(await epochNow()).not.toBe(first)
    expect(own.mayStart(want)).toBe(false)
    expect(own.mayStart(await passes())).toBe(true)
  })

  it('is not allowed when the assignment is another one by then', async () => {
    await put(OURS)
    fence.permit(1)
    await pass()
    const snapshot = await createRecordsReader(store, one, systemClock).read({ fresh: true })
    await store.change((tx) => tx.takeInstance(id, one, { to: two, assignment: 'theirs' }))
    fence.pass(fence.times.durableMs)
    await own.run(snapshot, signal)
    expect(own.mayStart(known(known(wantFor(one, snapshot) ?? undefined).local.instances[0]))).toBe(
      false,
    )
  })

  it('is not allowed while the epoch is not its own, and it takes another one', async () => {
    await put(OURS)
    fence.permit(1)
    await pass()
    await store.change((tx) => tx.takeEpoch(one, { from: 'id-1', to: 'lost' }))
    fence.pass(fence.times.durableMs)
    expect(own.mayStart(await pass())).toBe(false)
    await pass()
    expect(await epochNow()).toBe('id-2')
    expect(own.mayStart(await passes())).toBe(true)
  })

  it('tells fence of the container first, and is refused without permission', async () => {
    await put(OURS)
    const want = await pass()
    await expect(own.permit(want, 'c'.repeat(64))).rejects.toMatchObject({ kind: 'unavailable' })
    expect(fence.lists.at(-1)).toMatchObject([{ containers: ['c'.repeat(64)] }])
    fence.permit(1)
    await own.permit(await passes(), 'd'.repeat(64))
    expect(fence.lists.at(-1)).toMatchObject([{ containers: ['d'.repeat(64)] }])
  })

  it('of what nobody else may start is always allowed, and fence hears nothing of it', async () => {
    await put(KEEP)
    const want = await pass()
    expect(own.mayStart(want)).toBe(true)
    await own.permit(want, 'c'.repeat(64))
    expect(fence.lists.flat()).toEqual([])
    expect(await epochNow()).toBeNull()
  })
})

it('a new daemon tells fence nothing before it knows the containers that may run', async () => {
  await put(OURS, { bootSeen: 1, state: 'running' })
  fence.permit(1)
  await pass()
  expect(fence.lists).toEqual([])
  own.found(id, 'c'.repeat(64))
  await pass()
  expect(fence.lists.at(-1)).toMatchObject([{ containers: ['c'.repeat(64)] }])
})
