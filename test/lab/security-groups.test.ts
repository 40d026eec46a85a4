/**
 * Security groups on the real kernel: packets of every kind between instances and to and from
 * outside pass exactly if the pure `isPermitted` says so, for any rules, and so for routes and
 * network ACLs. A rule that is revoked, and a route that goes, end the connections that only they
 * had allowed.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cidr, type Ipv4, ipv4 } from '../../src/model/addr.ts'
import type { Flow } from '../../src/model/flow.ts'
import { ALL_OUT, type RuleMatch } from '../../src/model/group-rule.ts'
import { isPermitted, permissionsOf } from '../../src/plan/permits.ts'
import { isRouted, waysOf } from '../../src/plan/route-rules.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { anyRouting, passesAcls, withRouting } from '../kit/any-routing.ts'
import { anyRulesOf, NO_PORTS_PROTOCOL, withRules } from '../kit/group-rules.ts'
import {
  createTestbed,
  OUTSIDE_ADDRESS,
  type Testbed,
  testGroup,
  testInstance,
  testWant,
  UPLINK_ADDRESS,
} from '../kit/testbed.ts'

const ROUNDS = 12
const FROM_ALL: RuleMatch = { ...ALL_OUT, egress: false }
const OPEN_TO_ALL = Object.fromEntries([1, 2, 3].map((group) => [group, [ALL_OUT, FROM_ALL]]))
const GUESTS = [testInstance(11, [1]), testInstance(12, [1, 2]), testInstance(13, [3])]
const ADDRESSES = GUESTS.flatMap(({ nics }) => nics.map(({ ip }) => ip))

let testbed: Testbed
let ends: readonly { readonly ip: Ipv4; readonly machine: Netns }[]

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(testWant(...GUESTS))
  const guests = await Promise.all(GUESTS.map((each) => testbed.plug(each)))
  await testbed.outside.must(['ip', 'route', 'add', '172.31.0.0/16', 'via', UPLINK_ADDRESS])
  ends = [
    ...guests.map((machine, at) => ({ ip: ADDRESSES[at] ?? ipv4('0.0.0.0'), machine })),
    { ip: ipv4(OUTSIDE_ADDRESS), machine: testbed.outside },
  ]
})
afterAll(() => testbed.destroy())

/**
 * Sends packets that begin a flow each: argv is JSON, a list of [destination, protocol, port, code,
 * number].
 */
const SEND = `
import json, socket, struct, sys
def checksum(data):
    data += b"\\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
source = socket.inet_aton(sys.argv[1])
for destination, protocol, port, code, number in json.loads(sys.argv[2]):
    to = socket.inet_aton(destination)
    mark = b"atoll%08d" % number
    if protocol == 6:
        body = struct.pack("!HHIIBBHHH", 1024 + number % 60000, port, number, 0, 5 << 4, 2, 1024, 0, 0) + mark
    elif protocol == 17:
        body = struct.pack("!HHHH", 1024 + number % 60000, port, 8 + len(mark), 0) + mark
    elif protocol == 1:
        body = struct.pack("!BBHHH", port, code, 0, number % 65536, 1) + mark
    else:
        body = mark
    if protocol == 6:
        sum_ = checksum(source + to + struct.pack("!BBH", 0, protocol, len(body)) + body)
        body = body[:16] + struct.pack("!H", sum_) + body[18:]
    elif protocol == 1:
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), number % 65536, 0, 64, protocol, 0, source, to)
    raw.sendto(header + body, (destination, 0))
    raw.close()
`

/** Prints the number of each such packet that arrives, until SIGUSR1 and 0.3 s of silence. */
const HEAR = `
import os, re, select, signal, socket
inner, outer = os.pipe()
signal.signal(signal.SIGUSR1, lambda *_: os.write(outer, b"x"))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
print("ready", flush=True)
over = False
while True:
    ready, _, _ = select.select([raw] + ([] if over else [inner]), [], [], 0.3 if over else None)
    if not ready: break
    if raw in ready:
        data, (_, _, kind, *_) = raw.recvfrom(65535)
        # PACKET_OUTGOING is what this machine sends; an ICMP error quotes what did not arrive.
        found = re.search(rb"atoll(\\d{8})", data)
        if kind != 4 and found and not (data[9] == 1 and data[20] in (3, 11)): print(int(found.group(1)), flush=True)
    elif inner in ready: over = True
`

/** The kinds of packet that are tried between each two ends: protocol, port or type, code. */
const KINDS = [
  [6, 22, 0],
  [6, 80, 0],
  [6, 443, 0],
  [17, 22, 0],
  [17, 53, 0],
  [1, 8, 0],
  [1, 13, 0],
  [NO_PORTS_PROTOCOL, 0, 0],
] as const

let lastNumber = 0

/** Where packets go: an address, and the end that gets them. */
interface Target {
  readonly ip: Ipv4
  readonly to: number
}

/**
 * Tries every kind of packet from every end to every other one, or to these targets; gives the
 * flows that arrived, and all.
 */
async function tryAll(
  targets: readonly Target[] = ends.map(({ ip }, to) => ({ ip, to })),
): Promise<{ readonly passed: Set<string>; readonly all: readonly Flow[] }> {
  const heard = ends.map(() => '')
  const hearers = ends.map(({ machine }, at) =>
    machine.spawn(['python3', '-c', HEAR], (text) => {
      heard[at] += text
    }),
  )
  await eventually('everybody listens', () => heard.every((text) => text.startsWith('ready')))
  const flows = new Map<number, { readonly flow: Flow; readonly to: number }>()
  for (const [from, { ip: source, machine }] of ends.entries()) {
    const packets = targets.flatMap(({ ip: destination, to }) =>
      destination === source
        ? []
        : KINDS.filter(
            ([protocol]) =>
              protocol !== NO_PORTS_PROTOCOL ||
              (from < to && to < GUESTS.length && destination === ADDRESSES[to]),
          ).map(([protocol, port, code]) => {
            lastNumber += 1
            flows.set(lastNumber, { flow: { source, destination, protocol, port, code }, to })
            return [destination, protocol, port, code, lastNumber]
          }),
    )
    await machine.must(['python3', '-c', SEND, source, JSON.stringify(packets)])
  }
  const gone = hearers.map((hearer) => new Promise((resolve) => hearer.once('close', resolve)))
  for (const hearer of hearers) hearer.kill('SIGUSR1')
  await Promise.all(gone)
  const passed = new Set<string>()
  for (const [number, { flow, to }] of flows)
    if (heard[to]?.split('\n').includes(`${number}`) === true) passed.add(JSON.stringify(flow))
  return { passed, all: [...flows.values()].map(({ flow }) => flow) }
}

test('packets pass exactly if the rules permit it', async () => {
  await fc.assert(
    fc.asyncProperty(anyRulesOf([1, 2, 3]), async (rules) => {
      const want = withRules(testWant(...GUESTS), rules)
      await testbed.pass(want)
      const permissions = permissionsOf(want)
      const { passed, all } = await tryAll()
      const expected = all.filter((flow) => isPermitted(flow, permissions))
      expect(all.filter((flow) => passed.has(JSON.stringify(flow)))).toEqual(expected)
    }),
    { numRuns: ROUNDS, endOnFailure: true },
  )
}, 240_000)

test('packets pass exactly if routes and network ACLs let them, too', async () => {
  await fc.assert(
    fc.asyncProperty(anyRouting, async (routing) => {
      const open = withRules(testWant(...GUESTS), OPEN_TO_ALL)
      const want = withRouting(open, routing)
      await testbed.pass(want)
      const [permissions, ways] = [permissionsOf(want), waysOf(want)]
      const { passed, all } = await tryAll()
      const expected = all.filter(
        (flow) => isPermitted(flow, permissions) && isRouted(flow, ways) && passesAcls(flow, want),
      )
      expect(all.filter((flow) => passed.has(JSON.stringify(flow)))).toEqual(expected)
    }),
    { numRuns: ROUNDS, endOnFailure: true },
  )
}, 240_000)

test('packets to floating IPs pass exactly if routes and network ACLs let them', async () => {
  const floats = [ipv4('198.51.100.11'), null, ipv4('198.51.100.13')]
  const floating = GUESTS.map((guest, at) => ({
    ...guest,
    nics: guest.nics.map((nic) => ({ ...nic, publicIp: floats[at] ?? null })),
  }))
  const targets = floats.flatMap((ip, to) => (ip === null ? [] : [{ ip, to }]))
  await fc.assert(
    fc.asyncProperty(anyRouting, async (routing) => {
      const want = withRouting(withRules(testWant(...floating), OPEN_TO_ALL), routing)
      await testbed.pass(want)
      const ways = waysOf(want)
      const { passed, all } = await tryAll(targets)
      const expected = all.filter((flow) => {
        const destination = ways.floats.get(flow.destination) ?? flow.destination
        return isRouted(flow, ways) && passesAcls({ ...flow, destination }, want)
      })
      expect(all.filter((flow) => passed.has(JSON.stringify(flow)))).toEqual(expected)
    }),
    { numRuns: ROUNDS, endOnFailure: true },
  )
}, 240_000)

/** Serves everybody who connects to port 7001, and prints a line for each. */
const SERVE = `
import socket, threading
server = socket.create_server(("0.0.0.0", 7001))
print("serving", flush=True)
def echo(connection):
    while data := connection.recv(1000): connection.sendall(data)
while True:
    connection, peer = server.accept()
    print("accepted", flush=True)
    threading.Thread(target=echo, args=(connection,), daemon=True).start()
`
/**
 * Talks to such a server, whose answers must come within a second, until its deadline; then prints
 * `done`.
 */
const TALK_ON = `
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 7001), 2)
connection.settimeout(2)
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline:
    connection.sendall(b"x")
    assert connection.recv(1) == b"x"
    time.sleep(0.01)
print("done", end="")
`

test('what is withdrawn ends the connections that only it had permitted', async () => {
  const tcpFrom = (group: number): RuleMatch => ({
    egress: false,
    protocol: 6,
    fromPort: 7001,
    toPort: 7001,
    peer: { kind: 'group', group: testGroup(group) },
  })
  const rulesWith = (...more: readonly RuleMatch[]) =>
    withRules(testWant(...GUESTS), { 1: [ALL_OUT], 2: [ALL_OUT], 3: [ALL_OUT, ...more] })
  const [first, second, third] = ends
  if (first === undefined || second === undefined || third === undefined) throw new Error('ends')
  // The second guest is in both groups.
  await testbed.pass(rulesWith(tcpFrom(2), tcpFrom(1)))
  let served = ''
  const server = third.machine.spawn(['python3', '-c', SERVE], (text) => {
    served += text
  })
  await eventually('the server serves', () => served.includes('serving'))
  const talk = ({ machine }: typeof first, seconds: number) =>
    machine.run(['python3', '-c', TALK_ON, third.ip, `${seconds}`], { timeoutMs: 60_000 })
  const [ended, kept] = [talk(first, 30), talk(second, 5)]
  await eventually('both are connected', () => served.split('accepted').length > 2, 10_000)
  await testbed.pass(rulesWith(tcpFrom(2)))
  expect((await ended).stderr).toMatch(/timed out/i)
  expect((await kept).stdout).toBe('done')
  server.kill('SIGKILL')
}, 60_000)

test('a route that goes ends the connections that went by it', async () => {
  const [first] = ends
  if (first === undefined) throw new Error('ends')
  const route = { destination: cidr('0.0.0.0/0'), to: { kind: 'internet' } } as const
  const routed = (...routes: readonly (typeof route)[]) =>
    withRouting(withRules(testWant(...GUESTS), OPEN_TO_ALL), [
      [routes, null],
      [[route], null],
    ])
  await testbed.pass(routed(route))
  let served = ''
  const server = testbed.outside.spawn(['python3', '-c', SERVE], (text) => {
    served += text
  })
  await eventually('the server serves', () => served.includes('serving'))
  const talk = (seconds: number) =>
    first.machine.run(['python3', '-c', TALK_ON, OUTSIDE_ADDRESS, `${seconds}`], {
      timeoutMs: 60_000,
    })
  const ended = talk(30)
  await eventually('it is connected', () => served.includes('accepted'), 10_000)
  await testbed.pass(routed())
  expect((await ended).stderr).toMatch(/timed out/i)
  await testbed.pass(routed(route))
  expect((await talk(0.1)).stdout).toBe('done')
  server.kill('SIGKILL')
}, 60_000)
