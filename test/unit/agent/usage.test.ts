/** Usage, with real records: what a host counts, across its own end and that of others. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRecordsReader } from '../../../src/agent/reader.ts'
import { createUsage } from '../../../src/agent/usage.ts'
import { isoTime } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { ipv4FromNumber } from '../../../src/model/addr.ts'
import type { HostName } from '../../../src/model/ids.ts'
import type { Instance } from '../../../src/model/records.ts'
import { KEYS_MAX, VALUES_MAX } from '../../../src/model/usage.ts'
import type { UsageKeys } from '../../../src/plan/usage.ts'
import type { Store } from '../../../src/store/store.ts'
import { breakable, openRecords } from '../../kit/cluster-records.ts'
import { type HandClock, handClock } from '../../kit/hand-clock.ts'
import {
  account,
  hostName,
  instanceId,
  instanceRecord,
  numbered,
  volumeRecord,
} from '../../kit/records.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const START = Date.parse('2026-11-30T08:00:00Z')
const WRITE = MINUTE
const one = hostName('one')
const two = hostName('two')

let store: Store
let clock: HandClock
let uptimeMs: number

beforeEach(async () => {
  store = await openRecords([one, two])
  clock = handClock(START)
  uptimeMs = 1000 * HOUR
})
afterEach(() => store.close())

interface DaemonOptions {
  readonly host?: HostName
  readonly tagKeys?: UsageKeys
  readonly on?: Store
}

/** A daemon that has begun to count. */
async function daemon({ host = one, tagKeys = null, on = store }: DaemonOptions = {}) {
  const metrics = createMetrics()
  const reader = createRecordsReader(on, host, clock)
  const machineUptimeMs = () => uptimeMs
  const duty = createUsage({
    ...{ store: on, host, clock, metrics, keepDays: 400, tagKeys, machineUptimeMs },
  })
  const pass = async () =>
    duty.run(await reader.read({ fresh: false }), new AbortController().signal)
  await pass()
  await pass()
  return {
    duty,
    metrics,
    pass,
    /** Lets time pass, with a pass in each `every`. */
    async during(ms: number, every = MINUTE): Promise<void> {
      for (let left = ms; left > 0; left -= every) {
        clock.pass(Math.min(every, left))
        await pass()
      }
    },
  }
}

async function launch(at = 1, change: Partial<Instance> = {}): Promise<void> {
  const launched = { state: 'running', bootSeen: 1, launchedAt: isoTime(clock.now()) } as const
  await store.change((tx) =>
    tx.insertInstance({ ...instanceRecord(instanceId(at), one), ...launched, ...change }),
  )
}

const end = (at = 1) =>
  store.change((tx) =>
    tx.updateInstance(instanceId(at), { state: 'shutting-down', wanted: 'terminate' }),
  )

const tag = (resource: string, key: string, value: string, resourceType = 'instance') =>
  store.change((tx) => tx.putTags([{ account, resource, resourceType, key, value }]))

const sums = (tagKey = '') =>
  store.read((tx) => tx.usageSums({ from: '2026-01-01', to: '2027-12-31', tagKey, daily: false }))

/** In hours, of a tag's values or of all. */
async function hours(tagKey = ''): Promise<Record<string, number>> {
  const found = (await sums(tagKey)).map(({ tagValue, instanceSeconds }) => [
    tagValue ?? (tagKey === '' ? 'all' : 'others'),
    instanceSeconds / 3600,
  ])
  return Object.fromEntries(found)
}

describe('usage', () => {
  it('is what ran, with the vCPUs and the memory of its type, and what disks there were', async () => {
    const host = await daemon()
    await launch()
    await store.change((tx) =>
      tx.insertVolume(
        volumeRecord(1, { id: instanceId(1), host: one }, { createdAt: isoTime(clock.now()) }),
      ),
    )
    await host.during(2 * HOUR)
    await store.change((tx) =>
      tx.updateInstance(instanceId(1), { state: 'stopped', wanted: 'stop' }),
    )
    await host.pass()
    await host.during(HOUR)
    const [all, ...others] = await sums()
    expect(others).toEqual([])
    expect(all).toMatchObject({
      account,
      instanceSeconds: 2 * 3600,
      vcpuSeconds: 4 * 3600,
      memoryMiBSeconds: 2 * 1024 * 3600,
      // A stopped instance keeps its disk.
      diskGiBSeconds: 3 * 8 * 3600,
      addressSeconds: 0,
    })
    const text = await host.metrics.render()
    expect(text).toContain(`atoll_account_instance_seconds_total{account="${account}"} 7200`)
    expect(text).toContain(`atoll_account_disk_gib_seconds_total{account="${account}"} 86400`)
  })

  it('stays when instances are purged and their host is forgotten', async () => {
    const host = await daemon()
    await launch()
    await host.during(HOUR)
    await end()
    await host.pass()
    await host.during(WRITE)
    await store.change(async (tx) => {
      await tx.deleteInstance(instanceId(1))
      await tx.setHostState(one, 'forgotten')
    })
    expect(await hours()).toEqual({ all: 1 })
  })

  it('counts an instance from its launch, although its host saw it later', async () => {
    const host = await daemon()
    await host.during(HOUR, 10 * SECOND)
    clock.pass(3 * SECOND)
    await launch()
    clock.pass(7 * SECOND)
    await host.during(HOUR - 7 * SECOND, 10 * SECOND)
    await end()
    await host.pass()
    await host.duty.close()
    expect(await hours()).toEqual({ all: 1 })
  })

  it('goes on after a crash: what ran meanwhile counts, and nothing twice', async () => {
    const host = await daemon()
    await launch()
    await host.during(HOUR)
    // It was killed two minutes after it had written, and two hours later there is another.
    clock.pass(2 * HOUR)
    const next = await daemon()
    await next.during(HOUR)
    expect(await hours()).toEqual({ all: 4 })
    clock.pass(HOUR)
    const third = await daemon()
    await third.during(HOUR)
    expect(await hours()).toEqual({ all: 6 })
  })

  it('loses at most the time since the last writing of what ended while the daemon was away', async () => {
    const host = await daemon()
    await launch()
    await host.during(HOUR)
    await host.during(WRITE - SECOND)
    await end()
    clock.pass(HOUR)
    const next = await daemon()
    await next.during(WRITE)
    const { all = 0 } = await hours()
    expect(all).toBeLessThanOrEqual(1 + WRITE / HOUR)
    expect(all).toBeGreaterThanOrEqual(1)
  })

  it('does not count the time that the machine was off', async () => {
    const host = await daemon()
    await launch()
    await host.during(HOUR)
    clock.pass(10 * HOUR)
    uptimeMs = HOUR
    const next = await daemon()
    await next.during(WRITE)
    expect((await hours())['all']).toBeCloseTo(2 + WRITE / HOUR, 3)
  })

  it('loses nothing when the daemon ends in order, or the records are away for a while', async () => {
    let away: Error | null = null
    const host = await daemon({ on: breakable(store, () => away) })
    await launch()
    await host.during(HOUR)
    away = new Error('away')
    for (let at = 0; at < 60; at += 1) {
      clock.pass(MINUTE)
      await host.pass().catch(() => undefined)
    }
    away = null
    clock.pass(HOUR)
    await host.pass()
    await host.duty.close()
    expect(await hours()).toEqual({ all: 3 })
  })

  it('is of the day on which it was used, in UTC', async () => {
    const host = await daemon()
    await launch()
    await host.during(24 * HOUR, 10 * MINUTE)
    await host.duty.close()
    const daily = await store.read((tx) =>
      tx.usageSums({ from: '2026-11-30', to: '2026-12-01', tagKey: '', daily: true }),
    )
    expect(daily.map(({ day, instanceSeconds }) => [day, instanceSeconds / 3600])).toEqual([
      ['2026-11-30', 16],
      ['2026-12-01', 8],
    ])
    const first = { from: '2026-11-30', to: '2026-11-30', tagKey: '', daily: false }
    expect(await store.read((tx) => tx.usageSums(first))).toMatchObject([
      { instanceSeconds: 16 * 3600 },
    ])
  })

  it('does not jump with the clock', async () => {
    const host = await daemon()
    await launch()
    await host.during(HOUR)
    clock.set(clock.now() + 1000 * HOUR)
    await host.during(HOUR)
    clock.set(clock.now() - 1000 * HOUR)
    await host.during(HOUR)
    expect((await hours())['all']).toBeCloseTo(3, 3)
  })

  it('by tag follows the tags as they were', async () => {
    const host = await daemon()
    await launch()
    await tag(instanceId(1), 'team', 'red')
    await tag(instanceId(1), 'Name', 'web-1')
    await launch(2)
    await host.during(HOUR)
    await tag(instanceId(1), 'team', 'blue')
    await host.pass()
    await host.during(2 * HOUR)
    expect(await hours()).toEqual({ all: 6 })
    expect(await hours('team')).toEqual({ red: 1, blue: 2 })
    expect(await hours('Name')).toEqual({})
  })

  it('by tag is kept of the keys of the settings only, where they name some', async () => {
    const host = await daemon({ tagKeys: ['Name'] })
    await launch()
    await tag(instanceId(1), 'team', 'red')
    await tag(instanceId(1), 'Name', 'web-1')
    await host.during(HOUR)
    expect(await hours('team')).toEqual({})
    expect(await hours('Name')).toEqual({ 'web-1': 1 })
  })

  it('has a limited number of records, whatever tags there are', async () => {
    const host = await daemon()
    const MANY = VALUES_MAX + 20
    for (let at = 1; at <= MANY; at += 1) {
      await launch(at)
      await tag(instanceId(at), 'build', `${at}`)
    }
    for (let at = 0; at < 50; at += 1) await tag(instanceId(1), `key-${at}`, 'x')
    await host.during(WRITE)
    const build = await hours('build')
    expect(Object.keys(build)).toHaveLength(VALUES_MAX + 1)
    expect(build['others']).toBeCloseTo((20 * WRITE) / HOUR, 1)
    const records = await store.read((tx) => tx.usageOf(one, '2026-11-30'))
    expect(new Set(records.map(({ tagKey }) => tagKey)).size).toBeLessThanOrEqual(KEYS_MAX + 1)
    await host.during(WRITE)
    // A restart goes on with the same ones.
    const next = await daemon()
    await next.during(WRITE)
    expect(Object.keys(await hours('build'))).toHaveLength(VALUES_MAX + 1)
  })

  it('is deleted after its time', async () => {
    const old = { day: '2025-01-01', host: one, account, tagKey: '', tagValue: null, untilMs: 1 }
    const nothing = { vcpuSeconds: 0, memoryMiBSeconds: 0, diskGiBSeconds: 0, addressSeconds: 0 }
    await store.change((tx) => tx.putUsage({ ...old, ...nothing, instanceSeconds: 5 }))
    const host = await daemon()
    await host.during(WRITE)
    expect(await store.read((tx) => tx.usageOf(one, '2025-01-01'))).toEqual([])
  })
})

describe('floating IPs', () => {
  const allocate = (at: number) =>
    store.change((tx) =>
      tx.insertAddress({
        id: numbered('eipalloc', at),
        account,
        ip: ipv4FromNumber(3_405_803_776 + at),
        pool: 'public',
        isAutomatic: false,
        association: null,
        createdAt: isoTime(clock.now()),
      }),
    )
  const seconds = async () => (await sums())[0]?.addressSeconds ?? 0

  it('are counted once, by whichever hosts there are', async () => {
    const hosts = [await daemon(), await daemon({ host: two })]
    await allocate(1)
    await tag(numbered('eipalloc', 1), 'team', 'red', 'elastic-ip')
    for (let at = 0; at < 120; at += 1) {
      clock.pass(WRITE)
      await Promise.all(hosts.map((host) => host.pass()))
    }
    expect(Math.abs((await seconds()) - 2 * 3600)).toBeLessThanOrEqual(WRITE / SECOND)
    expect((await sums('team'))[0]?.addressSeconds).toBe(await seconds())
    const counted = await Promise.all(hosts.map(({ metrics }) => metrics.render()))
    const all = counted
      .map((text) =>
        Number(/atoll_account_address_seconds_total\{[^}]*\} (\d+)/.exec(text)?.[1] ?? 0),
      )
      .reduce((sum, count) => sum + count, 0)
    expect(all).toBe(await seconds())
  })

  it('are counted on when the host that did it is gone, and all hosts were away', async () => {
    const first = await daemon()
    await allocate(1)
    await first.during(HOUR)
    clock.pass(5 * HOUR)
    const second = await daemon({ host: two })
    await second.during(HOUR)
    expect(Math.abs((await seconds()) - 7 * 3600)).toBeLessThanOrEqual(WRITE / SECOND)
  })
})
