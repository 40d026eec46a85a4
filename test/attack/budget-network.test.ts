/**
 * One instance exhausts what all NICs of a host share in the kernel: connection table, fragment
 * memory, ARP, and the one thread behind DHCP, DNS and metadata.
 *
 * Before: 60,000 datagrams to as many ports made 60,000 entries in the connection table; 3,000
 * closed connections left 3,000 entries for two minutes; 20,000 DNS queries and 1,000 DHCP messages
 * all reached their sockets; 1,000 ARP requests were answered; 6,000 incomplete fragments took all
 * memory for fragments, and a neighbour's large pings failed.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { METADATA_ADDRESS } from '../../src/model/addr.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { reaches } from '../kit/ping.ts'
import { ECHO, TALK } from '../kit/talk.ts'
import {
  createTestbed,
  metricValue,
  OUTSIDE_ADDRESS,
  TEST_GATEWAY,
  type Testbed,
  testInstance,
  testWant,
} from '../kit/testbed.ts'

const MALLORY = small(11)
const BOB = small(12)
const want = testWant(MALLORY, BOB)
const FLOOD_MS = 60_000
/** Connections that such an instance may have open. */
const SHARE = 512
/** Entries of the neighbour and of this test itself. */
const SLACK = 32

/** The smallest there is: 32 MiB. */
function small(number: number): InstanceWant {
  const made = testInstance(number, [1])
  return { ...made, type: { ...made.type, memoryMiB: 32 } }
}

let testbed: Testbed
let mallory: Netns
let bob: Netns

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  mallory = await testbed.plug(MALLORY)
  bob = await testbed.plug(BOB)
})

afterAll(() => testbed.destroy())

async function python(where: Netns, script: string, ...args: string[]): Promise<string> {
  const patience = { timeoutMs: FLOOD_MS }
  const { exitCode, stdout, stderr } = await where.run(['python3', '-c', script, ...args], patience)
  if (exitCode !== 0) throw new Error(stderr)
  return stdout
}

/** What it resolves with, and how long it took: rates are for that time. */
async function timed<T>(work: Promise<T>): Promise<readonly [result: T, seconds: number]> {
  const began = performance.now()
  return [await work, (performance.now() - began) / 1000]
}

async function entries(where: Netns = testbed.machine): Promise<number> {
  return Number(await where.must(['cat', '/proc/sys/net/netfilter/nf_conntrack_count']))
}

async function dropped(reason: string): Promise<number> {
  await testbed.pass(want)
  return metricValue(testbed.metrics, 'atoll_firewall_dropped_packets_total', `reason="${reason}"`)
}

/** Sends that many datagrams from one socket each 50,000, to ports that follow each other. */
const SCATTER = `
import socket, sys
sent = 0
while sent < int(sys.argv[2]):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(1000, 51000):
        if sent == int(sys.argv[2]): break
        try: out.sendto(b"x", (sys.argv[1], port))
        except OSError: pass
        sent += 1
`

/** Sends that many datagrams to one port, each from the same socket. */
const STREAM = `
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
if len(sys.argv) > 4: out.bind(("0.0.0.0", int(sys.argv[4])))
for _ in range(int(sys.argv[3])):
    try: out.sendto(b"x" * 40, (sys.argv[1], int(sys.argv[2])))
    except OSError: pass
`

/**
 * Counts what arrives at a UDP port until SIGUSR1 has said that all is sent, and nothing has come
 * for a second; the first line says that it listens.
 */
const COUNT = `
import signal, socket, sys
sent = False
def all_is_sent(*_):
    global sent
    sent = True
signal.signal(signal.SIGUSR1, all_is_sent)
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, 33, 1 << 27)  # SO_RCVBUFFORCE
listener.bind((sys.argv[1], int(sys.argv[2])))
print("listening", flush=True)
count = 0
listener.settimeout(1)
while True:
    try:
        listener.recv(2000)
        count += 1
    except TimeoutError:
        if sent: break
print(count, flush=True)
`

/** How many datagrams of what \`act\` sends arrive at a port. */
async function arriving(
  where: Netns,
  address: string,
  port: number,
  act: () => Promise<unknown>,
): Promise<number> {
  let heard = ''
  const child = where.spawn(['python3', '-c', COUNT, address, `${port}`], (text) => {
    heard += text
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await eventually('it listens', () => heard.includes('listening'), 20_000)
  await act()
  child.kill('SIGUSR1')
  await ended
  return Number(heard.trim().split('\n').at(-1))
}

describe('the connection table', () => {
  test('queries of instances to the host’s services use no entry', async () => {
    await python(mallory, SCATTER_SOURCES, TEST_GATEWAY, '53', '300')
    await python(mallory, STREAM, TEST_GATEWAY, '67', '5')
    await python(mallory, CONNECT_SILENTLY, METADATA_ADDRESS, '80', '20')
    await mallory.run(['ping', '-c', '5', '-i', '0.05', '-W1', TEST_GATEWAY])
    // The host's own multicast reports may have made one.
    expect(await entries()).toBeLessThan(10)
  })

  test('connections that have ended are not kept for long enough to matter', async () => {
    const server = testbed.outside.spawn(['python3', '-c', OPEN_AND_CLOSE_SERVER])
    await python(mallory, OPEN_AND_CLOSE, OUTSIDE_ADDRESS, '3000')
    server.kill('SIGKILL')
    expect(await entries()).toBeLessThanOrEqual(3 * SHARE + SLACK)
  })

  test('a protocol without ports is counted, too', async () => {
    await python(mallory, SCATTER_ADDRESSES, '20000')
    expect(await entries()).toBeLessThanOrEqual(4 * SHARE + SLACK)
  })

  test('a stream to one place that nobody answers is one connection, and loses nothing', async () => {
    const count = await arriving(testbed.outside, OUTSIDE_ADDRESS, 9000, () =>
      python(mallory, STREAM, OUTSIDE_ADDRESS, '9000', '20000'),
    )
    expect(count).toBe(20_000)
  })

  test('a flood of datagrams takes the NIC’s share and no more, however often the rules are replaced', async () => {
    const flood = python(mallory, SCATTER, OUTSIDE_ADDRESS, '60000')
    let finished = false
    void flood.finally(() => {
      finished = true
    })
    // Whoever may launch something makes the rules be replaced.
    for (let number = 20; !finished; number++)
      await testbed.pass(testWant(MALLORY, BOB, testInstance(20 + (number % 50), [3])))
    await flood
    // The kernel counts what has ended in the test before for a while.
    expect(await entries()).toBeLessThanOrEqual(2 * SHARE + SLACK)
    expect(await entries()).toBeGreaterThan(100)
    expect(await dropped('budget_new_connections')).toBeGreaterThan(50_000)
    // The neighbour notices nothing.
    const server = testbed.outside.spawn(['python3', '-c', ECHO])
    expect(await python(bob, TALK, OUTSIDE_ADDRESS)).toContain('done')
    server.kill('SIGKILL')
  })
})

/**
 * Sends headers of a protocol that the kernel knows nothing of, without any content, to that many
 * addresses.
 */
const SCATTER_ADDRESSES = `
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 99)
for number in range(int(sys.argv[1])):
    try: raw.sendto(b"", (socket.inet_ntoa(struct.pack("!I", 0xcb007100 + number * 7)), 0))
    except OSError: pass
`
const OPEN_AND_CLOSE_SERVER = `
import socket
server = socket.create_server(("0.0.0.0", 7002), backlog=1000)
while True:
    connection, _ = server.accept()
    connection.recv(1)
    connection.close()
`
const OPEN_AND_CLOSE = `
import socket, sys, time
deadline = time.monotonic() + 4
for _ in range(int(sys.argv[2])):
    if time.monotonic() > deadline: break
    try:
        connection = socket.create_connection((sys.argv[1], 7002), 0.5)
        connection.close()
    except OSError: pass
`
const SCATTER_SOURCES = `
import socket, sys
for _ in range(int(sys.argv[3])):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.sendto(b"x", (sys.argv[1], int(sys.argv[2])))
`
const CONNECT_SILENTLY = `
import socket, sys
held = []
for _ in range(int(sys.argv[3])):
    connection = socket.socket()
    connection.settimeout(0.2)
    try: connection.connect((sys.argv[1], int(sys.argv[2])))
    except OSError: pass
    held.append(connection)
`

describe('the host’s services', () => {
  test('a flood of DNS queries is dropped before the socket, and all of the neighbour’s arrive', async () => {
    const before = await dropped('budget_dns')
    const flood = () => python(mallory, STREAM, TEST_GATEWAY, '53', '20000')
    const [mine, seconds] = await timed(arriving(testbed.machine, TEST_GATEWAY, 53, flood))
    // A second's worth at once, and what flows back while it lasts.
    expect(mine).toBeLessThan(1024 * (seconds + 1.1))
    expect(mine).toBeLessThan(20_000)
    expect((await dropped('budget_dns')) - before).toBe(20_000 - mine)
    const both = await arriving(testbed.machine, TEST_GATEWAY, 53, async () => {
      const flood = python(mallory, STREAM, TEST_GATEWAY, '53', '20000', '5000')
      await python(bob, STREAM, TEST_GATEWAY, '53', '500')
      await flood
    })
    expect((await dropped('budget_dns')) - before).toBe(40_000 + 500 - mine - both)
  })

  test('DHCP messages, by broadcast too', async () => {
    const sending = arriving(testbed.machine, '0.0.0.0', 67, async () => {
      await python(mallory, STREAM, '255.255.255.255', '67', '500', '68')
      await python(mallory, STREAM, TEST_GATEWAY, '67', '500', '68')
    })
    const [heard, seconds] = await timed(sending)
    expect(heard).toBeLessThan(20 * (seconds + 3))
    expect(heard).toBeGreaterThan(20)
  })

  test('a flood of pings leaves the neighbour’s ping alone', async () => {
    const before = await dropped('budget_service_other')
    const flood = mallory.run(['ping', '-q', '-l', '100', '-f', '-c', '5000', TEST_GATEWAY], {
      timeoutMs: FLOOD_MS,
    })
    const { stdout } = await bob.run(['ping', '-q', '-i', '0.01', '-c', '100', TEST_GATEWAY])
    await flood
    expect(stdout).toContain(' 0% packet loss')
    expect(await dropped('budget_service_other')).toBeGreaterThan(before)
  })
})

describe('fragments, ARP and errors', () => {
  test('fragments that are never whole do not take the memory for the neighbour’s', async () => {
    await python(mallory, FRAGMENTS, OUTSIDE_ADDRESS, '6000')
    const large = ['ping', '-q', '-s', '8000', '-i', '0.05', '-c', '20', '-W5']
    for (const address of [TEST_GATEWAY, OUTSIDE_ADDRESS])
      expect((await bob.run([...large, address])).stdout).toContain(' 0% packet loss')
  })

  test('ARP requests are answered at a rate', async () => {
    const [answered, seconds] = await timed(python(mallory, ARP_FLOOD, '172.31.0.11', '1000'))
    expect(Number(answered)).toBeLessThan(100 * (seconds + 3))
    expect(Number(answered)).toBeGreaterThan(100)
    await bob.must(['ip', 'neigh', 'flush', 'dev', 'eth0'])
    expect(await reaches(bob, OUTSIDE_ADDRESS)).toBe(true)
  })

  test('what only an ICMP error could answer is bounded', async () => {
    const before = await dropped('budget_unreachable')
    await python(mallory, EXPIRING, OUTSIDE_ADDRESS, '1000')
    expect((await dropped('budget_unreachable')) - before).toBeGreaterThan(700)
  })
})

/** First fragments of as many datagrams, whose rest never comes. */
const FRAGMENTS = `
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
own = socket.inet_aton("172.31.0.11"); to = socket.inet_aton(sys.argv[1])
for number in range(int(sys.argv[2])):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1420, number, 0x2000, 64, 17, 0, own, to)
    try: raw.sendto(header + b"\\x00" * 1400, (sys.argv[1], 0))
    except OSError: pass
`
/** Asks by ARP for one address again and again, and prints how many answers came. */
const ARP_FLOOD = `
import socket, sys, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
raw.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
raw.bind(("eth0", 0x0806))
mac = raw.getsockname()[4]
for number in range(int(sys.argv[2])):
    target = bytes((172, 31, 0, 12))
    raw.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + bytes.fromhex("0001080006040001") + mac + socket.inet_aton(sys.argv[1]) + b"\\x00" * 6 + target)
raw.settimeout(1)
answers = 0
try:
    while True:
        if raw.recv(2000)[20:22] == b"\\x00\\x02": answers += 1
except OSError: pass
print(answers)
`
const EXPIRING = `
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
for _ in range(int(sys.argv[2])):
    try: out.sendto(b"x", (sys.argv[1], 9001))
    except OSError: pass
`
