/** Times to live and schedules, with real records: what a host does after its passes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startAgent } from '../../../src/agent/agent.ts'
import { createLedger } from '../../../src/agent/ledger.ts'
import { createLevers } from '../../../src/agent/levers.ts'
import { createRecordsReader } from '../../../src/agent/reader.ts'
import type { Bus } from '../../../src/bus/bus.ts'
import { createLocalBus } from '../../../src/bus/local.ts'
import { isoTime, systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import type { HostName } from '../../../src/model/ids.ts'
import { INSTANCE_OPTIONS } from '../../../src/model/instance-options.ts'
import { type LeverTag, SCHEDULE_TAG, TTL_TAG } from '../../../src/model/lever.ts'
import type { Instance } from '../../../src/model/records.ts'
import type { HostWant } from '../../../src/model/want.ts'
import type { HostService } from '../../../src/services/service.ts'
import { createRowWatch } from '../../../src/store/records/rows.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { breakable, openRecords } from '../../kit/cluster-records.ts'
import { type HandClock, handClock } from '../../kit/hand-clock.ts'
import { account, hostName, instanceId, instanceRecord } from '../../kit/records.ts'
import { watchLoop } from '../../kit/stall.ts'
import { isLong } from '../../long-files.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const START = Date.parse('2026-11-30T08:00:00Z')
const NOTICE = 10 * MINUTE
const one = hostName('one')
const two = hostName('two')
const id = instanceId(1)

let store: Store
let clock: HandClock

beforeEach(async () => {
  store = await openRecords([one, two])
  clock = handClock(START)
})
afterEach(() => store.close())

/** A daemon: its reader and its duty. `pass` runs until there is nothing more to do. */
function daemon(host: HostName, on = store) {
  const metrics = createMetrics()
  const warned: object[] = []
  const log = { ...silentLog, warn: (fields: object) => warned.push(fields) }
  const reader = createRecordsReader(on, host, clock)
  const duty = createLevers({
    ...{ store: on, host, clock, log, metrics, noticeMs: NOTICE },
    wake: () => undefined,
  })
  return {
    duty,
    metrics,
    warned,
    async pass(): Promise<number> {
      const { signal } = new AbortController()
      for (let passes = 1; ; passes += 1)
        // What another reported is not news to a host, so the first reading is a whole one.
        if (!(await duty.run(await reader.read({ fresh: passes === 1 }), signal))) return passes
    },
  }
}

async function launch(change: Partial<Instance> = {}): Promise<void> {
  const launched = { state: 'running', bootSeen: 1, launchedAt: isoTime(clock.now()) } as const
  await store.change((tx) =>
    tx.insertInstance({ ...instanceRecord(id, one), ...launched, ...change }),
  )
}

async function tag(key: LeverTag, value: string, of = id): Promise<void> {
  await store.change(async (tx) => {
    await tx.putTags([{ account, resource: of, resourceType: 'instance', key, value }])
    await tx.putLever({ instance: of, tag: key, fromMs: clock.now(), strike: null })
  })
}

const untag = (key: LeverTag) => store.change((tx) => tx.deleteTag({ account, resource: id, key }))

async function state(of = id): Promise<string> {
  const [instance] = await store.read((tx) => tx.instances({ ids: [of] }))
  const reason = instance?.stateReason?.code
  return `${instance?.state}${reason === undefined ? '' : ` ${reason}`}`
}

async function announced(): Promise<number | null | undefined> {
  const [lever] = await store.read((tx) => tx.levers([id]))
  return lever?.strike?.notBeforeMs
}

const ENDED = 'shutting-down Server.TimeToLiveEnded'
const STOPPED = 'stopping Server.ScheduledStop'

describe('a time to live', () => {
  it('is announced, and then ends the instance', async () => {
    const host = daemon(one)
    await launch()
    await tag(TTL_TAG, '8h')
    await host.pass()
    expect([await state(), await announced()]).toEqual(['running', undefined])
    clock.pass(8 * HOUR - NOTICE)
    await host.pass()
    expect([await state(), await announced()]).toEqual(['running', START + 8 * HOUR])
    clock.pass(NOTICE - 1)
    await host.pass()
    expect(await state()).toBe('running')
    clock.pass(1)
    await host.pass()
    expect(await state()).toBe(ENDED)
    expect(await host.metrics.render()).toContain('atoll_lever_actions_total{action="terminate"} 1')
  })

  it.each([
    ['is taken off', () => untag(TTL_TAG)],
    ['is set once more', () => tag(TTL_TAG, '8h')],
    ['is made longer', () => tag(TTL_TAG, '3d')],
  ])('that %s after it was announced ends nothing', async (_how, change) => {
    const host = daemon(one)
    await launch()
    await tag(TTL_TAG, '8h')
    clock.pass(8 * HOUR - NOTICE)
    await host.pass()
    clock.pass(NOTICE - 1)
    await change()
    clock.pass(1)
    await host.pass()
    expect(await state()).toBe('running')
  })

  it('ends later when what was announced is put off', async () => {
    const host = daemon(one)
    await launch()
    await tag(TTL_TAG, '8h')
    clock.pass(8 * HOUR - NOTICE)
    await host.pass()
    const [lever] = await store.read((tx) => tx.levers([id]))
    if (lever?.strike == null) throw new Error('it is announced')
    const strike = { ...lever.strike, notBeforeMs: START + 9 * HOUR }
    await store.change((tx) => tx.putLever({ ...lever, strike }))
    clock.pass(NOTICE + HOUR - 1)
    await host.pass()
    expect([await state(), await announced()]).toEqual(['running', START + 9 * HOUR])
    clock.pass(1)
    await host.pass()
    expect(await state()).toBe(ENDED)
  })

  it('ends what is announced when the daemon was killed in between, on time and once', async () => {
    await launch()
    await tag(TTL_TAG, '8h')
    clock.pass(8 * HOUR - NOTICE)
    await daemon(one).pass()
    clock.pass(NOTICE)
    const after = daemon(one)
    await after.pass()
    expect(await state()).toBe(ENDED)
    const before = await store.read((tx) => tx.dump())
    await after.pass()
    expect(await store.read((tx) => tx.dump())).toEqual(before)
  })

  it('that ended while the daemon was away is announced before it strikes', async () => {
    await launch()
    await tag(TTL_TAG, '8h')
    clock.pass(20 * HOUR)
    const host = daemon(one)
    await host.pass()
    expect([await state(), await announced()]).toEqual(['running', START + 20 * HOUR + NOTICE])
    clock.pass(NOTICE)
    await host.pass()
    expect(await state()).toBe(ENDED)
  })

  it('that ended while the records were away strikes when they are back', async () => {
    let away: Error | null = null
    const host = daemon(
      one,
      breakable(store, () => away),
    )
    await launch()
    await tag(TTL_TAG, '8h')
    clock.pass(8 * HOUR - NOTICE)
    await host.pass()
    away = new Error('away')
    clock.pass(2 * NOTICE)
    await expect(host.pass()).rejects.toThrow('away')
    away = null
    await host.pass()
    expect(await state()).toBe(ENDED)
  })

  it.each([
    ['forward', 30 * 24 * HOUR],
    ['back', -HOUR / 2],
  ])('has its whole notice when the clock is set %s after the announcement', async (_way, by) => {
    const host = daemon(one)
    await launch()
    await tag(TTL_TAG, '8h')
    clock.pass(8 * HOUR - NOTICE)
    await host.pass()
    clock.set(clock.now() + by)
    clock.pass(NOTICE - 1)
    await host.pass()
    expect(await state()).toBe('running')
    clock.pass(by > 0 ? 1 : 1 - by)
    await host.pass()
    expect(await state()).toBe(ENDED)
  })

  it('is carried out by the instance’s host alone, and once by two of its daemons', async () => {
    await launch()
    await tag(TTL_TAG, '1h')
    clock.pass(HOUR - NOTICE)
    const daemons = [daemon(one), daemon(one)]
    await daemon(two).pass()
    expect(await announced()).toBeUndefined()
    await Promise.all(daemons.map((host) => host.pass()))
    clock.pass(NOTICE)
    await daemon(two).pass()
    expect(await state()).toBe('running')
    await Promise.all(daemons.map((host) => host.pass()))
    expect(await state()).toBe(ENDED)
    const counts = await Promise.all(daemons.map(({ metrics }) => metrics.render()))
    const acted = counts.filter((text) => text.includes('{action="terminate"} 1'))
    expect(acted).toHaveLength(1)
  })

  it('ends an instance on a host that is drained', async () => {
    await launch()
    await tag(TTL_TAG, '1m')
    await store.change((tx) => tx.setHostState(one, 'draining'))
    const host = daemon(one)
    await host.pass()
    clock.pass(MINUTE)
    await host.pass()
    expect(await state()).toBe(ENDED)
  })

  it('goes with an instance that is moved before its first start', async () => {
    await launch({ claimed: false, state: 'pending', bootSeen: 0 })
    await tag(TTL_TAG, '1h')
    await store.change((tx) => tx.moveInstance(id, one, two))
    clock.pass(HOUR - NOTICE)
    await daemon(one).pass()
    expect(await announced()).toBeUndefined()
    const host = daemon(two)
    await host.pass()
    clock.pass(NOTICE)
    await host.pass()
    expect(await state()).toBe(ENDED)
  })

  it.each(['disableApiTermination', 'disableApiStop'] as const)(
    'ends nothing with %s, even if that was set after the announcement',
    async (attribute) => {
      const host = daemon(one)
      await launch()
      await tag(TTL_TAG, '1h')
      clock.pass(HOUR - NOTICE)
      await host.pass()
      const protect = (is: boolean) =>
        store.change((tx) =>
          tx.updateInstance(id, { options: { ...INSTANCE_OPTIONS, [attribute]: is } }),
        )
      await protect(true)
      clock.pass(NOTICE)
      await host.pass()
      expect([await state(), await announced()]).toEqual(['running', null])
      clock.pass(HOUR)
      await protect(false)
      await daemon(one).pass()
      expect([await state(), await announced()]).toEqual(['running', clock.now() + NOTICE])
    },
  )

  it.each([
    [{ state: 'shutting-down', wanted: 'terminate' } as const, 'shutting-down'],
    [{ state: 'terminated', wanted: 'terminate' } as const, 'terminated'],
  ])('changes nothing of what is %j', async (change, expected) => {
    await launch(change)
    await tag(TTL_TAG, '1h')
    clock.pass(2 * HOUR)
    await daemon(one).pass()
    expect([await state(), await announced()]).toEqual([expected, undefined])
  })

  it('ends a stopped instance', async () => {
    const host = daemon(one)
    await launch({ state: 'stopped', wanted: 'stop' })
    await tag(TTL_TAG, '1m')
    await host.pass()
    clock.pass(MINUTE)
    await host.pass()
    expect(await state()).toBe(ENDED)
  })

  it('without a record counts from the first look', async () => {
    await launch()
    await tag(TTL_TAG, '1h')
    await store.change((tx) => tx.deleteLeversOf(id))
    clock.pass(5 * HOUR)
    await daemon(one).pass()
    expect(await state()).toBe('running')
    expect(await store.read((tx) => tx.levers([id]))).toMatchObject([{ fromMs: clock.now() }])
  })
})

describe('many', () => {
  it('that end in the same second end in batches, and all of them', async () => {
    const MANY = 200
    const ids = Array.from({ length: MANY }, (_, at) => instanceId(at + 1))
    await store.change(async (tx) => {
      for (const of of ids) {
        await tx.insertInstance({ ...instanceRecord(of, one), state: 'running', bootSeen: 1 })
        const resource = { account, resource: of, resourceType: 'instance' }
        await tx.putTags([{ ...resource, key: TTL_TAG, value: '1h' }])
        await tx.putLever({ instance: of, tag: TTL_TAG, fromMs: START, strike: null })
      }
    })
    const host = daemon(one)
    clock.pass(HOUR - NOTICE)
    await host.pass()
    clock.pass(NOTICE)
    // Each pass of the host, with all its services, comes after 25 of them.
    expect(await host.pass()).toBe(MANY / 25 + 1)
    const ended = await store.read((tx) => tx.instances({ ids }))
    expect(ended.filter((instance) => instance.state === 'shutting-down')).toHaveLength(MANY)
  })
})

describe('a thousand that end in the same second (200 in the short mode)', () => {
  it('keep neither the loop nor another instance waiting', { timeout: 120_000 }, async () => {
    const MANY = isLong ? 1_000 : 200
    const other = instanceId(MANY + 1)
    const dueMs = Date.now()
    const strike = { kind: 'terminate', dueMs, notBeforeMs: dueMs } as const
    await store.change(async (tx) => {
      for (let at = 1; at <= MANY + 1; at += 1) {
        const of = instanceId(at)
        await tx.insertInstance({ ...instanceRecord(of, one), state: 'running', bootSeen: 1 })
        if (of === other) continue
        const resource = { account, resource: of, resourceType: 'instance' }
        await tx.putTags([{ ...resource, key: TTL_TAG, value: '1h' }])
        await tx.putLever({ instance: of, tag: TTL_TAG, fromMs: dueMs - HOUR, strike })
      }
    })
    const ending = async () =>
      (await store.read((tx) => tx.instances({}))).filter(({ wanted }) => wanted === 'terminate')
    const seen = Promise.withResolvers<void>()
    const bus = createLocalBus()
    const looks = {
      ...{ name: 'looks', gate: false, close: async () => undefined },
      async apply({ want }: { readonly want: HostWant }) {
        const found = want.local.instances.find(({ id: known }) => known === other)
        if (found?.run === 'stop') seen.resolve()
        return []
      },
    }
    const { longestMs } = await watchLoop(async () => {
      await using agent = busyAgent(bus, looks)
      await expect.poll(async () => (await ending()).length).toBeGreaterThan(0)
      await store.change((tx) => tx.updateInstance(other, { wanted: 'stop', state: 'stopping' }))
      bus.ring(one)
      await seen.promise
      expect((await ending()).length).toBeLessThan(MANY)
      await expect.poll(async () => (await ending()).length, { timeout: 60_000 }).toBe(MANY)
      expect(agent.passes()).toBeGreaterThanOrEqual(MANY / 25)
    })
    console.log(`${MANY} ended: the loop was kept ${longestMs.toFixed(0)} ms at the longest`)
    expect(longestMs).toBeLessThan(100)
  })

  /** An agent that carries out tags by the real clock. */
  function busyAgent(bus: Bus, service: HostService) {
    const metrics = createMetrics()
    const shared = { store, log: silentLog, metrics, clock: systemClock }
    const levers = { ...shared, host: one, noticeMs: NOTICE, wake: () => bus.ring(one) }
    const directory = mkdtempSync(join(tmpdir(), 'atoll-levers-'))
    const file = join(directory, 'ledger.json')
    const agent = startAgent(
      {
        ...{ ...shared, bus, services: [service], duties: [createLevers(levers)] },
        ledger: createLedger({ file, clock: systemClock, log: silentLog }),
        rows: createRowWatch({ log: silentLog, monotonic: () => performance.now() }),
        watchKernel: () => () => undefined,
        onRecordsChanged: () => undefined,
        random: () => 0,
      },
      { host: one, identity: one, intervalMs: HOUR, resyncMs: HOUR },
    )
    return {
      passes: () => agent.status().passes,
      async [Symbol.asyncDispose]() {
        await agent.close()
        rmSync(directory, { recursive: true })
      },
    }
  }
})

describe('many different schedules', () => {
  it('are calculated in several passes, and then remembered', async () => {
    await store.change(async (tx) => {
      for (let at = 1; at <= 60; at += 1) {
        const of = instanceId(at)
        await tx.insertInstance({ ...instanceRecord(of, one), state: 'running', bootSeen: 1 })
        const resource = { account, resource: of, resourceType: 'instance' }
        const value = `mon-fri 08:00-18:${String(at - 1).padStart(2, '0')} UTC`
        await tx.putTags([{ ...resource, key: SCHEDULE_TAG, value }])
        await tx.putLever({ instance: of, tag: SCHEDULE_TAG, fromMs: START, strike: null })
      }
    })
    const host = daemon(one)
    expect(await host.pass()).toBe(3)
    expect(await host.pass()).toBe(1)
  })
})

describe('values that cannot be read', () => {
  it('are times that no calendar has, and no pass of the host fails for them', async () => {
    const host = daemon(one)
    await launch()
    await tag(TTL_TAG, '1h')
    const strike = { kind: 'terminate', dueMs: 9e15, notBeforeMs: 9e15 } as const
    const lever = { instance: id, tag: TTL_TAG, fromMs: START, strike } as const
    await store.change((tx) => tx.putLever(lever))
    const { levers, unreadable } = await store.read(async (tx) => ({
      levers: await tx.levers([id]),
      unreadable: tx.unreadable(),
    }))
    expect([levers, unreadable.map(({ table }) => table)]).toEqual([[], ['instanceLevers']])
    await host.pass()
    expect(await state()).toBe('running')
  })

  it.each([
    [TTL_TAG, '8 hours'],
    [SCHEDULE_TAG, 'office hours'],
  ] as const)('of %s are reported once and do nothing', async (key, value) => {
    const host = daemon(one)
    await launch()
    await tag(key, value)
    for (let look = 0; look < 3; look += 1) {
      clock.pass(24 * HOUR)
      await host.pass()
    }
    expect(await state()).toBe('running')
    expect(host.warned).toMatchObject([{ instance: id, tag: key }])
    expect(await host.metrics.render()).toContain('atoll_lever_tags_ignored 1')
  })

  it('of many instances do not keep the host busy', async () => {
    await store.change(async (tx) => {
      for (let at = 1; at <= 60; at += 1) {
        const of = instanceId(at)
        await tx.insertInstance({ ...instanceRecord(of, one), state: 'running', bootSeen: 1 })
        const resource = { account, resource: of, resourceType: 'instance' }
        await tx.putTags([{ ...resource, key: SCHEDULE_TAG, value: `bad ${at}` }])
      }
    })
    const host = daemon(one)
    await host.pass()
    expect(await host.pass()).toBe(1)
  })
})

describe('a schedule', () => {
  const OFFICE = 'mon-fri 08:00-18:00 Europe/Berlin'
  const EVENING = Date.parse('2026-11-30T17:00:00Z')
  const MORNING = Date.parse('2026-12-01T07:00:00Z')
  const until = (ms: number) => clock.pass(ms - clock.now())

  /** What the host and the instance do when it is stopped. */
  const settle = () => store.change((tx) => tx.updateInstance(id, { state: 'stopped' }))

  it('stops in the evening, and starts in the morning', async () => {
    const host = daemon(one)
    await launch()
    await tag(SCHEDULE_TAG, OFFICE)
    until(EVENING - NOTICE)
    await host.pass()
    expect([await state(), await announced()]).toEqual(['running', EVENING])
    until(EVENING)
    await host.pass()
    expect(await state()).toBe(STOPPED)
    await settle()
    until(MORNING - 1)
    await host.pass()
    expect(await state()).toBe('stopped Server.ScheduledStop')
    until(MORNING)
    await host.pass()
    expect(await state()).toBe('pending')
  })

  it('leaves what a person started at night until the next evening', async () => {
    const host = daemon(one)
    await launch()
    await tag(SCHEDULE_TAG, OFFICE)
    until(EVENING)
    await host.pass()
    until(EVENING + NOTICE)
    await host.pass()
    await settle()
    clock.pass(3 * HOUR)
    await store.change((tx) =>
      tx.updateInstance(id, {
        ...{ state: 'running', wanted: 'run', launchedAt: isoTime(clock.now()) },
      }),
    )
    for (const at of [MORNING, MORNING + 10 * HOUR - NOTICE, MORNING + 10 * HOUR - 1]) {
      until(at)
      await host.pass()
      expect(await state()).toMatch(/^running/)
    }
    until(MORNING + 10 * HOUR)
    await host.pass()
    expect(await state()).toBe(STOPPED)
  })

  it('that is taken off or changed counts at once', async () => {
    const host = daemon(one)
    await launch()
    await tag(SCHEDULE_TAG, OFFICE)
    until(EVENING - MINUTE)
    await host.pass()
    await tag(SCHEDULE_TAG, 'mon-fri 08:00-20:00 Europe/Berlin')
    until(EVENING)
    await host.pass()
    expect(await state()).toBe('running')
    await untag(SCHEDULE_TAG)
    until(EVENING + 3 * HOUR)
    await host.pass()
    expect(await state()).toBe('running')
  })

  it('is repeated by nobody when the clock is set back', async () => {
    const host = daemon(one)
    await launch()
    await tag(SCHEDULE_TAG, OFFICE)
    until(EVENING - NOTICE)
    await host.pass()
    until(EVENING)
    await host.pass()
    await settle()
    await store.change((tx) =>
      tx.updateInstance(id, { state: 'running', wanted: 'run', launchedAt: isoTime(clock.now()) }),
    )
    clock.set(EVENING - 5 * MINUTE)
    await host.pass()
    clock.pass(5 * MINUTE)
    await host.pass()
    expect(await state()).toMatch(/^running/)
  })

  it('ends with a time to live', async () => {
    const host = daemon(one)
    await launch()
    await tag(SCHEDULE_TAG, OFFICE)
    await tag(TTL_TAG, '9h')
    until(EVENING - NOTICE)
    await host.pass()
    until(EVENING)
    await host.pass()
    // Both are due: one of them is carried out.
    expect(await state()).toBe(ENDED)
  })
})
