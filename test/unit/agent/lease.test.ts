import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Lease, startLease } from '../../../src/agent/lease.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { unavailable } from '../../../src/model/errors.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { breakable, OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { hostName, hostRecord, instanceId, instanceRecord, nicRecord } from '../../kit/records.ts'

const self = hostName('self')
const lost = hostName('lost')
const LEASE_MS = 4_000
/**
 * The lease's time runs this much faster here. Not more: a lease of less than half a second is lost
 * on a busy machine.
 */
const SPEEDUP = 8
const fast = fastClock(SPEEDUP)
let store: Store
let away = false
let shortOf: string | null = null
let held = 0
let lease: Lease

beforeEach(async () => {
  store = await openRecords([])
  away = false
  shortOf = null
  held = 0
  lease = startOne(hostRecord(self))
})
afterEach(async () => {
  await lease.close()
  await store.close()
})

function startOne(host: ReturnType<typeof hostRecord>, renewMs = 1_000): Lease {
  return startLease(
    {
      store: breakable(store, () => (away ? unavailable('away') : null)),
      clock: fast,
      log: silentLog,
      metrics: createMetrics(),
      random: () => 0,
      shortage: async () => shortOf,
      hosts: () => 1,
    },
    {
      self: host,
      leaseMs: 4 * renewMs,
      renewMs,
      onHeld: () => {
        held += 1
      },
    },
  )
}

const hosts = () => store.read((tx) => tx.hosts())

it('announces the host, holds the lease while the records answer, and gets it back after they were away', async () => {
  await eventually('the lease is held', () => lease.held())
  expect(await hosts()).toMatchObject([{ name: self, live: true, generation: 1 }])
  away = true
  await eventually('the lease has run out', () => !lease.held())
  away = false
  await eventually('the lease is held again', () => lease.held())
  expect(held).toBeGreaterThanOrEqual(2)
  expect(await hosts()).toMatchObject([{ name: self, generation: 1 }])
})

it('says with each renewal what the host lacks for new instances', async () => {
  const said = async () => (await hosts())[0]?.shortOf
  await eventually('it lacks nothing', async () => (await said()) === null)
  shortOf = 'disk: 3 MiB are free'
  await eventually('it is known', async () => (await said()) === shortOf)
  shortOf = null
  await eventually('it is over', async () => (await said()) === null)
  await eventually('the lease is held', () => lease.held())
})

describe('that is renewed seldom', () => {
  const SELDOM_MS = 3_600_000

  it('is asked for again soon when the records did not answer', async () => {
    await lease.close()
    away = true
    lease = startOne(hostRecord(self), SELDOM_MS)
    await eventually('the first attempt has failed', () => lease.trouble() !== null)
    away = false
    await eventually('the lease is held', () => lease.held())
  })

  it('says soon what the host lacks for new instances, and when that is over', async () => {
    await lease.close()
    lease = startOne(hostRecord(self), SELDOM_MS)
    await eventually('the lease is held', () => lease.held())
    shortOf = 'disk: 3 MiB are free'
    const said = async () => (await hosts())[0]?.shortOf
    await eventually('it is known', async () => (await said()) === shortOf)
    shortOf = null
    await eventually('it is over', async () => (await said()) === null)
  })

  it('is not written again without news', async () => {
    await lease.close()
    lease = startOne(hostRecord(self), SELDOM_MS)
    await eventually('the lease is held', () => lease.held())
    const seen = async () => (await hosts())[0]?.lastSeenAt
    const first = await seen()
    const began = fast.monotonic()
    await eventually('many looks have passed', () => fast.monotonic() - began > 10 * 1_500)
    expect(await seen()).toBe(first)
  })
})

it('another machine under the same name gets no lease until this one has none', async () => {
  await eventually('the lease is held', () => lease.held())
  const second = startOne({ ...hostRecord(self), identity: 'another' })
  await eventually('it knows why', () => second.taken())
  expect(second.held()).toBe(false)
  expect(await hosts()).toMatchObject([{ name: self, identity: self }])
  await lease.close()
  await eventually('it has the name', () => second.held() && !second.taken())
  expect(await hosts()).toMatchObject([{ name: self, identity: 'another' }])
  await second.close()
})

it('a host that was forgotten while it was away announces itself again', async () => {
  await eventually('the lease is held', () => lease.held())
  await store.change((tx) => tx.setHostState(self, 'forgotten'))
  await eventually('it is back', async () => (await hosts()).length === 1)
})

it('takes over what a lost host never started, but not before all had time to come back', async () => {
  await eventually('the lease is held', () => lease.held())
  const began = fast.monotonic()
  await store.change(async (tx) => {
    await tx.upsertHost(hostRecord(lost), OVER_MS)
    await tx.insertInstance({ ...instanceRecord(instanceId(1), lost), claimed: false })
    await tx.insertNic(nicRecord(instanceId(1), 1))
  })
  await eventually('it is ours', async () => {
    const [one] = await store.read((tx) => tx.instances({}))
    return one?.host === self
  })
  expect(fast.monotonic() - began).toBeGreaterThan(LEASE_MS / 2)
})
