/** Events on their way from the records to the bus, and hosts that are lost and live again. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type EventPublisher, startEventPublisher } from '../../../src/agent/events.ts'
import { createLocalBus } from '../../../src/bus/local.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { type CloudEvent, eventSchemas } from '../../../src/model/cloud-event.ts'
import { unavailable } from '../../../src/model/errors.ts'
import type { InstanceCheck } from '../../../src/model/instance-check.ts'
import { TTL_TAG } from '../../../src/model/lever.ts'
import { notingEvents } from '../../../src/store/cloud-events.ts'
import type { Store, Tx } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { LONG_MS, OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { hostName, hostRecord, instanceId, instanceRecord } from '../../kit/records.ts'

const [one, two] = [hostName('host-1'), hostName('host-2')]
const id = instanceId(1)

let store: Store
let running: EventPublisher[]
let heard: CloudEvent[]
beforeEach(async () => {
  store = await openRecords([one, two])
  running = []
  heard = []
})
afterEach(async () => {
  for (const publisher of running) await publisher.close()
  await store.close()
})

function start(host: typeof one, more: { readonly away?: () => boolean } = {}) {
  const bus = createLocalBus()
  bus.onEvent((event) => heard.push(event))
  const publisher = startEventPublisher(
    {
      ...{ store, clock: fastClock(40), log: silentLog, metrics: createMetrics() },
      bus: {
        publish: async (event) => {
          if (more.away?.() === true) throw unavailable('the broker is away')
          return await bus.publish(event)
        },
      },
      ...{ random: () => 0.5, hosts: () => 2, isLeaseHeld: () => true },
    },
    { host, region: 'atoll', leftMs: 100 },
  )
  running.push(publisher)
  return publisher
}

/** A clock on which nobody waits. */
function skippingClock(): Clock {
  let now = 0
  return {
    ...systemClock,
    monotonic: () => now,
    async sleep(ms) {
      now += ms
      await nextTurn()
    },
  }
}

const bodies = () => heard.map(({ body }) => JSON.parse(body))
const noting = (host: typeof one, news: () => void = () => undefined) =>
  notingEvents(store, host, news)
const left = () => store.read((tx) => tx.pendingEvents({ ageMs: 0 }, 100))

async function launch(host: typeof one, news?: () => void): Promise<void> {
  await noting(host, news).change((tx) =>
    tx.insertInstance({ ...instanceRecord(id, host), state: 'pending' }),
  )
}

describe('an event', () => {
  it("is published in EventBridge's form, and removed from the records", async () => {
    const publisher = start(one)
    await launch(one, publisher.wake)
    await expect.poll(bodies).toHaveLength(1)
    const [body] = bodies()
    expect(eventSchemas['instance-state-change'].parse(body)).toMatchObject({
      account: '000000000001',
      region: 'atoll',
      resources: [`arn:aws:ec2:atoll:000000000001:instance/${id}`],
      detail: { 'instance-id': id, state: 'pending' },
    })
    expect(heard[0]?.routingKey).toBe('000000000001.instance-state-change.pending')
    await expect.poll(left).toEqual([])
  })

  it('of a host that died before it published it is published by another, with the same id', async () => {
    await launch(two)
    start(one)
    await expect.poll(bodies, { timeout: 20_000 }).toHaveLength(1)
    const [before] = heard
    await expect.poll(left).toEqual([])
    // The other host had published it, and died before it could remove it.
    await store.change((tx) => tx.deleteInstance(id))
    await launch(two)
    await expect.poll(bodies, { timeout: 20_000 }).toHaveLength(2)
    expect(heard[1]?.id).toBe(before?.id)
  })

  it('waits in the records while the bus takes none', async () => {
    let isAway = true
    const publisher = start(one, { away: () => isAway })
    await launch(one, publisher.wake)
    await noting(one, publisher.wake).change((tx) => tx.updateInstance(id, { state: 'running' }))
    await expect.poll(left).toHaveLength(2)
    expect(heard).toEqual([])
    isAway = false
    await expect.poll(bodies, { timeout: 20_000 }).toHaveLength(2)
    expect(bodies().map(({ detail }) => detail.state)).toEqual(['pending', 'running'])
  })
})

describe('a host', () => {
  it.each([
    { hosts: 2, everySeconds: 5 },
    { hosts: 10, everySeconds: 10 },
    { hosts: 100, everySeconds: 100 },
  ])('of $hosts looks for others every $everySeconds s', async ({ hosts, everySeconds }) => {
    const hours = 4
    let reads = 0
    let turns = 0
    const clock = skippingClock()
    const publisher = startEventPublisher(
      {
        ...{ clock, log: silentLog, metrics: createMetrics(), bus: createLocalBus() },
        store: {
          ...store,
          read: (work) => {
            reads += 1
            return store.read(work)
          },
        },
        // 0, 1/97, 36/97 and so on: each multiple of 1/97 once in 97 turns.
        random: () => ((turns++ * 36) % 97) / 97,
        ...{ hosts: () => hosts, isLeaseHeld: () => true },
      },
      { host: one, region: 'atoll' },
    )
    running.push(publisher)
    await expect.poll(clock.monotonic, { timeout: 20_000 }).toBeGreaterThan(hours * 3_600_000)
    await publisher.close()
    // At hosts, and at events.
    const looks = reads / 2
    const expected = clock.monotonic() / 1000 / everySeconds
    expect(looks / expected).toBeGreaterThan(0.8)
    expect(looks / expected).toBeLessThan(1.2)
  })

  it('that is lost is told of once, by whichever host sees it, and again when it lives', async () => {
    start(one)
    start(hostName('host-3'))
    const lease = (ms: number) => store.change((tx) => tx.upsertHost(hostRecord(two), ms))
    await lease(OVER_MS)
    // Both may publish it before one has removed it: with the same id.
    const states = () => {
      const byId = new Map(bodies().map((body) => [body.id, body.detail]))
      return [...byId.values()].map(({ host, state }) => `${host} ${state}`)
    }
    await expect.poll(states, { timeout: 20_000 }).toEqual(['host-2 lost'])
    await lease(LONG_MS)
    await expect.poll(states, { timeout: 20_000 }).toEqual(['host-2 lost', 'host-2 live'])
    for (const body of bodies()) eventSchemas['host-state-change'].parse(body)
    expect(heard[0]?.routingKey).toBe('operator.host-state-change.lost')
  })

  it('that is lost is told of to the accounts of its instances, and so is its return', async () => {
    const publisher = start(one)
    await launch(two)
    const health = () =>
      bodies()
        .filter(({ source }) => source === 'aws.health')
        .map((body) => {
          const { detail } = eventSchemas['instance-event'].parse(body)
          return `${detail.eventTypeCode} ${detail.statusCode} ${detail.affectedEntities[0]?.entityValue}`
        })
    for (const [ms, status] of [
      [OVER_MS, 'open'],
      [LONG_MS, 'closed'],
    ] as const) {
      await store.change((tx) => tx.upsertHost(hostRecord(two), ms))
      publisher.wake()
      await expect
        .poll(health, { timeout: 20_000 })
        .toContain(`AWS_EC2_OPERATIONAL_ISSUE ${status} ${id}`)
    }
  })

  it('that an instance does not answer is told, and that it answers again', async () => {
    const publisher = start(one)
    await launch(one, publisher.wake)
    const [since, later] = ['2026-11-30T08:00:00.000Z', '2026-11-30T08:05:00.000Z']
    const say = (check: InstanceCheck) =>
      noting(one, publisher.wake).change((tx) => tx.updateInstance(id, { check }))
    await say({ bootCount: 1, result: 'passed', since })
    await say({ bootCount: 1, result: 'failed', since })
    const told = () =>
      heard
        .filter(({ routingKey }) => routingKey.includes('.instance-event.'))
        .map(({ routingKey, body }) => {
          const { detail } = eventSchemas['instance-event'].parse(JSON.parse(body))
          return [routingKey, detail.eventTypeCode, detail.statusCode, detail.startTime]
        })
    const code = 'AWS_EC2_OPERATIONAL_ISSUE'
    const key = '000000000001.instance-event'
    const opened = [`${key}.instance-impaired`, code, 'open', '2026-11-30T08:00:00Z']
    await expect.poll(told, { timeout: 20_000 }).toEqual([opened])
    await say({ bootCount: 2, result: 'passed', since: later })
    await say({ bootCount: 2, result: 'unknown', since: later })
    await say({ bootCount: 2, result: 'passed', since: later })
    const closed = [`${key}.instance-ok`, code, 'closed', '2026-11-30T08:05:00Z']
    await expect.poll(told, { timeout: 20_000 }).toEqual([opened, closed])
    await expect.poll(left).toEqual([])
  })

  it('tells that a hung instance will be rebooted, that it will not, and that it was', async () => {
    const publisher = start(one)
    await launch(one, publisher.wake)
    const [since, later] = ['2026-11-30T08:00:00.000Z', '2026-11-30T08:05:00.000Z']
    const say = (change: Parameters<Tx['updateInstance']>[1]) =>
      noting(one, publisher.wake).change((tx) => tx.updateInstance(id, change))
    const failed = { bootCount: 1, result: 'failed', since, answered: true } as const
    const passed = { ...failed, result: 'passed', since: later } as const
    const told = () =>
      heard
        .filter(({ routingKey }) => routingKey.includes('.instance-event.'))
        .map(({ routingKey, body }) => {
          const { detail } = eventSchemas['instance-event'].parse(JSON.parse(body))
          return [routingKey.split('.').at(-1), detail.statusCode, detail.startTime]
        })
    const rounds: readonly [Parameters<typeof say>[0], string[][]][] = [
      [{ check: failed }, [['instance-impaired', 'open', '2026-11-30T08:00:00Z']]],
      [
        { check: { ...failed, rebootAt: later } },
        [['instance-reboot', 'upcoming', '2026-11-30T08:05:00Z']],
      ],
      [
        { check: passed },
        [
          ['instance-ok', 'closed', '2026-11-30T08:05:00Z'],
          ['instance-reboot-withdrawn', 'closed', '2026-11-30T08:05:00Z'],
        ],
      ],
      [{ check: failed }, [['instance-impaired', 'open', '2026-11-30T08:00:00Z']]],
      [
        { check: { ...failed, rebootAt: later } },
        [['instance-reboot', 'upcoming', '2026-11-30T08:05:00Z']],
      ],
      [
        { bootCount: 2, rebooted: [later], check: failed },
        [['instance-rebooted', 'closed', '2026-11-30T08:05:00Z']],
      ],
      [{ check: { ...passed, bootCount: 2 } }, [['instance-ok', 'closed', '2026-11-30T08:05:00Z']]],
    ]
    let before = 0
    for (const [change, expected] of rounds) {
      await say(change)
      const news = () => told().slice(before).toSorted()
      await expect.poll(news, { timeout: 20_000 }).toEqual(expected)
      before = told().length
    }
    await expect.poll(left).toEqual([])
  })

  it("announces an end in AWS Health's form, with the time of the end", async () => {
    const publisher = start(one)
    await launch(one, publisher.wake)
    const startsMs = Date.parse('2026-11-30T08:00:00Z')
    const strike = { kind: 'terminate', dueMs: startsMs, notBeforeMs: startsMs } as const
    const lever = { instance: id, tag: TTL_TAG, fromMs: 0, strike } as const
    await noting(one, publisher.wake).change((tx) => tx.putLever(lever))
    await expect.poll(bodies).toHaveLength(2)
    const told = heard.find(({ routingKey }) => routingKey.includes('.instance-event.'))
    const { detail } = eventSchemas['instance-event'].parse(JSON.parse(told?.body ?? ''))
    expect(detail).toMatchObject({
      eventTypeCode: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
      statusCode: 'upcoming',
      startTime: '2026-11-30T08:00:00Z',
    })
    expect(told?.routingKey).toBe('000000000001.instance-event.instance-retirement')
  })

  it('that is drained is told of, and so is every instance on it', async () => {
    const publisher = start(one)
    await launch(two, publisher.wake)
    await noting(one, publisher.wake).change((tx) => tx.setHostState(two, 'draining'))
    await expect.poll(bodies).toHaveLength(3)
    const types = bodies().map((body) => body['detail-type'])
    expect(types.toSorted()).toEqual([
      'AWS Health Event',
      'Atoll Host State-change Notification',
      'EC2 Instance State-change Notification',
    ])
    const health = bodies().find(({ source }) => source === 'aws.health')
    expect(eventSchemas['instance-event'].parse(health).detail.affectedEntities).toEqual([
      { entityValue: id },
    ])
  })
})
