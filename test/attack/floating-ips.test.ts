/**
 * Who wants a floating IP that is another's: an instance with root, a sender outside, whoever can
 * write to the records, and the connections of whoever had it before.
 *
 * Held when first tried: an instance that uses another's as source, or speaks ARP for it. A sender
 * outside who used one as source was taken for its owner by the groups of other instances. A record
 * with the address of a host or of its router took these off the network. A datagram flow of the
 * old binding went on to the new owner when the daemon was killed between rules and connections.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findAddressConflicts } from '../../src/host/network/address-probe.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { cidr, type Ipv4, ipv4 } from '../../src/model/addr.ts'
import { PROTOCOLS } from '../../src/model/group-rule.ts'
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import {
  createFabricTestbed,
  type FabricHost,
  type FabricTestbed,
  OUTSIDE,
} from '../kit/fabric-testbed.ts'
import { numbered } from '../kit/records.ts'
import { testInstance } from '../kit/testbed.ts'

const MINE = ipv4('198.51.100.201')
const THEIRS = ipv4('198.51.100.202')
const PORT = 5353
const A = testInstance(11, [1])
const B = testInstance(12, [1])

let testbed: FabricTestbed
let host: FabricHost
let a: Netns
let b: Netns

/** A and B on the first host, with these floating IPs, and open for datagrams from `from`. */
function want(floats: readonly (Ipv4 | null)[], from = '0.0.0.0/0'): HostWant {
  const [own, neighbour] = [A, B].map(
    (each, at): InstanceWant => ({
      ...each,
      nics: each.nics.map((nic) => ({ ...nic, publicIp: floats[at] ?? null })),
    }),
  ) as [InstanceWant, InstanceWant]
  const [first] = testbed.wants([[own, neighbour], []])
  if (first === undefined) throw new Error('there are two hosts')
  const rule = {
    id: numbered('sgr', 99),
    egress: false,
    protocol: PROTOCOLS.udp,
    fromPort: PORT,
    toPort: PORT,
    peer: { kind: 'ipv4' as const, cidr: cidr(from) },
  }
  const groups = first.shared.groups.map((group) => ({ ...group, rules: [...group.rules, rule] }))
  return { ...first, shared: { ...first.shared, groups } }
}

/** Sends with any source (IP_TRANSPARENT), always from the same port. */
const SEND = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_IP, 19, 1)
s.bind((sys.argv[1], ${PORT + 1})); s.sendto(b"x", (sys.argv[2], ${PORT}))
`
/** Prints who sends, one line for each datagram. */
const HEAR = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", ${PORT})); print("ready", flush=True)
while True:
    print(s.recvfrom(100)[1][0], flush=True)
`

function listen(on: Netns): string[] {
  const heard: string[] = []
  on.spawn(['python3', '-c', HEAR], (text) => heard.push(...text.split('\n').filter(Boolean)))
  return heard
}

const send = (from: Netns, source: string, to: string) =>
  from.must(['python3', '-c', SEND, source, to])
const ping = async (from: Netns, to: string) =>
  (await from.run(['ping', '-c1', '-W1', to])).exitCode === 0

let heardByA: string[]
let heardByB: string[]

beforeAll(async () => {
  testbed = await createFabricTestbed('direct', 2)
  const [first] = testbed.hosts
  if (first === undefined) throw new Error('there are two hosts')
  host = first
  await host.pass(want([MINE, THEIRS]))
  a = await host.plug(A)
  b = await host.plug(B)
  heardByA = listen(a)
  heardByB = listen(b)
  await eventually('both listen', () => heardByA.includes('ready') && heardByB.includes('ready'))
}, 60_000)
afterAll(() => testbed.destroy())

test('an instance does not send as another’s floating IP', async () => {
  await host.pass(want([MINE, THEIRS]))
  const before = await host.drops('spoofed')
  await send(a, THEIRS, OUTSIDE)
  await send(a, MINE, OUTSIDE)
  expect(await host.drops('spoofed')).toBe(before + 2)
})

test('an instance does not take over a floating IP by ARP', async () => {
  await host.pass(want([null, THEIRS]))
  expect(await ping(testbed.outside, THEIRS)).toBe(false)
  const known = () => testbed.outside.must(['ip', 'neigh', 'show', THEIRS])
  const before = await known()
  await a.must(['ip', 'addr', 'add', `${THEIRS}/32`, 'dev', 'eth0'])
  await a.run(['/bin/busybox', 'arping', '-U', '-c', '2', '-I', 'eth0', THEIRS])
  await a.run(['/bin/busybox', 'arping', '-A', '-c', '2', '-I', 'eth0', THEIRS])
  await a.must(['ip', 'addr', 'del', `${THEIRS}/32`, 'dev', 'eth0'])
  expect((await known()).replace(/ \w+ *\n$/, '')).toBe(before.replace(/ \w+ *\n$/, ''))
  await send(testbed.outside, '0.0.0.0', THEIRS)
  await eventually('the owner hears', () => heardByB.includes(OUTSIDE))
})

test('a sender outside does not pass for a floating IP', async () => {
  // Only what A sends to the floating IP of B is let in, were it to come from outside.
  await host.pass(want([MINE, THEIRS], `${MINE}/32`))
  heardByB.length = 0
  const before = await host.drops('spoofed_outside')
  await send(testbed.outside, MINE, THEIRS)
  await eventually('it is dropped', async () => (await host.drops('spoofed_outside')) > before)
  expect(heardByB).not.toContain(MINE)
})

test.each(['host', 'router'] as const)(
  'a record does not take the address of the %s',
  async (whose) => {
    const address = whose === 'host' ? host.uplink : OUTSIDE
    await host.pass(want([address]))
    await eventually('it answers', () => ping(testbed.outside, host.uplink))
    await eventually('it answers', () => ping(host.netns, OUTSIDE))
    const routes = await host.netns.must(['ip', 'route', 'show', 'table', 'main'])
    expect(routes).not.toMatch(new RegExp(`^${address} dev at-gw`, 'm'))
  },
)

test.each([
  ['passes on', false],
  ['is killed after the rules', true],
])('a flow to the old owner ends when the daemon %s', async (_how, isKilled) => {
  await host.pass(want([MINE]))
  heardByA.length = 0
  heardByB.length = 0
  await send(testbed.outside, '0.0.0.0', MINE)
  await eventually('the old owner hears', () => heardByA.includes(OUTSIDE))
  if (isKilled)
    await host.netns.must(['nft', '-f', '-'], { stdin: await host.rules(want([null, MINE])) })
  await host.pass(want([null, MINE]), { restart: isKilled })
  heardByA.length = 0
  await send(testbed.outside, '0.0.0.0', MINE)
  await eventually('the new owner hears', () => heardByB.includes(OUTSIDE))
  expect(heardByA).toEqual([])
})

test('another machine with a floating IP is detected, and reported with its Ethernet address', async () => {
  await host.pass(want([MINE]))
  const find = () =>
    host.inside(() =>
      findAddressConflicts({ fabric: null, services: [], floatingIps: [MINE] }, systemRunner),
    )
  expect(await find()).toEqual([])
  await testbed.outside.must(['ip', 'addr', 'add', `${MINE}/32`, 'dev', 'br0'])
  const shown = await testbed.outside.must(['ip', '-br', 'link', 'show', 'br0'])
  const [, , mac] = shown.split(/\s+/)
  expect(await find()).toMatchObject([
    { what: expect.stringMatching(`${mac} on up0\\) answers for ${MINE}, a floating IP`) },
  ])
  await testbed.outside.must(['ip', 'addr', 'del', `${MINE}/32`, 'dev', 'br0'])
}, 30_000)
