/**
 * Floating IPs with real packets: in only where a rule of a security group lets in, out under the
 * floating address, hairpin to oneself and to a neighbour, and from one host to another.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeAllOfOurs } from '../../src/host/cleanup.ts'
import { cidr, type Ipv4, ipv4 } from '../../src/model/addr.ts'
import { PROTOCOLS } from '../../src/model/group-rule.ts'
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { createFabricTestbed, type FabricTestbed, OUTSIDE } from '../kit/fabric-testbed.ts'
import { numbered } from '../kit/records.ts'
import { testInstance } from '../kit/testbed.ts'

const FLOAT_A = ipv4('198.51.100.201')
const FLOAT_B = ipv4('198.51.100.202')
const PORT = 80
/** Prints the address of each client, and answers with it. */
const SERVER = `
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", ${PORT})); s.listen(64)
while True:
    c, (a, _) = s.accept()
    c.sendall(a.encode()); c.close()
`
const CLIENT = `
import socket, sys
s = socket.create_connection((sys.argv[1], ${PORT}), timeout=1)
print(s.recv(100).decode())
`

let testbed: FabricTestbed
let guests: readonly Netns[]

function withFloat(instance: InstanceWant, publicIp: Ipv4 | null): InstanceWant {
  return { ...instance, nics: instance.nics.map((nic) => ({ ...nic, publicIp })) }
}

const A = testInstance(11, [1])
const B = testInstance(12, [1])
const C = testInstance(13, [1])

/** What the two hosts want: A and B on the first, C on the second, with these floating IPs. */
function wants(floats: readonly (Ipv4 | null)[], isOpen = true): readonly HostWant[] {
  const [a = A, b = B, c = C] = [A, B, C].map((each, at) => withFloat(each, floats[at] ?? null))
  return testbed.wants([[a, b], [c]]).map((want) => ({
    ...want,
    shared: {
      ...want.shared,
      groups: want.shared.groups.map((group) => ({
        ...group,
        rules: isOpen
          ? [
              ...group.rules,
              {
                id: numbered('sgr', 99),
                egress: false,
                protocol: PROTOCOLS.tcp,
                fromPort: PORT,
                toPort: PORT,
                peer: { kind: 'ipv4' as const, cidr: cidr('0.0.0.0/0') },
              },
            ]
          : group.rules.filter(({ id }) => id !== numbered('sgr', 99)),
      })),
    },
  }))
}

async function pass(all: readonly HostWant[]): Promise<void> {
  for (const [at, host] of testbed.hosts.entries()) {
    const want = all[at]
    if (want !== undefined) await host.pass(want)
  }
}

/** Whom the server at this address takes the client for; null when it does not answer. */
async function seenAs(client: Netns, address: Ipv4): Promise<string | null> {
  const { exitCode, stdout } = await client.run(['python3', '-c', CLIENT, address])
  return exitCode === 0 ? stdout.trim() : null
}

/** The same once it answers: a server that has just been started does not yet. */
async function seenSoon(client: Netns, address: Ipv4): Promise<string | null> {
  let seen: string | null = null
  await eventually(`${address} answers`, async () => {
    seen = await seenAs(client, address)
    return seen !== null
  })
  return seen
}

beforeAll(async () => {
  testbed = await createFabricTestbed('direct', 2)
  await pass(wants([null, null, null]))
  const [first, second] = testbed.hosts
  if (first === undefined || second === undefined) throw new Error('two hosts were made')
  guests = [await first.plug(A), await first.plug(B), await second.plug(C)]
  for (const each of [...guests, testbed.outside]) each.spawn(['python3', '-c', SERVER])
  const [a] = guests
  await eventually(
    'the server outside answers',
    async () => (await seenAs(a as Netns, OUTSIDE)) !== null,
  )
}, 60_000)
afterAll(() => testbed.destroy())

test('is reached from outside with a rule, not without one, and gone when it is taken away', async () => {
  await pass(wants([FLOAT_A]))
  expect(await seenSoon(testbed.outside, FLOAT_A)).toBe(OUTSIDE)
  await pass(wants([FLOAT_A], false))
  expect(await seenAs(testbed.outside, FLOAT_A)).toBeNull()
  await pass(wants([FLOAT_A]))
  expect(await seenSoon(testbed.outside, FLOAT_A)).toBe(OUTSIDE)
  await pass(wants([null]))
  expect(await seenAs(testbed.outside, FLOAT_A)).toBeNull()
})

test('is the source of what the instance sends out', async () => {
  const [a, b] = guests as [Netns, Netns]
  await pass(wants([FLOAT_A]))
  expect(await seenSoon(a, OUTSIDE)).toBe(FLOAT_A)
  expect(await seenSoon(b, OUTSIDE)).toBe(testbed.hosts[0]?.uplink)
})

test('works from the instance itself, from a neighbour, and from the host', async () => {
  const [a, b] = guests as [Netns, Netns]
  await pass(wants([FLOAT_A, FLOAT_B]))
  expect(await seenSoon(a, FLOAT_A)).toBe(FLOAT_A)
  expect(await seenSoon(a, FLOAT_B)).toBe(FLOAT_A)
  expect(await seenSoon(b, FLOAT_A)).toBe(FLOAT_B)
  await pass(wants([null, FLOAT_B]))
  expect(await seenSoon(a, FLOAT_B)).toBe('172.31.0.11')
  expect(await seenSoon(testbed.hosts[0]?.netns as Netns, FLOAT_B)).not.toBeNull()
})

test('moves to another host: ARP caches outside follow', async () => {
  await pass(wants([FLOAT_A]))
  expect(await seenSoon(testbed.outside, FLOAT_A)).toBe(OUTSIDE)
  const neighbour = () => testbed.outside.must(['ip', 'neigh', 'show', FLOAT_A])
  const before = await neighbour()
  await pass(wants([null, null, FLOAT_A]))
  expect(await seenSoon(testbed.outside, FLOAT_A)).toBe(OUTSIDE)
  expect(await neighbour()).not.toBe(before)
  expect(await seenSoon(guests[2] as Netns, OUTSIDE)).toBe(FLOAT_A)
  const routes = await testbed.hosts[0]?.netns.must(['ip', 'route', 'show'])
  expect(routes).not.toContain(FLOAT_A)
  expect(await testbed.hosts[0]?.netns.must(['ip', 'neigh', 'show', 'proxy'])).not.toContain(
    FLOAT_A,
  )
})

/** Answers each datagram. */
const ECHO = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", ${PORT}))
while True:
    d, a = s.recvfrom(100); s.sendto(d, a)
`
/**
 * Sends a datagram every 10 ms, each of a connection of its own. After SIGUSR1 it waits for one
 * more answer, and prints how many there were, and the longest silence in ms.
 */
const PROBE = `
import select, signal, socket, sys, time
end = None; last = time.monotonic(); worst = 0; got = 0
def moved(*_):
    global end
    end = time.monotonic()
signal.signal(signal.SIGUSR1, moved)
open_ = []
print("begun", flush=True)
while end is None or last < end and time.monotonic() < end + 30:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", (sys.argv[1], ${PORT})); open_.append(s)
    ready, _, _ = select.select(open_, [], [], 0.01)
    for r in ready:
        now = time.monotonic(); worst = max(worst, now - last); last = now; got += 1
        r.close(); open_.remove(r)
    for old in open_[:-100]: old.close()
    open_ = open_[-100:]
worst = max(worst, time.monotonic() - last)
print(got, int(worst * 1000))
`

/**
 * Until the kernel outside looks again at what it knows of a neighbour it takes 15 to 45 s. What
 * the gap is on a quiet machine is measured by the drill of floating IPs.
 */
const GAP_LIMIT_MS = 15_000

test('moves between hosts with a short gap', async () => {
  for (const each of guests) each.spawn(['python3', '-c', ECHO])
  const udp = (all: readonly HostWant[]): readonly HostWant[] =>
    all.map((want) => ({
      ...want,
      shared: {
        ...want.shared,
        groups: want.shared.groups.map((group) => ({
          ...group,
          rules: group.rules.map((rule) =>
            rule.id === numbered('sgr', 99) ? { ...rule, protocol: PROTOCOLS.udp } : rule,
          ),
        })),
      },
    }))
  await pass(udp(wants([FLOAT_A])))
  const heard: string[] = []
  const probe = testbed.outside.spawn(['python3', '-c', PROBE, FLOAT_A], (text) => {
    heard.push(text)
  })
  await eventually('the probe has begun', async () => heard.join('').includes('begun'))
  for (const floats of [[null, null, FLOAT_A], [FLOAT_A], [null, FLOAT_A], [null, null, FLOAT_A]])
    await pass(udp(wants(floats)))
  probe.kill('SIGUSR1')
  const result = () => /begun\n(\d+) (\d+)\n/.exec(heard.join(''))
  await eventually('the probe has ended', async () => result() !== null, 60_000)
  const [, got = '0', worstMs = '9999'] = result() ?? []
  expect(Number(got)).toBeGreaterThan(100)
  expect(Number(worstMs)).toBeLessThan(GAP_LIMIT_MS)
}, 90_000)

test('is taken off the machine with everything else', async () => {
  await pass(wants([FLOAT_A]))
  const [host] = testbed.hosts
  if (host === undefined) throw new Error('two hosts were made')
  const delay = () => host.netns.must(['cat', '/proc/sys/net/ipv4/neigh/up0/proxy_delay'])
  expect(await host.netns.must(['ip', 'neigh', 'show', 'proxy'])).toContain(FLOAT_A)
  expect(await delay()).toBe('0\n')
  const { namespaceDirectory } = host
  const removed = await host.inside(() => removeAllOfOurs(null, { namespaceDirectory }))
  expect(removed).toContain(`proxy ARP for ${FLOAT_A}`)
  expect(await host.netns.must(['ip', 'neigh', 'show', 'proxy'])).toBe('')
  expect(await host.netns.must(['ip', 'route', 'show'])).not.toContain(FLOAT_A)
  expect(await delay()).toBe('80\n')
})
