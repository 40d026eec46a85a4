/**
 * Reads while the engine is slow or hangs, on a clock of the test: how long they take, who answers
 * them, and how the engine is found to answer again.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/lib/clock.ts'
import { shareReads } from '../../../src/store/fair-reads.ts'
import type { Replica } from '../../../src/store/replica.ts'
import { type InformedStore, withReplica } from '../../../src/store/replica-reads.ts'
import type { ReadTx, Store } from '../../../src/store/store.ts'
import { createHostClock, createVirtualTime, type VirtualTime } from '../../../tools/sim/time.ts'
import { parts } from '../../kit/api.ts'

const AS_OF = '2026-11-22T08:00:00.000Z'
/** Longer than a read waits for an engine. */
const SLOW_MS = 1_000
/** A read that waits for the engine in vain has an answer by then. */
const PATIENT_MS = 500
/** The engine is found to answer again by then, if it is trusted at once. */
const FOUND_MS = 400

let time: VirtualTime
let clock: Clock
/** How long the engine takes now. */
let engineMs: number
/** Reads under way in the engine, the most that there were, and all. */
let seen: { now: number; most: number; all: number }
let store: InformedStore

beforeEach(() => {
  time = createVirtualTime()
  clock = createHostClock(time, 1, { offsetMs: 0 })
  engineMs = 1
  seen = { now: 0, most: 0, all: 0 }
  const records = {} as ReadTx
  const tx = { accounts: async () => [] } as unknown as ReadTx
  const engine: Store = {
    ...parts().store,
    async read(work) {
      seen.now += 1
      seen.all += 1
      seen.most = Math.max(seen.most, seen.now)
      await time.sleep(engineMs)
      seen.now -= 1
      return await work(tx)
    },
    close: async () => undefined,
  }
  const replica = { read: (work) => work(records), asOf: () => AS_OF } as Replica
  store = withReplica(engine, replica, clock)
})
afterEach(() => {
  void store.close()
  time.clear()
})

/** What has become of a promise. */
function watched<T>(promise: Promise<T>) {
  const state: { value?: T; atMs?: number } = {}
  void promise.then((value) => {
    state.value = value
    state.atMs = time.nowMs()
  })
  return state
}

/** Reads once, and says who answered and after how long. */
async function readOnce(from: Pick<InformedStore, 'read'> = store) {
  const beganMs = time.nowMs()
  const state = watched(from.read(async () => 'read'))
  await time.runUntil(beganMs + 60_000, () => state.atMs !== undefined)
  const isOld = state.value?.asOf === AS_OF
  return { isOld, ms: (state.atMs ?? Number.POSITIVE_INFINITY) - beganMs }
}

const pass = (ms: number) => time.runUntil(time.nowMs() + ms)

/** How long it takes until the engine answers a read again. */
async function untilBack(): Promise<number> {
  const beganMs = time.nowMs()
  while ((await readOnce()).isOld) await pass(10)
  return time.nowMs() - beganMs
}

describe('while the engine is slow', () => {
  it('a read waits for it once, and the next ones not at all', async () => {
    engineMs = SLOW_MS
    const first = await readOnce()
    expect(first).toMatchObject({ isOld: true })
    expect(first.ms).toBeLessThan(PATIENT_MS)
    for (let second = 0; second < 60; second += 1) {
      expect(await readOnce()).toEqual({ isOld: true, ms: 0 })
      await pass(1_000)
    }
  })

  it('many reads of one client at once are answered together, not one after the other', async () => {
    engineMs = SLOW_MS
    const mine = shareReads(store)('one')
    const all = Array.from({ length: 40 }, () => watched(mine.read(async () => 'read')))
    await pass(PATIENT_MS)
    expect(all.filter(({ atMs }) => atMs !== undefined)).toHaveLength(40)
    expect(all.every(({ value }) => value?.asOf === AS_OF)).toBe(true)
  })

  it('it is checked by one read at a time', async () => {
    engineMs = 10 * SLOW_MS
    await readOnce()
    await pass(100_000)
    expect(seen.all).toBeGreaterThan(5)
    // One more: the read that has found it slow.
    expect(seen.most).toBeLessThanOrEqual(2)
  })
})

describe('when it answers again', () => {
  it('that is found soon', async () => {
    engineMs = SLOW_MS
    await readOnce()
    await pass(30_000)
    engineMs = 1
    expect(await untilBack()).toBeLessThan(SLOW_MS + FOUND_MS)
  })

  it('and fails again soon, it must answer for longer and longer', async () => {
    const absencesMs: number[] = []
    for (let outage = 0; outage < 5; outage += 1) {
      engineMs = SLOW_MS
      await readOnce()
      await pass(3_000)
      engineMs = 1
      absencesMs.push(await untilBack())
    }
    expect(absencesMs[0]).toBeLessThan(SLOW_MS + FOUND_MS)
    expect(absencesMs[1]).toBeGreaterThan(1_000)
    expect(absencesMs[2]).toBeGreaterThan(2_000)
    expect(absencesMs[3]).toBeGreaterThan(4_000)
    expect(absencesMs[4]).toBeLessThan(SLOW_MS + 8_000 + FOUND_MS)
  })

  it('and did so all the time, it is asked again at once: one read was long, no matter how often', async () => {
    for (let times = 0; times < 20; times += 1) {
      engineMs = SLOW_MS
      const long = await readOnce()
      engineMs = 1
      expect(long.isOld).toBe(true)
      expect(await untilBack()).toBeLessThan(FOUND_MS)
    }
  })

  it('a read that had waited since before does not make it away again', async () => {
    engineMs = SLOW_MS
    const early = watched(store.read(async () => 'read'))
    await pass(390)
    const late = watched(store.read(async () => 'read'))
    await pass(1)
    // The first gives up, and the check that follows is answered before the second gives up.
    engineMs = 1
    await pass(SLOW_MS)
    expect([early.value?.asOf, late.value?.asOf]).toEqual([AS_OF, AS_OF])
    expect(await readOnce()).toMatchObject({ isOld: false })
  })
})
