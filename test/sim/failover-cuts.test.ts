/**
 * Who takes over what when a host is cut off from the others, from the records, or from both: the
 * real processes `fence`, takeovers and records of three hosts, on one clock.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fence } from '../../src/agent/fence.ts'
import { createLook, SETTLED_MS } from '../../src/agent/takeover.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import type { HostName } from '../../src/model/ids.ts'
import { permittedUntilMs } from '../../src/plan/failover/holder.ts'
import { isMajority } from '../../src/plan/failover/membership.ts'
import type { Round } from '../../src/plan/failover/round.ts'
import type { Store } from '../../src/store/store.ts'
import { LONG_MS, OVER_MS, openRecords } from '../kit/cluster-records.ts'
import { type ClusterMember, FenceCluster, GUARDED, TIMES } from '../kit/fence-cluster.ts'
import { hostName, hostRecord, instanceRecord, nicRecord } from '../kit/records.ts'

const STEP_MS = 100
const RENEW_MS = 1_400
const LEASE_MS = 4_300
const LOOK_MS = 700
const LONG_CUT_MS = 60_000
/** The promise, a lease or what a host says of itself, and a look. */
const TAKEN_MS = TIMES.promiseMs + RENEW_MS + LOOK_MS + TIMES.replyMs
const [a, b, c] = [hostName('a'), hostName('b'), hostName('c')]
const HOSTS = [a, b, c]
const { instance: id } = GUARDED
const log = await createLog({ level: 'silent', format: 'json' })

let cluster: FenceCluster
let store: Store
let ids: number
/** Who reaches the records, and whose agent lives. */
let reaching: Set<HostName>
const renewedAtMs = new Map<HostName, number>()
const looks = new Map<HostName, ReturnType<typeof createLook>>()

const member = (name: HostName): ClusterMember => cluster.get(name)

/** The process of a host, as its agent sees it. Time passes while it asks. */
function fenceOf(name: HostName): Fence {
  return {
    times: TIMES,
    nowMs: () => cluster.nowMs,
    permission: () => {
      const { permission } = member(name).keeper
      const { term, id: of } = permission
      return { term, id: of, untilMs: permittedUntilMs(permission, TIMES) }
    },
    level: () => 'muted',
    onChange: () => () => undefined,
    guard: async () => undefined,
    async askConsent(about) {
      const { membership } = cluster
      let said: Round | null = null
      member(name).rounds.begin({
        ...{ question: 'consent', about, membership, askedAtMs: cluster.nowMs },
        told: (round, isOver) => {
          if (isOver || isMajority(membership, round.yes)) said ??= round
        },
      })
      while (said === null) cluster.pass(1)
      return said
    },
  }
}

async function renew(name: HostName, leaseMs: number): Promise<void> {
  const fenceLevel = member(name).keeper.mayRun() ? 'muted' : null
  const said = { fenceLevel, shortOf: null, lastSeenAt: new Date().toISOString() }
  await store.change((tx) => tx.renewLease(hostRecord(name), leaseMs, said))
}

/** Lets time pass for all processes, and for the agents that reach the records. */
async function pass(ms: number, until: () => Promise<boolean> = async () => false): Promise<void> {
  const { signal } = new AbortController()
  let lookedAtMs = cluster.nowMs
  for (const endMs = cluster.nowMs + ms; cluster.nowMs < endMs; ) {
    cluster.pass(STEP_MS)
    for (const name of HOSTS) {
      const agoMs = cluster.nowMs - (renewedAtMs.get(name) ?? 0)
      if (reaching.has(name) && agoMs >= RENEW_MS) {
        renewedAtMs.set(name, cluster.nowMs)
        await renew(name, LONG_MS)
      } else if (agoMs >= LEASE_MS) await expire(name)
    }
    if (cluster.nowMs - lookedAtMs < LOOK_MS) continue
    lookedAtMs = cluster.nowMs
    for (const name of HOSTS.filter((one) => reaching.has(one))) await looks.get(name)?.(signal)
    if (await until()) return
  }
}

function nextId(): string {
  ids += 1
  return `id-${ids}`
}

/** As the store's clock would have it. */
async function expire(name: HostName): Promise<void> {
  const [host] = await store.read((tx) => tx.hosts([name]))
  const { fenceLevel = null } = host ?? {}
  const said = { fenceLevel, shortOf: null, lastSeenAt: new Date().toISOString() }
  await store.change((tx) => tx.renewLease(hostRecord(name), OVER_MS, said))
}

const hostOf = async () => {
  const [one] = await store.read((tx) => tx.instances({ ids: [id] }))
  return one?.host
}

/** These are switched on now. */
function begin(on: readonly HostName[]): void {
  cluster = new FenceCluster(HOSTS)
  reaching = new Set(on)
  renewedAtMs.clear()
  const wake = () => undefined
  for (const name of HOSTS) {
    const parts = { store, log, wake, clock: systemClock, fence: fenceOf(name), newId: nextId }
    looks.set(name, createLook(parts, name))
  }
}

beforeEach(async () => {
  ids = 0
  store = await openRecords(HOSTS)
  begin(HOSTS)
  await store.change(async (tx) => {
    const recovery = {
      wanted: 'recover',
      acknowledged: 'recover',
      run: 1,
      assignment: 'x',
    } as const
    const running = { state: 'running', bootSeen: 1 } as const
    await tx.insertInstance({ ...instanceRecord(id, a), ...running, recovery })
    await tx.insertNic(nicRecord(id, 1))
    await tx.takeCapacity(a, 2, 1024)
  })
  // Nobody consents to anything before that, and by then all have permission.
  cluster.pass(TIMES.promiseMs + 2 * TIMES.askMs)
  member(a).keeper.guard([GUARDED], () => undefined)
  await pass(SETTLED_MS + LOOK_MS)
  expect(HOSTS.map((name) => member(name).keeper.mayRun())).toEqual([true, true, true])
  expect(await hostOf()).toBe(a)
})
afterEach(() => store.close())

/** What one sends to the other is lost, in both directions. */
const between = (one: HostName, other: HostName) => (from: HostName, to: HostName) =>
  (from === one && to === other) || (from === other && to === one)

const CUT_FROM_ALL = () => cluster.cut.add(a)
const NO_RECORDS = () => reaching.delete(a)
const RECORDS_FOR_NONE = () => reaching.clear()
const RECORDS_FOR_A_ONLY = () => {
  reaching.delete(b)
  reaching.delete(c)
}

describe('a host that may run nothing any more', () => {
  it.each<[string, readonly (() => unknown)[]]>([
    ['is cut off from the others, and reaches the records', [CUT_FROM_ALL]],
    ['is cut off from the others and from the records', [CUT_FROM_ALL, NO_RECORDS]],
    [
      'hears nothing from the others, which hear it',
      [
        () => {
          cluster.loses = (_, to) => to === a
        },
      ],
    ],
    [
      'is not heard by the others, which it hears',
      [
        () => {
          cluster.loses = (from) => from === a
        },
      ],
    ],
    [
      'has a process fence that hangs',
      [
        () => {
          member(a).stoppedUntilMs = Number.POSITIVE_INFINITY
        },
      ],
    ],
  ])('is taken over when it %s', async (_case, faults) => {
    const beganMs = cluster.nowMs
    for (const fault of faults) fault()
    await pass(LONG_CUT_MS, async () => (await hostOf()) !== a)
    expect(await hostOf()).toMatch(/^[bc]$/)
    expect(cluster.nowMs - beganMs).toBeLessThan(TAKEN_MS)
    // By its own clock, whatever it does: nothing ran, and it will not run before a new term.
    expect(member(a).keeper.mayRun()).toBe(false)
    const { grantedAtMs } = member(a).keeper.permission
    expect(beganMs - (grantedAtMs ?? beganMs)).toBeLessThan(TIMES.askMs + TIMES.replyMs)
  })

  it.each<[string, readonly (() => unknown)[]]>([
    ['it alone reaches the records', [CUT_FROM_ALL, RECORDS_FOR_A_ONLY]],
    ['nobody reaches the records', [CUT_FROM_ALL, RECORDS_FOR_NONE]],
  ])('is taken over when the others reach the records again: %s', async (_case, faults) => {
    for (const fault of faults) fault()
    await pass(LONG_CUT_MS)
    expect(await hostOf()).toBe(a)
    expect(member(a).keeper.mayRun()).toBe(false)
    expect(member(b).keeper.mayRun()).toBe(true)
    for (const name of [b, c]) reaching.add(name)
    const beganMs = cluster.nowMs
    await pass(LONG_CUT_MS, async () => (await hostOf()) !== a)
    expect(await hostOf()).toMatch(/^[bc]$/)
    expect(cluster.nowMs - beganMs).toBeLessThan(LEASE_MS + RENEW_MS)
  })

  it('is not taken over when it was switched on later than the others', async () => {
    begin([b, c])
    cluster.cut.add(a)
    await pass(TIMES.promiseMs)
    expect(member(b).keeper.mayRun()).toBe(false)
    await pass(SETTLED_MS - TIMES.askMs)
    expect(member(b).keeper.mayRun()).toBe(true)
    cluster.cut.delete(a)
    reaching.add(a)
    await pass(LONG_CUT_MS)
    expect(await hostOf()).toBe(a)
  })

  it('is taken over by nobody when no two hosts reach each other', async () => {
    for (const name of HOSTS) cluster.cut.add(name)
    await pass(LONG_CUT_MS)
    expect(await hostOf()).toBe(a)
    expect(HOSTS.map((name) => member(name).keeper.mayRun())).toEqual([false, false, false])
  })

  it('goes on in another term when it is back before anybody has taken over', async () => {
    const { term } = member(a).keeper.permission
    RECORDS_FOR_NONE()
    CUT_FROM_ALL()
    await pass(TIMES.promiseMs)
    cluster.cut.delete(a)
    await pass(5 * TIMES.askMs)
    for (const name of HOSTS) reaching.add(name)
    await pass(LONG_CUT_MS)
    expect(member(a).keeper.permission.term).toBe(term + 1)
    expect(await hostOf()).toBe(a)
  })
})

describe('a host that others vouch for', () => {
  it.each<[string, readonly (() => unknown)[]]>([
    ['it does not reach the records', [NO_RECORDS]],
    ['nobody reaches the records', [RECORDS_FOR_NONE]],
    ['the others do not reach the records', [RECORDS_FOR_A_ONLY]],
    [
      'it does not reach one of the others',
      [
        () => {
          cluster.loses = between(a, b)
        },
      ],
    ],
    [
      'it reaches one of the others only, and no records',
      [
        NO_RECORDS,
        () => {
          cluster.loses = between(a, b)
        },
      ],
    ],
    [
      'the others do not reach each other',
      [
        () => {
          cluster.loses = between(b, c)
        },
      ],
    ],
    ['one of the others is lost', [() => cluster.cut.add(c), () => reaching.delete(c)]],
  ])('goes on without a break when %s', async (_case, faults) => {
    const before = member(a).keeper.permission.term
    for (const fault of faults) fault()
    await pass(LONG_CUT_MS)
    expect(await hostOf()).toBe(a)
    expect(member(a).keeper.mayRun()).toBe(true)
    expect(member(a).keeper.permission.term).toBe(before)
    expect(member(a).events.filter(({ what }) => what === 'killed')).toEqual([])
  })
})

describe('a host that was switched off and on again, and hears late who the members are', () => {
  const OFF_MS = 5_000
  /** Longer than promises of before its end last. */
  const WAIT_MS = TIMES.promiseMs + 2_000

  /** Switches it off, on, and lets it hear of the members. */
  async function restart(name: HostName): Promise<void> {
    cluster.cut.add(name)
    reaching.delete(name)
    await pass(OFF_MS)
    cluster.cut.delete(name)
    const { adopt } = cluster.restart(name)
    await pass(WAIT_MS)
    adopt()
    reaching.add(name)
  }

  it('vouches for the others at once, so that another one may be lost', async () => {
    const { term } = member(a).keeper.permission
    await restart(c)
    await pass(2 * TIMES.askMs)
    expect(member(c).keeper.mayRun()).toBe(true)
    cluster.cut.add(b)
    reaching.delete(b)
    await pass(LONG_CUT_MS)
    expect(await hostOf()).toBe(a)
    expect(member(a).keeper.permission.term).toBe(term)
    expect(member(a).events.filter(({ what }) => what === 'killed')).toEqual([])
  })

  it('consents to a takeover when promises to older members are over', async () => {
    await restart(c)
    const heardAtMs = cluster.nowMs
    cluster.cut.add(a)
    await pass(TIMES.promiseMs - 2 * TIMES.replyMs)
    expect((await fenceOf(c).askConsent(a)).yes).toEqual(new Set())
    await pass(3 * TIMES.replyMs)
    expect(cluster.nowMs - heardAtMs).toBeGreaterThan(TIMES.promiseMs)
    expect((await fenceOf(c).askConsent(a)).yes).toContain(c)
  })
})
