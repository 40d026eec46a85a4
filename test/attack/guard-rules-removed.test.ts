/**
 * The rules are removed, as the reload of a firewall does (`nft flush ruleset` of Debian's
 * nftables.service), while no daemon runs that would load them again.
 *
 * Before: after `nft delete table inet atoll`, instances reached closed ports of the host and of
 * each other, and the outside reached instances, until a daemon was started.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRepairLoop } from '../../src/agent/repair.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { nicLinkName } from '../../src/model/names.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { reaches } from '../kit/ping.ts'
import {
  createTestbed,
  metricValue,
  OUTSIDE_ADDRESS,
  TEST_GATEWAY,
  type Testbed,
  testInstance,
  testWant,
  UPLINK_ADDRESS,
} from '../kit/testbed.ts'

const ALICE = testInstance(11, [1])
const BOB = testInstance(12, [2])
const want = testWant(ALICE, BOB)

let testbed: Testbed
let alice: Netns
let bob: Netns

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  ;[alice, bob] = await Promise.all([testbed.plug(ALICE), testbed.plug(BOB)])
  await testbed.outside.must(['ip', 'route', 'add', '172.31.0.0/16', 'via', UPLINK_ADDRESS])
  for (const place of [testbed.machine, alice, bob]) listen(place)
  await Promise.all([testbed.machine, alice, bob].map(settled))
})

afterAll(() => testbed.destroy())

function ipOf(instance: InstanceWant): string {
  const [nic] = instance.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nic.ip
}

function linkOf(instance: InstanceWant): string {
  const [nic] = instance.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nicLinkName(nic.id)
}

/** UDP port that takes whatever arrives: one packet is enough for an attacker. */
const PORT = 5555
const LISTEN = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", ${PORT}))
while True:
    print(s.recv(100).decode(), flush=True)
`
const heard = new Map<Netns, string>()

/** Listens in that place from now on. */
function listen(place: Netns): void {
  heard.set(place, '')
  place.spawn(['python3', '-c', LISTEN], (text) => heard.set(place, `${heard.get(place)}${text}`))
}

/** bash(1) sends what is written to such a file as a datagram. */
async function send(from: Netns, to: string, text: string): Promise<void> {
  await from.run(['bash', '-c', `echo ${text} >/dev/udp/${to}/${PORT}`])
}

let round = 0

/** Resolves when the place has heard all that was sent to it before. */
async function settled(place: Netns): Promise<void> {
  const word = `settled-${++round}-`
  await eventually('it listens', async () => {
    await send(place, '127.0.0.1', word)
    return heard.get(place)?.includes(word) === true
  })
}

/** Who delivers a datagram to whom, one way. */
async function deliveries(): Promise<readonly string[]> {
  const ways: readonly (readonly [string, Netns, Netns, string])[] = [
    ['alice to the host', alice, testbed.machine, UPLINK_ADDRESS],
    ['alice to the gateway', alice, testbed.machine, TEST_GATEWAY],
    ['alice to bob', alice, bob, ipOf(BOB)],
    ['bob to alice', bob, alice, ipOf(ALICE)],
    ['outside to alice', testbed.outside, alice, ipOf(ALICE)],
    ['outside to the gateway', testbed.outside, testbed.machine, TEST_GATEWAY],
  ]
  const sent = ++round
  const word = (index: number) => `sent-${sent}-${index}-`
  await Promise.all(ways.map(([, from, , to], index) => send(from, to, word(index))))
  await Promise.all([testbed.machine, alice, bob].map(settled))
  return ways.flatMap(([name, , at], index) =>
    heard.get(at)?.includes(word(index)) === true ? [name] : [],
  )
}

const DAMAGES: readonly (readonly [string, boolean])[] = [
  ['nft delete table inet atoll', true],
  ['nft flush table inet atoll', true],
  ['nft flush chain inet atoll forward', true],
  ['nft flush chain inet atoll input', true],
  ['nft flush chain inet atoll instances', true],
  ['nft flush chain inet atoll prerouting', true],
  ['nft flush chain inet atoll from_nic', true],
  ['nft delete table inet atoll_guard', false],
  ['nft flush table inet atoll_guard', false],
  // Both, and everything else. The gateway's own address on the uplink is then the kernel's to
  // answer for.
  ['nft flush ruleset', true],
  ['iptables-nft -P FORWARD ACCEPT; iptables-nft -F; nft flush ruleset', true],
]

test('with all rules nothing of it is delivered', async () => {
  expect(await deliveries()).toEqual([])
  expect(await reaches(alice, TEST_GATEWAY)).toBe(true)
  expect(await reaches(alice, OUTSIDE_ADDRESS)).toBe(true)
})

test.each(DAMAGES)('%s opens nothing while nobody repairs it', async (damage, shuts) => {
  await testbed.machine.must(['sh', '-ec', damage])
  const open = (await deliveries()).filter(
    (way) => !(damage.includes('flush ruleset') && way === 'outside to the gateway'),
  )
  expect(open).toEqual([])
  if (shuts) expect(await reaches(alice, ipOf(BOB))).toBe(false)
  await testbed.pass(want, { resync: true })
  expect(await deliveries()).toEqual([])
  expect(await reaches(alice, TEST_GATEWAY)).toBe(true)
  expect(await reaches(alice, OUTSIDE_ADDRESS)).toBe(true)
})

test('no single rule of the main table is missed by the guard when it is deleted', async () => {
  const listing = await testbed.machine.must(['nft', '-a', 'list', 'table', 'inet', 'atoll'])
  let chain = ''
  const rules = listing.split('\n').flatMap((line) => {
    chain = /^\tchain (\S+)/.exec(line)?.[1] ?? chain
    const handle = /# handle (\d+)$/.exec(line)?.[1]
    const isRule = line.startsWith('\t\t') && handle !== undefined
    return isRule && /\bdrop\b/.test(line) ? [{ chain, handle, line: line.trim() }] : []
  })
  expect(rules.length).toBeGreaterThan(10)
  const opened: string[] = []
  for (const { chain: at, handle, line } of rules) {
    await testbed.machine.must(['nft', 'delete', 'rule', 'inet', 'atoll', at, 'handle', handle])
    for (const way of await deliveries()) opened.push(`${line}: ${way}`)
    await testbed.pass(want, { resync: true })
    // A pass gives all rules new handles, so the next one is found by its text.
    const now = await testbed.machine.must(['nft', '-a', 'list', 'chain', 'inet', 'atoll', at])
    expect(now).toContain(line.replace(/ # handle.*/, ''))
    rules.forEach((rule) => {
      if (rule.chain !== at) return
      const text = rule.line.replace(/ # handle.*/, '')
      const found = now.split('\n').find((each) => each.includes(text))
      rule.handle = found?.split(' ').at(-1) ?? rule.handle
    })
  }
  expect(opened).toEqual([])
}, 240_000)

test('drift is repaired at once, and the repair does not wake itself', async () => {
  const looks = () => metricValue(testbed.metrics, 'atoll_agent_mends_total')
  const end = startRepairLoop({
    services: testbed.services,
    want: async () => want,
    watchKernel: (noted) => testbed.host.watchKernel(noted),
    clock: systemClock,
    log: silentLog,
    metrics: testbed.metrics,
  })
  const link = linkOf(ALICE)
  const damages = [
    'nft delete table inet atoll',
    'nft flush ruleset',
    'nft delete table inet atoll_guard',
    `ip route del ${ipOf(ALICE)}`,
    `ip neigh del ${ipOf(ALICE)} dev ${link}`,
    `ip addr del ${TEST_GATEWAY}/32 dev at-gw`,
    `ip link set ${link} down`,
    `ip link del at-gw`,
    `sysctl -qw net.ipv4.conf.${link}.forwarding=0`,
    `sysctl -qw net.ipv4.conf.${link}.rp_filter=0`,
    'sysctl -qw net.ipv4.ip_forward=0',
    `tc qdisc del dev ${link} clsact`,
    'ip rule del pref 167',
  ]
  const tookMs: Record<string, number> = {}
  for (const damage of damages) {
    await eventually('it is quiet', async () => {
      const before = await looks()
      await new Promise((resolve) => setTimeout(resolve, 300))
      return (await looks()) === before
    })
    const state = await snapshot(link)
    await testbed.machine.must(['sh', '-ec', damage])
    const began = performance.now()
    await eventually(`${damage} is repaired`, async () => (await snapshot(link)) === state)
    tookMs[damage] = Math.round(performance.now() - began)
  }
  process.stdout.write(`mended after (ms): ${JSON.stringify(tookMs)}\n`)
  await end()
  expect(await reaches(alice, OUTSIDE_ADDRESS)).toBe(true)
}, 240_000)

/** What the damages damage. */
async function snapshot(link: string): Promise<string> {
  const { stdout } = await testbed.machine.run([
    'sh',
    '-c',
    `
nft list tables | sort; ip -o route show proto 167 | sort; ip -o neigh show dev ${link} nud permanent
ip -o -4 addr show dev at-gw | sed 's/^[0-9]*: //' | sort; ip -o link show ${link} | grep -o '<[^>]*>'
cat /proc/sys/net/ipv4/conf/${link}/forwarding /proc/sys/net/ipv4/conf/${link}/rp_filter /proc/sys/net/ipv4/ip_forward
tc qdisc show dev ${link} clsact; ip rule show pref 167`,
  ])
  return stdout
}
