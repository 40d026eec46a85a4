/**
 * An operator writes single rules into nftables or either iptables that drop what instances need.
 *
 * Judged by real packets: `doctor` names whatever an instance loses, its fix restores it, and where
 * nothing is lost it names nothing. Before, only the policy and the last rule of a chain were
 * checked, and iptables-legacy not at all: of 16 rules that take something away, none was both
 * named and fixed.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { configSchema } from '../../src/config.ts'
import { checkForeignFirewall } from '../../src/operator/doctor-firewall.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import {
  createTestbed,
  OUTSIDE_ADDRESS,
  TEST_GATEWAY,
  type Testbed,
  testInstance,
  testWant,
} from '../kit/testbed.ts'

const DEADLINE_MS = 60_000
const ALICE = testInstance(11, [1])
const BOB = testInstance(12, [1])
const want = testWant(ALICE, BOB)
/** Answers whoever asks at the gateway, as the resolver does. */
const RESOLVER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${TEST_GATEWAY}", 53))
print("ready", flush=True)
while True:
    data, source = s.recvfrom(100)
    try:
        s.sendto(data, source)
    except OSError:
        pass
`
const ASK = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.sendto(b"x", ("${TEST_GATEWAY}", 53))
s.recvfrom(100)
`

let testbed: Testbed
let alice: Netns

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  alice = await testbed.plug(ALICE)
  await testbed.plug(BOB)
  let said = ''
  testbed.machine.spawn(['python3', '-c', RESOLVER], (text) => {
    said += text
  })
  await eventually('the resolver listens', () => said.includes('ready'), DEADLINE_MS)
}, 120_000)
afterAll(async () => {
  await testbed?.destroy()
})

async function works(): Promise<readonly string[]> {
  const does = async (argv: readonly string[]) => (await alice.run(argv)).exitCode === 0
  const found = await Promise.all([
    does(['python3', '-c', ASK]),
    does(['ping', '-c1', '-W1', TEST_GATEWAY]),
    does(['ping', '-c1', '-W1', '172.31.0.12']),
    does(['ping', '-c1', '-W1', OUTSIDE_ADDRESS]),
  ])
  return ['DNS', 'gateway', 'neighbour', 'world'].filter((_name, index) => found[index] !== true)
}

/** One look may be too early or too short; what is lost stays lost. */
const everythingWorks = () =>
  eventually('everything works', async () => (await works()).length === 0, DEADLINE_MS)

const verdict = () => checkForeignFirewall(configSchema.parse({}))

const CHAINS =
  'nft add table inet f; nft add chain inet f i "{ type filter hook input priority 0; }"; nft add chain inet f f "{ type filter hook forward priority 10; }"; nft add chain inet f j;'
const CLEAN =
  "for t in 'inet f' 'ip filter' 'ip raw'; do nft delete table $t 2>/dev/null || true; done; printf '*filter\\n:INPUT ACCEPT\\n:FORWARD ACCEPT\\n:OUTPUT ACCEPT\\nCOMMIT\\n*raw\\n:PREROUTING ACCEPT\\nCOMMIT\\n' | iptables-legacy-restore"

test('before them everything works', async () => {
  await everythingWorks()
  expect(await verdict()).toMatchObject({ result: 'ok' })
})

test.each([
  ['DNS for the world', `${CHAINS} nft add rule inet f i udp dport 53 drop`],
  ['in a set of ports', `${CHAINS} nft add rule inet f i udp dport { 53, 123, 1900-1910 } drop`],
  [
    'private senders',
    `${CHAINS} nft add rule inet f i ip saddr { 10.0.0.0/8, 172.16.0.0/12 } drop`,
  ],
  ['links that are not known', `${CHAINS} nft add rule inet f i iifname != { "lo", "eth0" } drop`],
  [
    'a jump',
    `${CHAINS} nft add rule inet f j reject; nft add rule inet f i ct state established,related accept; nft add rule inet f i iifname vmap { "lo" : accept, "at-*" : goto j }`,
  ],
  ['whatever is not TCP', `${CHAINS} nft add rule inet f i meta l4proto != tcp drop`],
  ['our links', `${CHAINS} nft add rule inet f f iifname "at-*" drop`],
  ['ping', `${CHAINS} nft add rule inet f f icmp type echo-request drop`],
  ['new connections', `${CHAINS} nft add rule inet f f ct state new drop`],
  ['iptables-legacy', 'iptables-legacy -A INPUT -p udp --dport 53 -j DROP'],
  ['its policy', 'iptables-legacy -P FORWARD DROP'],
  ['its raw table', 'iptables-legacy -t raw -A PREROUTING -s 172.16.0.0/12 -j DROP'],
  [
    'iptables by several ports',
    'iptables-nft -A INPUT -p udp -m multiport --dports 53,67 -j REJECT',
  ],
  [
    'a chain of iptables',
    'iptables-nft -N c; iptables-nft -A INPUT -i lo -j ACCEPT; iptables-nft -A INPUT -j c; iptables-nft -A c -m conntrack --ctstate UNTRACKED -j DROP',
  ],
  [
    'answers that are not tracked',
    'iptables-nft -A OUTPUT -o lo -j ACCEPT; iptables-nft -A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables-nft -A OUTPUT -m conntrack --ctstate NEW -j ACCEPT; iptables-nft -P OUTPUT DROP',
  ],
  ['answers', 'iptables-nft -A OUTPUT -d 172.16.0.0/12 -j DROP'],
])('%s', async (_what, rules) => {
  await testbed.machine.must(['sh', '-ec', rules])
  try {
    const lost = await works()
    expect(lost).not.toEqual([])
    const said = await verdict()
    expect(['warn', 'fail'], said.found).toContain(said.result)
    const orders = (said.fix ?? '').replaceAll('; and the same in what loads these rules', '')
    await testbed.machine.must(['sh', '-ec', orders])
    await everythingWorks()
    expect(await verdict()).toMatchObject({ result: 'ok' })
  } finally {
    await testbed.machine.must(['sh', '-ec', CLEAN])
  }
})

test.each([
  ['another link', `${CHAINS} nft add rule inet f i iifname eth0 udp dport 53 drop`],
  ['another protocol', `${CHAINS} nft add rule inet f i tcp dport != { 22, 53, 80 } drop`],
  ['what nobody knows', `${CHAINS} nft add rule inet f i ct state invalid drop`],
  [
    'others',
    'iptables-nft -A INPUT -s 192.0.2.0/24 -j DROP; iptables-nft -A INPUT ! -i at-h+ -j DROP',
  ],
  ['new connections to the host', 'iptables-nft -A INPUT -m conntrack --ctstate NEW -j DROP'],
  [
    'all but ours',
    `${CHAINS} nft add rule inet f f iifname "at-h*" accept; nft add rule inet f f oifname "at-h*" accept; nft add rule inet f f drop`,
  ],
])('not: %s', async (_what, rules) => {
  await testbed.machine.must(['sh', '-ec', rules])
  try {
    await everythingWorks()
    expect(await verdict()).toMatchObject({ result: 'ok' })
  } finally {
    await testbed.machine.must(['sh', '-ec', CLEAN])
  }
})
