/**
 * Counters and their metrics under attack: other programs' counters with our names, elements and
 * counters that others add to our tables, rules that are replaced during a scrape, values near the
 * end of 64 bits, tags of tenants.
 *
 * On the old code a scrape between the reading of counters and the replacement of their tables
 * counted all that a NIC had ever sent once more. The rest held when first tried.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nextTurn } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { nicLinkName } from '../../src/model/names.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { counterRooms, createCounters } from '../../src/services/firewall/counters.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { numbered } from '../kit/records.ts'
import { createTestbed, metricValue, type Testbed, testInstance, testWant } from '../kit/testbed.ts'

/** What a tenant may write into tags (EC2: any character). */
const HOSTILE = '"} 1\natoll_up{x="\\"\n# HELP atoll_evil \u2028\u0000'
const hostile = (number: number): InstanceWant => ({
  ...testInstance(number, [1]),
  tags: [
    { key: 'Name', value: HOSTILE },
    { key: HOSTILE, value: HOSTILE },
  ],
})
const [ALICE, BOB] = [hostile(11), hostile(12)]
const want = testWant(ALICE, BOB)

let testbed: Testbed
let alice: Netns

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  alice = await testbed.plug(ALICE)
  await testbed.plug(BOB)
})
afterAll(() => testbed.destroy())

const ping = (count: number) =>
  alice.must(['ping', `-c${count}`, '-i0.02', '-W10', `${BOB.nics[0]?.ip}`])
const accepted = (instance: InstanceWant) =>
  metricValue(
    testbed.metrics,
    `atoll_nic_packets_total{instance="${instance.id}"`,
    'direction="out",verdict="accepted"',
  )
const dropped = () => metricValue(testbed.metrics, 'atoll_firewall_dropped_packets_total')

/** The series of our counters. */
async function series(): Promise<readonly string[]> {
  const lines = (await testbed.metrics.render()).split('\n')
  return lines.filter((line) => /^atoll_(nic|security_group_rule|firewall_dropped)/.test(line))
}

test('tags of tenants are no labels, and every line is a metric', async () => {
  await ping(1)
  const lines = await series()
  expect(lines.length).toBeGreaterThan(3)
  for (const line of lines)
    expect(line).toMatch(/^atoll_\w+\{(?:[a-z]+="[\w-]+",?)+\} \d+(?:\.\d+)?(?:e\+\d+)?$/)
  expect(await testbed.metrics.render()).not.toContain('atoll_evil')
})

test('counters of others with our names count for nothing', async () => {
  const before = [await dropped(), await accepted(ALICE), (await series()).length]
  const names = ['dropped_group', 'dropped_spoofed', 'rule_sgr_0123456789abcdef0', 'nic_out']
  const tables = ['inet evil', 'ip atoll_evil']
  await testbed.host.applyRules(
    [
      ...tables.flatMap((table) => [
        `add table ${table}`,
        ...names.map((name) => `add counter ${table} ${name} packets 777777 bytes 888888`),
      ]),
      'add counter inet atoll mine packets 777777 bytes 1\n',
    ].join('\n'),
  )
  expect([await dropped(), await accepted(ALICE), (await series()).length]).toEqual(before)
  await testbed.host.applyRules('delete table inet evil\ndelete table ip atoll_evil\n')
  // What somebody adds to our table is drift, and goes.
  await testbed.pass(want, { resync: true })
  const listing = await testbed.machine.must(['nft', 'list', 'table', 'inet', 'atoll'])
  expect(listing).not.toContain('counter mine')
  expect([await dropped(), await accepted(ALICE)]).toEqual(before.slice(0, 2))
})

test('a thousand counters of others make no series, and a scrape is still an answer', async () => {
  const counters = Array.from({ length: 2000 }, (_, at) => `add counter inet many c${at}\n`)
  await testbed.host.applyRules(`add table inet many\n${counters.join('')}`)
  const before = (await series()).length
  await ping(1)
  expect((await series()).length).toBe(before)
  expect(await metricValue(testbed.metrics, 'atoll_firewall_counter_errors_total')).toBe(0)
  await testbed.host.applyRules('delete table inet many\n')
})

test('metrics never go back while rules are replaced, and nothing is counted twice', async () => {
  const before = await accepted(ALICE)
  const ended = new AbortController()
  const scraping = (async () => {
    for (let last = before; !ended.signal.aborted; ) {
      const now = await accepted(ALICE)
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
      await nextTurn()
    }
  })()
  try {
    const replacing = (async () => {
      for (let round = 0; round < 5; round++) {
        await testbed.machine.must(['nft', 'add', 'counter', 'inet', 'atoll', 'mine'])
        await testbed.pass(want, { resync: true })
      }
    })()
    await Promise.all([ping(60), replacing])
  } finally {
    ended.abort()
  }
  await scraping
  const counted = (await accepted(ALICE)) - before
  // What is sent between the reading and the replacement is not counted.
  expect(counted).toBeGreaterThan(20)
  expect(counted).toBeLessThanOrEqual(60)
})

test('a counter that somebody sets, or that reaches the end of 64 bits, makes no metric go back', async () => {
  const link = nicLinkName(ALICE.nics[0]?.id ?? numbered('eni', 1))
  const metrics = createMetrics()
  const values = [5n, 2n ** 64n - 1n, 3n, 0n, 9n]
  const counters = createCounters(
    {
      ruleCounters: async () => new Map(),
      linkCounters: async (_table, set) =>
        new Map(
          set.includes('out')
            ? [[link, { packets: Number(values[0] ?? 0n), bytes: Number(values[0] ?? 0n) }]]
            : [],
        ),
    },
    metrics,
    counterRooms(),
  )
  counters.follow(want)
  let last = 0
  while (values.length > 0) {
    const now = await metricValue(metrics, `atoll_nic_packets_total{instance="${ALICE.id}"`)
    expect(now).toBeGreaterThanOrEqual(last)
    expect(Number.isFinite(now)).toBe(true)
    last = now
    values.shift()
  }
  counters.close()
})
