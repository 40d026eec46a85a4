/**
 * Flow logs of real packets: what is accepted and what is refused is recorded at each interface,
 * for all its addresses and for interfaces that come later, once each, and a flood of refused
 * packets is neither many lines nor work.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cidrAddress } from '../../src/model/addr.ts'
import { DEFAULT_ACL_RULES } from '../../src/model/network-acl.ts'
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { type FlowLogBed, LOG, openFlowLogs, withFlowLogs } from '../kit/flow-logs.ts'
import { numbered } from '../kit/records.ts'
import { connectUntilAnswered, SERVE_PEER_ADDRESS } from '../kit/talk.ts'
import {
  createTestbed,
  OUTSIDE_ADDRESS,
  type Testbed,
  testInstance,
  testWant,
} from '../kit/testbed.ts'

/** With an address more. */
function withSecondary(instance: InstanceWant, number: number): InstanceWant {
  const nics = instance.nics.map((nic) => ({
    ...nic,
    secondary: [{ ip: cidrAddress(nic.subnetCidr, number) }],
  }))
  return { ...instance, nics }
}
const [BOB, CAROL, LATER] = [testInstance(12, [1]), testInstance(13, [2]), testInstance(14, [1])]
const ALICE = withSecondary(testInstance(11, [1]), 111)
const logged = (...instances: readonly InstanceWant[]) =>
  withFlowLogs(testWant(...instances), [LOG])

let testbed: Testbed
let guests: Record<'alice' | 'bob' | 'carol', Netns>
let logs: FlowLogBed

async function pass(want: HostWant): Promise<void> {
  await testbed.pass(want)
  await logs.apply(want)
}

beforeAll(async () => {
  testbed = await createTestbed()
  logs = await openFlowLogs(testbed.host)
  await pass(logged(ALICE, BOB, CAROL))
  guests = {
    alice: await testbed.plug(ALICE),
    bob: await testbed.plug(BOB),
    carol: await testbed.plug(CAROL),
  }
  // From the first reading on, connections have counters.
  await logs.look(0)
})
afterAll(async () => {
  await logs[Symbol.asyncDispose]()
  await testbed.destroy()
})

function ipOf({ nics: [nic] }: InstanceWant): string {
  return nic?.ip ?? ''
}

/** Source, destination, protocol, packets and action of lines. */
const short = (lines: readonly string[]) =>
  lines.map((line) => {
    const [, , , source, destination, , port, protocol, packets, , , , action] = line.split(' ')
    return { source, destination, port, protocol, packets: Number(packets), action }
  })

/** Pings until that many were answered: a link that has just come up may drop the first. */
async function ping(from: Netns, to: string, more: readonly string[] = []): Promise<void> {
  await from.must(['ping', '-c3', '-i0.1', '-W5', ...more, to])
}
const pinged = (source: string, destination: string, packets: unknown = expect.any(Number)) => ({
  ...{ source, destination, port: '0', protocol: '1', packets, action: 'ACCEPT' },
})

test('what passes and what does not is recorded at both ends', async () => {
  const server = guests.bob.spawn(['python3', '-c', SERVE_PEER_ADDRESS])
  await connectUntilAnswered(guests.alice, ipOf(BOB))
  await guests.alice.run(['ping', '-c3', '-i0.01', '-W0.3', ipOf(CAROL)])
  await ping(guests.alice, OUTSIDE_ADDRESS)
  await logs.look(5000)
  await logs.look(60_000)
  server.kill('SIGKILL')
  const [alice, bob, carol] = await Promise.all([ALICE, BOB, CAROL].map(logs.linesOf))
  const tcp = { protocol: '6', action: 'ACCEPT', packets: expect.any(Number) }
  const [a, b, c] = [ipOf(ALICE), ipOf(BOB), ipOf(CAROL)]
  const there = { source: a, destination: b, port: '7000', ...tcp }
  expect(short(alice ?? [])).toContainEqual(there)
  expect(short(bob ?? [])).toContainEqual(there)
  expect(short(bob ?? [])).toContainEqual({
    source: b,
    destination: a,
    port: expect.any(String),
    ...tcp,
  })
  const refused = { ...pinged(a, c, 3), action: 'REJECT' }
  // It left its sender: only the other end refused it.
  expect(short(carol ?? [])).toContainEqual(refused)
  expect(short(alice ?? []).filter(({ action }) => action === 'REJECT')).toEqual([])
  expect(short(alice ?? [])).toContainEqual(pinged(a, OUTSIDE_ADDRESS))
})

test('what goes on being refused is one record with all its packets', async () => {
  const bounds = { rounds: 4, packets: 25 }
  for (let round = 0; round < bounds.rounds; round++) {
    await guests.alice.must(['python3', '-c', SEND, ipOf(CAROL), '9', `${bounds.packets}`])
    await logs.look(5000)
  }
  await logs.look(60_000)
  const found = short(await logs.linesOf(CAROL)).filter(({ port }) => port === '9')
  expect(found).toEqual([
    expect.objectContaining({ packets: bounds.rounds * bounds.packets, action: 'REJECT' }),
  ])
})

/** Sends so many datagrams to a port, from one port. */
const SEND = `
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("", 4000))
for _ in range(int(sys.argv[3])):
    try: out.sendto(b"x", (sys.argv[1], int(sys.argv[2])))
    except OSError: pass
`

test('further addresses of an interface, and interfaces that come later, are recorded', async () => {
  const second = `${ALICE.nics[0]?.secondary?.[0]?.ip}`
  await guests.alice.must(`ip addr add ${second}/20 dev eth0`.split(' '))
  await ping(guests.alice, ipOf(BOB), ['-I', second])
  await ping(guests.bob, second)
  await pass(logged(ALICE, BOB, CAROL, LATER))
  const later = await testbed.plug(LATER)
  await ping(later, ipOf(BOB))
  await logs.look(5000)
  await logs.look(60_000)
  expect(short(await logs.linesOf(ALICE))).toEqual(
    expect.arrayContaining([pinged(second, ipOf(BOB)), pinged(ipOf(BOB), second)]),
  )
  expect(short(await logs.linesOf(LATER))).toContainEqual(pinged(ipOf(LATER), ipOf(BOB)))
  // Its last records are written when it goes, and those of others are not disturbed.
  await ping(later, ipOf(BOB))
  await logs.look(5000)
  await pass(logged(ALICE, BOB, CAROL))
  await logs.look(60_000)
  const answers = short(await logs.linesOf(LATER)).filter(({ source }) => source === ipOf(BOB))
  expect(answers).toHaveLength(2)
})

test('what a network ACL refuses is recorded, too', async () => {
  const want = logged(ALICE, BOB, CAROL)
  // Nothing leaves the subnet.
  const acl = { id: numbered('acl', 1), rules: DEFAULT_ACL_RULES.filter(({ egress }) => !egress) }
  const subnets = want.shared.subnets.map((subnet) => ({ ...subnet, acl }))
  await pass({ ...want, shared: { ...want.shared, subnets } })
  await guests.alice.run(['ping', '-c4', '-i0.01', '-W0.3', OUTSIDE_ADDRESS])
  await logs.look(5000)
  await logs.look(60_000)
  expect(short(await logs.linesOf(ALICE))).toContainEqual({
    ...pinged(ipOf(ALICE), OUTSIDE_ADDRESS, 4),
    action: 'REJECT',
  })
  await pass(want)
})

test('a daemon that is stopped writes what it has, and the next one does not write it again', async () => {
  const before = short(await logs.linesOf(BOB)).length
  const pinging = ['-i0.1', '-c10', '-W5', ipOf(BOB)]
  await guests.alice.must(['ping', '-e77', ...pinging])
  await guests.alice.run(['ping', '-c5', '-i0.01', '-W0.3', ipOf(CAROL)])
  const refused = async () =>
    short(await logs.linesOf(CAROL))
      .filter(({ protocol, action }) => protocol === '1' && action === 'REJECT')
      .reduce((sum, { packets }) => sum + packets, 0)
  const refusedBefore = await refused()
  await logs.restart()
  const packetsTo = async () =>
    short(await logs.linesOf(BOB))
      .slice(before)
      .filter(({ source }) => source === ipOf(ALICE))
      .reduce((sum, { packets }) => sum + (packets || 0), 0)
  expect(await packetsTo()).toBe(10)
  expect(await refused()).toBe(refusedBefore + 5)
  await logs.apply(logged(ALICE, BOB, CAROL))
  await logs.look(0)
  // The same flow goes on: only what is new of it.
  await guests.alice.must(['ping', '-e77', ...pinging])
  await logs.look(5000)
  await logs.look(60_000)
  expect(await packetsTo()).toBe(20)
  expect(await refused()).toBe(refusedBefore + 5)
})

test('without flow logs nothing is collected', async () => {
  await pass(testWant(ALICE, BOB, CAROL))
  expect(logs.pending()).toBe(0)
  expect(await testbed.machine.must(['nft', 'list', 'table', 'inet', 'atoll'])).not.toContain(
    'refused_',
  )
})
