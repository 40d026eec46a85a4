/**
 * A TCP connection goes on by an entry that was made from what another host knew of it, under the
 * real rules; without the entry its middle is dropped. Groups are asked about it as about any
 * other.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CarriedFlow } from '../../src/model/carried-flow.ts'
import { type HostWant, type InstanceWant, plugName } from '../../src/model/want.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { onePingReaches, reaches } from '../kit/ping.ts'
import {
  createTestbed,
  metricValue,
  OUTSIDE_ADDRESS,
  type Testbed,
  testInstance,
  testWant,
  UPLINK_ADDRESS,
} from '../kit/testbed.ts'

const MOVED = testInstance(11, [1])
const [NIC] = MOVED.nics
const PEER = testInstance(12, [1])
const PORT = 7000

const BLOCK_BYTES = 65_536
/** Sends back what it gets. */
const ANSWER = `
import socket
s = socket.create_server(("0.0.0.0", ${PORT}))
print("ready", flush=True)
c = s.accept()[0]
while True:
    c.sendall(c.recv(${BLOCK_BYTES}))
`
/** Sends a block, waits until it is back, says so, and so on. */
const ASK = `
import socket, time
c = socket.create_connection(("172.31.0.12", ${PORT}))
while True:
    c.sendall(b"x" * ${BLOCK_BYTES})
    left = ${BLOCK_BYTES}
    while left > 0: left -= len(c.recv(left))
    print("x", flush=True)
    time.sleep(0.01)
`

let testbed: Testbed
let moved: Netns
let answers = 0
let flow: CarriedFlow

/** As long as it runs on another host. */
function elsewhere(moved: InstanceWant): HostWant {
  const { local } = testWant(PEER)
  const { shared } = testWant(moved, PEER)
  const routes = moved.nics.map((nic) => ({
    ...{ ip: nic.ip, via: OUTSIDE_ADDRESS, vpc: nic.vpc, nic: plugName(nic) },
  }))
  return { local: { ...local, arriving: [moved] }, shared: { ...shared, routes } }
}

const flows = () => testbed.host.carriedFlows(MOVED.nics[0]?.ip ?? UPLINK_ADDRESS)
const invalid = () =>
  metricValue(testbed.metrics, 'atoll_firewall_dropped_packets_total', 'reason="invalid"')

/** It is on its way here, and this host knows none of its connections. */
async function arrives(moved: InstanceWant): Promise<void> {
  await testbed.pass(elsewhere(moved))
  await testbed.host.forgetFlows({ address: flow.source })
  expect(await flows()).toEqual([])
}

/** TCP tries again after twice as long each time, so it goes by how long nothing came. */
const TRIED_AGAIN_MS = 60_000

async function goesOn(times = 20): Promise<void> {
  const before = answers
  await eventually('the connection goes on', () => answers > before + times, TRIED_AGAIN_MS)
}

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(testWant(MOVED, PEER))
  moved = await testbed.plug(MOVED)
  const peer = await testbed.plug(PEER)
  let said = ''
  peer.spawn(['python3', '-c', ANSWER], (text) => {
    said += text
  })
  await eventually('it listens', () => said.includes('ready'))
  moved.spawn(['python3', '-c', ASK], (text) => {
    answers += text.split('x').length - 1
  })
  await goesOn()
  const [found] = await flows()
  if (found === undefined) throw new Error('the connection is not tracked')
  flow = found
})
afterAll(() => testbed?.destroy())

test('it is read as its first packet was', async () => {
  expect(await flows()).toMatchObject([
    { source: NIC?.ip, destination: '172.31.0.12', destinationPort: PORT, protocol: 6, state: 3 },
  ])
  expect(flow).toMatchObject({ isAssured: true, seconds: expect.any(Number) })
})

test('without an entry its middle is dropped, and with one it goes on', async () => {
  await arrives(MOVED)
  const dropped = await invalid()
  await testbed.pass(testWant(MOVED, PEER))
  await eventually('a packet is dropped', async () => (await invalid()) > dropped, TRIED_AGAIN_MS)
  const before = answers
  await eventually('its packets are dropped', async () => (await invalid()) > dropped + 2, 20_000)
  expect(answers).toBe(before)
  await arrives(MOVED)
  await testbed.host.carryOn([flow])
  await testbed.pass(testWant(MOVED, PEER))
  await goesOn()
})

test('it ends when its groups do not permit it here', async () => {
  await arrives(MOVED)
  await testbed.host.carryOn([flow])
  expect(await flows()).toHaveLength(1)
  await testbed.pass(testWant(testInstance(11, [2]), PEER))
  expect(await flows()).toEqual([])
})

test('it goes on as soon as the instance is led here, whatever older wants say', async () => {
  await arrives(MOVED)
  const before = answers
  await testbed.host.carryOn([flow])
  await testbed.firewall.judge([flow.source])
  expect(answers).toBe(before)
  await testbed.links.lead(MOVED)
  await goesOn()
  await testbed.pass(elsewhere(MOVED))
  await goesOn()
  await testbed.pass(testWant(MOVED, PEER))
  await goesOn()
})

test('what leaves the VPC waits for the pass that knows where its floating IP is', async () => {
  const refused = () =>
    metricValue(testbed.metrics, 'atoll_firewall_dropped_packets_total', 'reason="route"')
  await arrives(MOVED)
  await testbed.links.lead(MOVED)
  const before = await refused()
  expect(await onePingReaches(moved, OUTSIDE_ADDRESS)).toBe(false)
  expect(await refused()).toBeGreaterThan(before)
  await testbed.pass(testWant(MOVED, PEER))
  expect(await reaches(moved, OUTSIDE_ADDRESS)).toBe(true)
})

test('it is judged by the rules that are in force before the instance is here', async () => {
  const [nic] = MOVED.nics
  const others = { ...MOVED, nics: nic === undefined ? [] : [{ ...nic, groups: [] }] }
  await arrives(others)
  await testbed.host.carryOn([flow])
  expect(await flows()).toHaveLength(1)
  await testbed.firewall.judge([flow.source])
  expect(await flows()).toEqual([])
})

test('none is judged by rules that are not in force', async () => {
  const { local } = testWant(PEER)
  await testbed.pass({ ...elsewhere(MOVED), local })
  await expect(testbed.firewall.judge([flow.source])).rejects.toThrow(/are not in force/)
  const [nic] = MOVED.nics
  const routers = nic === undefined ? [] : [{ ...nic, sourceDestCheck: false as const }]
  await arrives({ ...MOVED, nics: routers })
  await expect(testbed.firewall.judge([flow.source])).rejects.toThrow(/are not in force/)
})

test('none is made with an address of the host itself', async () => {
  const { host } = testbed
  await host.carryOn([
    { ...flow, destination: UPLINK_ADDRESS },
    { ...flow, source: UPLINK_ADDRESS, destination: flow.source },
    { ...flow, sourcePort: 1, destinationPort: 2 },
  ])
  expect((await flows()).map(({ sourcePort }) => sourcePort)).toEqual([1])
})
