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
import { ALL_OUT, type EnforcedMatch } from '../../src/model/group-rule.ts'
import type { HostWant } from '../../src/model/want.ts'
import { isPermitted, permissionsOf } from '../../src/plan/permits.ts'
import { isRouted, waysOf } from '../../src/plan/route-rules.ts'
import { type LedSubnets, wayToRouter } from '../../src/plan/router-routes.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { anyRouting, passesAcls, ROUTER, withRouting } from '../kit/any-routing.ts'
import { anyRulesOf, NO_PORTS_PROTOCOL, withRules } from '../kit/group-rules.ts'
import { sendProbes } from '../kit/probe-packets.ts'
import { numbered } from '../kit/records.ts'
import { connectUntilAnswered, SERVE_PEER_ADDRESS } from '../kit/talk.ts'
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
const ROUTING_ROUNDS = 5
const FROM_ALL: EnforcedMatch = { ...ALL_OUT, egress: false }
const OPEN_TO_ALL = Object.fromEntries([1, 2, 3].map((group) => [group, [ALL_OUT, FROM_ALL]]))
const GUESTS = [testInstance(11, [1]), testInstance(22, [1, 2]), ROUTER]
const AT_ROUTER = 2
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

/** Where packets go: an address, and the end that gets them. */
interface Target {
  readonly ip: Ipv4
  readonly to: number
}

/**
 * Tries every kind of packet from every end to every other one, or to these targets; gives the
 * flows that arrived, and all. What is led to the router arrives there.
 */
async function tryAll(
  targets: readonly Target[] = ends.map(({ ip }, to) => ({ ip, to })),
  led: LedSubnets = { led: [], vpcs: [] },
): Promise<{ readonly passed: Set<string>; readonly all: readonly Flow[] }> {
  const probes = ends.flatMap(({ ip: source }, from) =>
    targets.flatMap(({ ip: destination, to }) =>
      destination === source
        ? []
        : KINDS.filter(
            ([protocol]) =>
              protocol !== NO_PORTS_PROTOCOL ||
              (from < to && to < GUESTS.length && destination === ADDRESSES[to]),
          ).map(([protocol, port, code]) => ({
            ...{ from, destination, protocol, port, code },
            to: wayToRouter({ source, destination }, led) === undefined ? to : AT_ROUTER,
          })),
    ),
  )
  const { arrived } = await sendProbes(ends, probes)
  const flows = probes.map((probe) => {
    const { from, destination, protocol, port, code } = probe
    const source = ends[from]?.ip ?? ipv4('0.0.0.0')
    return { probe, flow: { source, destination, protocol, port, code } }
  })
  return {
    passed: new Set(
      flows.flatMap(({ probe, flow }) => (arrived.has(probe) ? JSON.stringify(flow) : [])),
    ),
    all: flows.map(({ flow }) => flow),
  }
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
      const { passed, all } = await tryAll(undefined, ways.led)
      const expected = all.filter(
        (flow) => isPermitted(flow, permissions) && isRouted(flow, ways) && passesAcls(flow, want),
      )
      expect(all.filter((flow) => passed.has(JSON.stringify(flow)))).toEqual(expected)
    }),
    { numRuns: ROUTING_ROUNDS, endOnFailure: true },
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
      const { passed, all } = await tryAll(targets, ways.led)
      const expected = all.filter((flow) => {
        const isLed = wayToRouter(flow, ways.led) !== undefined
        const float = isLed ? undefined : ways.floats.get(flow.destination)
        const destination = float ?? flow.destination
        return isRouted(flow, ways) && passesAcls({ ...flow, destination }, want)
      })
      expect(all.filter((flow) => passed.has(JSON.stringify(flow)))).toEqual(expected)
    }),
    { numRuns: ROUTING_ROUNDS, endOnFailure: true },
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
 * Talks to such a server, whose answers must come within so many seconds, until its deadline. Then
 * prints `done`.
 */
const TALK_ON = `
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 7001), 20)
connection.settimeout(float(sys.argv[3]))
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline:
    connection.sendall(b"x")
    assert connection.recv(1) == b"x"
    time.sleep(0.01)
print("done", end="")
`

function tcpFrom(peer: EnforcedMatch['peer']): EnforcedMatch {
  return { egress: false, protocol: 6, fromPort: 7001, toPort: 7001, peer }
}
const rulesWith = (...more: readonly EnforcedMatch[]) =>
  withRules(testWant(...GUESTS), { 1: [ALL_OUT], 2: [ALL_OUT], 3: [ALL_OUT, ...more] })

test('what is withdrawn ends the connections that only it had permitted', async () => {
  // The second guest is in both groups.
  const [one, two] = [testGroup(1), testGroup(2)].map((group) => tcpFrom({ kind: 'group', group }))
  if (one === undefined || two === undefined) throw new Error('rules')
  await expectFirstEnds(rulesWith(two, one), rulesWith(two))
}, 60_000)

test('a network that a prefix list loses ends the connections that came from it', async () => {
  const listing = (...sources: readonly (Ipv4 | undefined)[]): HostWant => {
    const networks = sources.map((ip) => cidr(`${ip}/32`))
    const want = rulesWith(...networks.map((one) => tcpFrom({ kind: 'ipv4', cidr: one })))
    // As the plan makes them of one rule.
    const id = numbered('sgr', 9999)
    const groups = want.shared.groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => (rule.protocol === 6 ? { ...rule, id } : rule)),
    }))
    return { ...want, shared: { ...want.shared, groups } }
  }
  const [first, second] = ADDRESSES
  await expectFirstEnds(listing(first, second), listing(second))
}, 60_000)

/** The first and the second guest talk to the third; then only the second may. */
async function expectFirstEnds(before: HostWant, after: HostWant): Promise<void> {
  const [first, second, third] = ends
  if (first === undefined || second === undefined || third === undefined) throw new Error('ends')
  await testbed.pass(before)
  let served = ''
  const server = third.machine.spawn(['python3', '-c', SERVE], (text) => {
    served += text
  })
  await eventually('the server serves', () => served.includes('serving'))
  const talk = (
    { machine }: typeof first,
    ...limits: readonly [seconds: number, patience: number]
  ) =>
    machine.run(['python3', '-c', TALK_ON, third.ip, ...limits.map(String)], { timeoutMs: 60_000 })
  const [ended, kept] = [talk(first, 30, 5), talk(second, 5, 20)]
  await eventually('both are connected', () => served.split('accepted').length > 2)
  await testbed.pass(after)
  expect((await ended).stderr).toMatch(/timed out/i)
  expect((await kept).stdout).toBe('done')
  server.kill('SIGKILL')
}

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
  const talk = (...limits: readonly [seconds: number, patience: number]) =>
    first.machine.run(['python3', '-c', TALK_ON, OUTSIDE_ADDRESS, ...limits.map(String)], {
      timeoutMs: 60_000,
    })
  const ended = talk(30, 5)
  await eventually('it is connected', () => served.includes('accepted'))
  await testbed.pass(routed())
  expect((await ended).stderr).toMatch(/timed out/i)
  await testbed.pass(routed(route))
  expect((await talk(0.1, 20)).stdout).toBe('done')
  server.kill('SIGKILL')
}, 60_000)

test('what goes by a NAT gateway has the address of the host, not its floating IP', async () => {
  const [first] = ends
  if (first === undefined) throw new Error('ends')
  const float = ipv4('198.51.100.11')
  const [guest = testInstance(11, [1]), ...others] = GUESTS
  const nics = guest.nics.map((nic) => ({ ...nic, publicIp: float }))
  const server = testbed.outside.spawn(['python3', '-c', SERVE_PEER_ADDRESS])
  const seenBy = async (kind: 'internet' | 'nat') => {
    const route = { destination: cidr('0.0.0.0/0'), to: { kind } }
    const open = withRules(testWant({ ...guest, nics }, ...others), OPEN_TO_ALL)
    await testbed.pass(
      withRouting(open, [
        [[route], null],
        [[], null],
      ]),
    )
    return await connectUntilAnswered(first.machine, OUTSIDE_ADDRESS)
  }
  expect(await seenBy('internet')).toBe(float)
  expect(await seenBy('nat')).toBe(UPLINK_ADDRESS)
  expect(await seenBy('internet')).toBe(float)
  server.kill('SIGKILL')
}, 60_000)
