/**
 * Firewall and links when the kernel refuses: the k-th call fails, for every k, and the next pass
 * repairs everything. And when somebody else takes away what is there, before the k-th call.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { DOCKER } from '../../src/containers/declaration.ts'
import { removeAllOfOurs } from '../../src/host/cleanup.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicDifferences, nicSpec } from '../../src/host/network/nic.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import type { HostWant } from '../../src/model/want.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { createLinks } from '../../src/services/links.ts'
import { LONE_FIREWALL, NO_FABRIC } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import type { Failures } from '../kit/every-failure.ts'
import { failing } from '../kit/every-failure.ts'
import type { Testbed } from '../kit/testbed.ts'
import { createTestbed, metricValue, TEST_MTU, testInstance, testWant } from '../kit/testbed.ts'
import { isLong } from '../long-files.ts'

const BEFORE = testWant(testInstance(11, [1]), testInstance(12, [1]))
/** One goes, one comes, one stays. */
const AFTER = testWant(testInstance(12, [1]), testInstance(13, [1, 2]))

let testbed: Testbed
let failures: Failures

beforeAll(async () => {
  testbed = await createTestbed({
    wrap: (host) => {
      const wrapped = failing(host)
      failures = wrapped.failures
      return wrapped.port
    },
  })
})

afterAll(() => testbed.destroy())

async function expectConverged(want: HostWant): Promise<void> {
  const specs = want.local.instances.flatMap((each) =>
    each.nics.map((nic) => nicSpec(nic, TEST_MTU, 'veth')),
  )
  const states = new Map((await testbed.host.nics()).map((state) => [state.hostLink, state]))
  expect([...states.keys()].toSorted()).toEqual(specs.map((spec) => spec.hostLink).toSorted())
  for (const spec of specs) expect(nicDifferences(spec, states.get(spec.hostLink))).toEqual([])
  const rules = await testbed.host.listTable('inet', 'atoll')
  for (const spec of specs) expect(rules).toContain(spec.hostLink)
  expect(await testbed.machine.must(['ip', 'route'])).toContain('unreachable 172.31.0.0/16')
}

test.each(['before', 'after'] as const)('a call that fails %s it is done', async (when) => {
  let call = 0
  do {
    call += 1
    await removeAllOfOurs()
    await testbed.pass(BEFORE)
    failures.arm(call, when)
    await testbed.pass(AFTER).catch(() => {})
    failures.disarm()
    await testbed.pass(AFTER)
    await expectConverged(AFTER)
  } while (failures.fired)
  // Every call of a whole pass was tried, and not only a few.
  expect(call).toBeGreaterThan(12)
})

/** What somebody else may do to the kernel's state, as shell commands. */
const DAMAGES = {
  rules: 'nft flush ruleset',
  links: 'for link in /sys/class/net/at-h*; do ip link delete $(basename $link); done',
  routes: 'ip route flush proto 167; ip neigh flush all',
  addresses: 'for link in /sys/class/net/at-*; do ip address flush dev $(basename $link); done',
  everything:
    'nft flush ruleset; for link in /sys/class/net/at-*; do ip link delete $(basename $link); done',
} as const

test('what is taken away in the middle of a pass is there after the next one', async () => {
  const damages = Object.values(DAMAGES)
  let call = 0
  do {
    // In the short mode every second call has one of them.
    call += isLong ? 1 : 2
    const some = isLong ? damages : damages.slice(call % damages.length).slice(0, 1)
    for (const damage of some) {
      await removeAllOfOurs()
      await testbed.pass(BEFORE)
      const work = () => testbed.machine.run(['sh', '-c', damage])
      failures.interrupt(call, work)
      await testbed.pass(AFTER).catch(() => {})
      failures.disarm()
      await testbed.pass(AFTER)
      await expectConverged(AFTER)
    }
  } while (failures.fired)
  expect(call).toBeGreaterThan(12)
})

test('one bad NIC does not stop the others', async () => {
  await removeAllOfOurs()
  await testbed.pass(testWant())
  // The kernel refuses a route whose source is no address of the host's.
  const [bad, good] = [testInstance(21, [1]), testInstance(22, [1])]
  const [nic] = bad.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  const broken = { ...bad, nics: [{ ...nic, gateway: nic.ip }] }
  await expect(testbed.pass(testWant(broken, good))).rejects.toMatchObject({ kind: 'unavailable' })
  const links = (await testbed.host.nics()).filter((state) => state.routes.length > 0)
  expect(links.map((state) => state.routes[0]?.ip)).toContain(good.nics[0]?.ip)
  expect(await metricValue(testbed.metrics, 'atoll_links_failed_total')).toBeGreaterThan(0)
  await testbed.pass(testWant(good))
  await expectConverged(testWant(good))
})

test('the link of an instance that ends is kept while it is there, and not made again when it went with its guest', async () => {
  await removeAllOfOurs()
  const ended = testInstance(14, [1])
  await testbed.pass(testWant(ended))
  const ending = testWant({ ...ended, run: 'terminate' })
  await testbed.pass(ending)
  await expectConverged(ending)
  for (const { hostLink } of await testbed.host.nics()) await testbed.host.removeNic(hostLink)
  await testbed.pass(ending)
  expect(await testbed.host.nics()).toEqual([])
})

test('a second daemon that knows nothing changes nothing, and removes what is in no want', async () => {
  await removeAllOfOurs()
  await testbed.pass(AFTER)
  const before = await testbed.machine.must(['ip', 'link'])
  const metrics = createMetrics()
  const host = createLinuxHost({ log: silentLog })
  const fresh = [
    createFirewall({
      host,
      metrics,
      settings: LONE_FIREWALL,
      instanceMemoryMiB: 2048,
    }),
    createLinks({
      ...{ host, metrics, mtu: TEST_MTU, fabric: NO_FABRIC, drivers: [DOCKER] },
      foundLoose: () => undefined,
    }),
  ]
  const signal = new AbortController().signal
  for (const want of [AFTER, testWant()])
    for (const service of fresh) {
      await service.apply({ want, resync: false, signal, log: silentLog })
      if (want === AFTER) expect(await testbed.machine.must(['ip', 'link'])).toBe(before)
    }
  expect(await host.nics()).toEqual([])
  await host.close()
})

test('removing everything leaves nothing of ours and everything of others', async () => {
  await testbed.machine.must(['nft', 'add', 'table', 'inet', 'theirs'])
  await testbed.machine.must([
    'sh',
    '-ec',
    'iptables-nft -N DOCKER-USER; iptables-nft -A DOCKER-USER -j RETURN',
  ])
  await testbed.pass(AFTER, { resync: true })
  expect(await removeAllOfOurs()).not.toEqual([])
  const links = await testbed.machine.must(['ip', '-br', 'link'])
  expect(links).not.toContain('at-')
  expect(links).toContain('up0')
  expect(await testbed.machine.must(['ip', 'route'])).not.toMatch(/proto 167|172\.31/)
  const rules = await testbed.machine.must(['nft', 'list', 'ruleset'])
  expect(rules).not.toContain('atoll')
  expect(rules).toContain('theirs')
  expect(await testbed.machine.must(['iptables-nft', '-S', 'DOCKER-USER'])).toContain('-j RETURN')
  expect(await removeAllOfOurs()).toEqual([])
})
