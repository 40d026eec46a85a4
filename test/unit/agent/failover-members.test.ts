/** Hosts that join the members of a cloud, with real records. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  createFailoverMembers,
  MEMBERS_LOOK_MS,
  type MemberOrders,
} from '../../../src/agent/failover-members.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { HostName } from '../../../src/model/ids.ts'
import { FAILOVER_SETTINGS, failoverTimes } from '../../../src/plan/failover/times.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { hostName, hostRecord } from '../../kit/records.ts'

const TIMES = failoverTimes(FAILOVER_SETTINGS)
const [a, b, c] = [hostName('a'), hostName('b'), hostName('c')]
let store: Store
let nowMs: number

/** A host whose process does as it is told, unless it is away. */
function host(name: HostName) {
  const one = {
    orders: [] as Parameters<MemberOrders['order']>[0][],
    isSettled: true,
    isAway: false,
    version: 0,
    look: async () => false,
  }
  const fence: MemberOrders = {
    times: TIMES,
    nowMs: () => nowMs,
    version: () => (one.isAway ? 0 : one.version),
    order: (change) => {
      one.orders.push(change)
      one.version = change.membership.version
    },
  }
  const parts = { store, fence, clock: systemClock, log: silentLog }
  one.look = createFailoverMembers({ ...parts, isSettled: () => one.isSettled }, hostRecord(name))
  return one
}

/** Looks until nothing is left to do, as often as it takes. */
async function settle(...all: readonly ReturnType<typeof host>[]): Promise<void> {
  for (let looks = 0; looks < 20; looks += 1) {
    const done: boolean[] = []
    for (const one of all) done.push(await one.look())
    if (!done.includes(false)) return
    nowMs += TIMES.durableMs
  }
  throw new Error('something is left to do')
}

const members = () => store.read((tx) => tx.failoverMembers())

beforeEach(async () => {
  nowMs = 1_000_000
  store = await openRecords([a, b, c])
})
afterEach(() => store.close())

it('the hosts of a cloud join one after another, and all go by the last membership', async () => {
  const all = [host(a), host(b), host(c)]
  await settle(...all)
  const found = await members()
  expect(found?.members.toSorted()).toEqual([a, b, c])
  expect(found).toMatchObject({ version: 3, acknowledged: new Set([a, b, c]) })
  expect(all.map(({ version }) => version)).toEqual([3, 3, 3])
  expect([...(all[0]?.orders.at(-1)?.addresses.keys() ?? [])]).toEqual(
    [a, b, c].filter((name) => hostRecord(name).fabricAddress !== null),
  )
})

it('a host joins only when most of the members go by the last change', async () => {
  const [first, second, third] = [host(a), host(b), host(c)]
  await settle(first)
  await second.look()
  expect(await members()).toMatchObject({ version: 2, members: [a, b] })
  for (let looks = 0; looks < 5; looks += 1) await third.look()
  expect(await members()).toMatchObject({ version: 2 })
  await settle(first, second)
  await third.look()
  expect(await members()).toMatchObject({ version: 3, members: [a, b, c] })
})

it('a host without a lease of its own joins nothing', async () => {
  const one = host(a)
  const idle = host(b)
  idle.isSettled = false
  for (let looks = 0; looks < 3; looks += 1) expect(await idle.look()).toBe(false)
  expect(await members()).toBeUndefined()
  await settle(one)
  expect(await members()).toMatchObject({ members: [a] })
})

it('goes by a membership that was read twice, so far apart that it cannot be lost', async () => {
  const one = host(a)
  await one.look()
  await one.look()
  nowMs += TIMES.durableMs - 1
  await one.look()
  expect(one.orders).toEqual([])
  nowMs += 1
  await one.look()
  expect(one.orders).toMatchObject([{ membership: { version: 1, members: [a] } }])
})

it('waits as long for a membership that came after the one that it has read', async () => {
  const one = host(a)
  await store.change((tx) => tx.changeFailoverMembers(5, [a, b]))
  await one.look()
  await store.change((tx) => tx.changeFailoverMembers(6, [a, c]))
  nowMs += TIMES.durableMs
  await one.look()
  expect(one.orders).toEqual([])
})

it('acknowledges what its process goes by, not what it was told', async () => {
  const one = host(a)
  one.isAway = true
  await store.change((tx) => tx.changeFailoverMembers(5, [a, b]))
  for (let looks = 0; looks < 5; looks += 1) {
    expect(await one.look()).toBe(false)
    nowMs += TIMES.durableMs
  }
  expect(one.orders.length).toBeGreaterThan(0)
  expect(await members()).toMatchObject({ acknowledged: new Set() })
  one.isAway = false
  await settle(one)
  expect(await members()).toMatchObject({ acknowledged: new Set([a]) })
})

it('does not go back to an older membership, as of a backup, nor lets it be followed', async () => {
  const [one, other] = [host(a), host(b)]
  await store.change(async (tx) => {
    await tx.changeFailoverMembers(5, [a])
    await tx.acknowledgeFailoverMembers(hostRecord(a), 5)
  })
  one.version = 9
  await settle(one)
  expect(one.orders).toEqual([])
  await other.look()
  expect(await members()).toMatchObject({ version: 5, acknowledged: new Set() })
})

it('does not join what is older than what it goes by', async () => {
  const one = host(a)
  one.version = 9
  await settle(one)
  expect(await members()).toBeUndefined()
})

it('a host hears of new members before its permission by the old ones ends', () => {
  // Found, read again when it cannot be lost, and asked about; the others may be as fast as can be.
  const heardMs = MEMBERS_LOOK_MS + 2 * TIMES.durableMs
  expect(heardMs + TIMES.askMs + TIMES.replyMs).toBeLessThan(TIMES.permissionMs)
})
