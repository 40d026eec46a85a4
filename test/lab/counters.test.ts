/**
 * Counters of NICs and of rules on the real kernel, as metrics: they are what real packets were,
 * survive updates, replacements and a new daemon, end with what they are of, and cost little to
 * read on a host with many instances.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createMetrics } from '../../src/lib/metrics.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { counterRooms, createCounters } from '../../src/services/firewall/counters.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { LONE_FIREWALL } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { createTestbed, metricValue, type Testbed, testInstance, testWant } from '../kit/testbed.ts'

const [ALICE, BOB, CAROL] = [testInstance(11, [1]), testInstance(12, [1]), testInstance(13, [2])]
const MANY = 500
const SCRAPES = 5
/** The target; a loaded machine takes longer, so the test allows more. */
const SCRAPE_MS = 100

let testbed: Testbed
let alice: Netns
let bob: Netns
const want = testWant(ALICE, BOB, CAROL)

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  alice = await testbed.plug(ALICE)
  bob = await testbed.plug(BOB)
})
afterAll(() => testbed.destroy())

function ipOf({ nics: [nic] }: InstanceWant): string {
  return nic?.ip ?? ''
}

function packets(
  { id }: InstanceWant,
  direction: 'in' | 'out',
  verdict: 'accepted' | 'dropped',
  what = 'packets',
): Promise<number> {
  return metricValue(
    testbed.metrics,
    `atoll_nic_${what}_total{instance="${id}"`,
    `direction="${direction}",verdict="${verdict}"`,
  )
}

function ofRule(group: string, direction: 'in' | 'out'): Promise<number> {
  return metricValue(
    testbed.metrics,
    `atoll_security_group_rule_packets_total{group="${group}"`,
    `direction="${direction}"`,
  )
}

const ping = (from: Netns, to: string, count = 1, wait = '0.5') =>
  from.run(['ping', '-c', `${count}`, '-i', '0.01', '-s', '100', '-W', wait, to])

test('packets and bytes of a NIC are counted both ways, accepted and dropped', async () => {
  const before = await Promise.all([
    packets(ALICE, 'out', 'accepted'),
    packets(ALICE, 'out', 'accepted', 'bytes'),
    packets(ALICE, 'in', 'accepted'),
    packets(BOB, 'in', 'accepted'),
    packets(ALICE, 'out', 'dropped'),
    packets(CAROL, 'in', 'dropped'),
  ])
  await ping(alice, ipOf(BOB), 5, '5')
  await ping(alice, ipOf(CAROL), 3)
  const after = await Promise.all([
    packets(ALICE, 'out', 'accepted'),
    packets(ALICE, 'out', 'accepted', 'bytes'),
    packets(ALICE, 'in', 'accepted'),
    packets(BOB, 'in', 'accepted'),
    packets(ALICE, 'out', 'dropped'),
    packets(CAROL, 'in', 'dropped'),
  ])
  const bytes = 5 * (100 + 28)
  expect(after.map((now, at) => now - (before[at] ?? 0))).toEqual([5, bytes, 5, 5, 3, 3])
})

test('a packet to the host itself is accepted, too', async () => {
  const before = await packets(ALICE, 'out', 'accepted')
  await ping(alice, `${ALICE.nics[0]?.gateway}`, 2)
  expect((await packets(ALICE, 'out', 'accepted')) - before).toBe(2)
})

test('rules count what they let begin', async () => {
  const group = `${ALICE.nics[0]?.groups[0]?.id}`
  const before = [await ofRule(group, 'out'), await ofRule(group, 'in')]
  await ping(alice, ipOf(BOB))
  await ping(alice, ipOf(CAROL))
  const after = [await ofRule(group, 'out'), await ofRule(group, 'in')]
  // Both leave by the rule of the sender's group; only one may go in.
  expect(after.map((now, at) => now - (before[at] ?? 0))).toEqual([2, 1])
})

test('nothing is lost by updates, by a replacement, by damage, or with a new daemon', async () => {
  const group = `${ALICE.nics[0]?.groups[0]?.id}`
  const counted = async () => [
    await packets(ALICE, 'out', 'accepted'),
    await packets(ALICE, 'out', 'accepted', 'bytes'),
    await packets(ALICE, 'out', 'dropped'),
    await ofRule(group, 'out'),
    await metricValue(testbed.metrics, 'atoll_firewall_dropped_packets_total', 'reason="group"'),
  ]
  await ping(alice, ipOf(BOB))
  await ping(alice, ipOf(CAROL))
  const before = await counted()
  expect(Math.min(...before)).toBeGreaterThan(0)
  await testbed.pass(testWant(ALICE, BOB, CAROL, testInstance(14, [1, 2])))
  expect(await counted()).toEqual(before)
  await testbed.pass(want)
  expect(await counted()).toEqual(before)
  await testbed.machine.must(['nft', 'flush', 'chain', 'inet', 'atoll', 'forward'])
  await testbed.pass(want, { resync: true })
  expect(await metricValue(testbed.metrics, 'atoll_firewall_drift_total')).toBeGreaterThan(0)
  expect(await counted()).toEqual(before)
  // A daemon that knows nothing goes on with what the kernel has counted.
  const metrics = createMetrics()
  const settings = { ...LONE_FIREWALL }
  const next = createFirewall({ host: testbed.host, metrics, settings, instanceMemoryMiB: 2048 })
  const signal = new AbortController().signal
  await next.apply({ want, resync: false, signal, log: silentLog })
  const [outNow] = [
    await metricValue(
      metrics,
      `atoll_nic_packets_total{instance="${ALICE.id}"`,
      'direction="out",verdict="accepted"',
    ),
  ]
  expect(outNow).toBe(before[0])
  await next.close()
  await ping(alice, ipOf(BOB))
  await testbed.pass(want, { resync: true })
  expect((await counted())[0]).toBe((before[0] ?? 0) + 1)
})

test('what is gone has no metrics any more, and what has no room is counted with others', async () => {
  const series = async (metrics: Testbed['metrics']) =>
    (await metrics.render())
      .split('\n')
      .filter((line) => line.startsWith('atoll_nic_packets_total'))
  await testbed.pass(testWant(ALICE, BOB))
  expect((await series(testbed.metrics)).some((line) => line.includes(CAROL.id))).toBe(false)
  const metrics = createMetrics()
  const counters = createCounters(testbed.host, metrics, counterRooms({ interfaces: 1, rules: 1 }))
  counters.follow(want)
  await ping(bob, ipOf(ALICE))
  const lines = await series(metrics)
  expect(new Set(lines.map((line) => /nic="([^"]*)"/.exec(line)?.[1])).size).toBe(2)
  expect(lines.some((line) => line.includes('nic="others"'))).toBe(true)
  const rules = (await metrics.render()).match(/^atoll_security_group_rule_packets_total/gm)
  expect(rules?.length).toBe(1)
  counters.close()
  expect((await series(metrics)).every((line) => line.includes('others'))).toBe(true)
  await testbed.pass(want)
})

test(`metrics of ${MANY} instances are read in time`, async () => {
  const many = Array.from({ length: MANY }, (_, at) => testInstance(100 + at, [1]))
  // The firewall alone: 500 links take long to make.
  const [firewall] = testbed.services
  const signal = new AbortController().signal
  const all = testWant(ALICE, BOB, CAROL, ...many)
  await firewall?.apply({ want: all, resync: false, signal, log: silentLog })
  await testbed.metrics.render()
  const took: number[] = []
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const began = performance.now()
    await testbed.metrics.render()
    took.push(performance.now() - began)
  }
  const fastest = Math.min(...took)
  console.log(`metrics of ${MANY} instances: ${took.map((ms) => ms.toFixed(1)).join(', ')} ms`)
  expect(fastest).toBeLessThan(3 * SCRAPE_MS)
  await testbed.pass(want)
  await eventually(
    'their metrics are gone',
    async () => !(await testbed.metrics.render()).includes(`${many[7]?.id}`),
  )
})
