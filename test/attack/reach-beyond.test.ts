/**
 * An instance reaches, under its host's address, what only the host should; a neighbour of the host
 * uses it as a router; and a guest forges its source address, fragment by fragment.
 *
 * Before: containers on Docker's bridges, networks on other links of the host and 169.254.77.7
 * outside were reached masqueraded; the host forwarded for any neighbour; it answered ARP on its
 * uplink for 169.254.169.254; a forged fragment was put into another's datagram, because sources
 * were checked after defragmentation.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createMetrics } from '../../src/lib/metrics.ts'
import { cidr } from '../../src/model/addr.ts'
import { NFT_TABLE } from '../../src/model/names.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { LONE_FIREWALL } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { reaches } from '../kit/ping.ts'
import {
  createTestbed,
  OUTSIDE_ADDRESS,
  type Testbed,
  testInstance,
  testWant,
  UPLINK_ADDRESS,
} from '../kit/testbed.ts'

const ALICE = testInstance(11, [1])
const BOB = testInstance(12, [1])
const MALLORY = testInstance(13, [2])
const want = testWant(ALICE, BOB, MALLORY)

let testbed: Testbed
let alice: Netns
let bob: Netns
let mallory: Netns
/** On a management network, a link of the host's own; and a container on a bridge of Docker's. */
let office: Netns
let container: Netns

async function neighbour(name: string, link: string, network: string): Promise<Netns> {
  const made = await createNetns(name)
  await testbed.machine.must(
    `ip link add ${link} type veth peer name eth0 netns ${made.pid}`.split(' '),
  )
  const setUp = `ip addr add ${network}.1/24 dev ${link}; ip link set ${link} up`
  await testbed.machine.must(['sh', '-ec', setUp])
  const there = `ip addr add ${network}.2/24 dev eth0; ip link set eth0 up; ip route add default via ${network}.1`
  await made.must(['sh', '-ec', there])
  return made
}

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.machine.must(['sysctl', '-qw', 'net.ipv4.ip_forward=0'])
  office = await neighbour('office', 'mgmt0', '10.9.0')
  container = await neighbour('container', 'docker0', '172.17.0')
  await testbed.pass(want)
  const plugged = await Promise.all([ALICE, BOB, MALLORY].map((each) => testbed.plug(each)))
  const [one, two, three] = plugged
  if (one === undefined || two === undefined || three === undefined) throw new Error('three guests')
  ;[alice, bob, mallory] = [one, two, three]
  await testbed.outside.must([
    'sh',
    '-ec',
    `ip addr add 169.254.77.7/32 dev lo; ip addr add 203.0.113.9/32 dev lo; ip addr add 198.51.100.7/24 dev eth0
ip route add 10.9.0.0/24 via ${UPLINK_ADDRESS}; ip route add 172.17.0.0/24 via ${UPLINK_ADDRESS}`,
  ])
})

afterAll(async () => {
  await testbed.destroy()
  await office.destroy()
  await container.destroy()
})

async function drops(reason: string): Promise<number> {
  const counted = await testbed.host.ruleCounters()
  return counted.get(`inet ${NFT_TABLE} dropped_${reason}`)?.packets ?? 0
}

test.concurrent.each([
  ['a network on a link of the host', '10.9.0.2'],
  ['a container on a bridge of Docker', '172.17.0.2'],
  ['a neighbour on the uplink that is no gateway', '198.51.100.7'],
  ['a link-local address outside', '169.254.77.7'],
  ['the host by its uplink', UPLINK_ADDRESS],
  ['the host by its management address', '10.9.0.1'],
  ['a reserved address', '240.0.0.9'],
])('an instance does not reach %s', async (_what, address) => {
  expect(await reaches(alice, address)).toBe(false)
})

test.each([OUTSIDE_ADDRESS, '203.0.113.9'])(
  'it reaches %s through the default route',
  async (address) => {
    expect(await reaches(alice, address)).toBe(true)
  },
)

test('a new default route is used from the next pass on, and one that goes is closed at once', async () => {
  const swap = `ip route replace default via 10.9.0.2`
  await office.must(['sh', '-ec', 'ip addr add 203.0.113.9/32 dev lo'])
  await testbed.machine.must(['sh', '-ec', swap])
  expect(await reaches(alice, '203.0.113.9')).toBe(false)
  await testbed.pass(want)
  expect(await reaches(alice, '203.0.113.9')).toBe(true)
  expect(await reaches(alice, OUTSIDE_ADDRESS)).toBe(false)
  await testbed.machine.must(['sh', '-ec', `ip route replace default via ${OUTSIDE_ADDRESS}`])
  await testbed.pass(want)
  expect(await reaches(alice, '203.0.113.9')).toBe(true)
})

test('behind a default route without a gateway, such as a tunnel’s, connected networks stay closed', async () => {
  await testbed.machine.must(['sh', '-ec', 'ip route replace default dev mgmt0'])
  await office.must([
    'sh',
    '-ec',
    'sysctl -qw net.ipv4.conf.eth0.proxy_arp=1 net.ipv4.ip_forward=1',
  ])
  await testbed.pass(want)
  expect(await reaches(alice, '203.0.113.9')).toBe(true)
  expect(await reaches(alice, '10.9.0.2')).toBe(false)
  await testbed.machine.must(['sh', '-ec', `ip route replace default via ${OUTSIDE_ADDRESS}`])
  await testbed.pass(want)
})

test('the host forwards for nobody else, and a container of Docker goes out', async () => {
  expect(await testbed.machine.must(['sysctl', '-n', 'net.ipv4.ip_forward'])).toBe('1\n')
  const found = [
    reaches(testbed.outside, '10.9.0.2'),
    reaches(testbed.outside, '172.17.0.2'),
    reaches(office, OUTSIDE_ADDRESS),
    reaches(container, OUTSIDE_ADDRESS),
  ]
  expect(await Promise.all(found)).toEqual([false, false, false, true])
})

const ARP = `
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
raw.bind(("eth0", 0x0806))
raw.settimeout(1)
mac = raw.getsockname()[4]
ask = socket.inet_aton(sys.argv[1])
mine = socket.inet_aton(sys.argv[2])
raw.send(b"\\xff" * 6 + mac + b"\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x01" + mac + mine + bytes(6) + ask)
try:
    while True:
        frame = raw.recv(100)
        if frame[20:22] == b"\\x00\\x02" and frame[28:32] == ask:
            print("answered", end="")
            break
except TimeoutError:
    print("silence", end="")
`

test('no ARP request on the uplink is answered for the service addresses, but for the host’s own', async () => {
  const asked = (address: string) =>
    testbed.outside.must(['python3', '-c', ARP, address, OUTSIDE_ADDRESS])
  const nobodys = ['169.254.169.254', '169.254.169.253', '172.31.0.1', '172.31.0.11']
  const found = await Promise.all([...nobodys, UPLINK_ADDRESS].map(asked))
  expect(found).toEqual([...nobodys.map(() => 'silence'), 'answered'])
})

test('ARP of an instance is answered for its own network, and not for the host’s others', async () => {
  const asked = (address: string) => alice.must(['python3', '-c', ARP, address, '172.31.0.11'])
  const found = ['172.31.0.12', '169.254.169.254', '10.9.0.1', UPLINK_ADDRESS].map(asked)
  expect(await Promise.all(found)).toEqual(['answered', 'answered', 'silence', 'silence'])
})

/**
 * Sends IPv4 packets as written: destination's frame, then source, destination, flags and offset,
 * id, protocol, options, payload.
 */
const FORGE = `
import socket, struct, sys
source, target, fragment, identity, protocol, options, payload = sys.argv[1:8]
options, payload = bytes.fromhex(options), bytes.fromhex(payload)
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0x0800))
mac = raw.getsockname()[4]
length = 20 + len(options)
head = struct.pack("!BBHHHBBH4s4s", 0x40 | length // 4, 0, length + len(payload), int(identity), int(fragment, 16), 64, int(protocol), 0, socket.inet_aton(source), socket.inet_aton(target)) + options
total = sum(struct.unpack("!%dH" % (len(head) // 2), head))
while total >> 16: total = (total & 0xffff) + (total >> 16)
head = head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:]
raw.send(bytes.fromhex("0261746f6c6c") + mac + sys.argv[8].encode("latin1").decode("unicode_escape").encode("latin1") + b"\\x08\\x00" + head + payload)
`

const forge = (from: Netns, ...args: readonly string[]) =>
  from.must(['python3', '-c', FORGE, ...args, ''])

test('a fragment with another’s source is dropped at its NIC, and counted', async () => {
  const listen = bob.spawn(
    [
      'python3',
      '-c',
      'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(("0.0.0.0", 5555))\nwhile True: print(s.recv(2000), flush=True)',
    ],
    (text) => {
      said += text
    },
  )
  let said = ''
  await eventually('bob listens', async () =>
    (await bob.run(['ss', '-lunH'])).stdout.includes(':5555'),
  )
  // UDP from port 4444 to 5555, 24 bytes of it, the first 16 here: the rest comes from whom?
  const first = '115c15b30018000041414141414141' + '41'
  let id = 76
  // A part waits for the others for seconds only, and each is sent by a program of its own.
  await eventually('the true one arrives', async () => {
    id += 1
    const send = (from: Netns, offset: string, payload: string) =>
      forge(from, '172.31.0.11', '172.31.0.12', offset, `${id}`, '17', '', payload)
    await send(alice, '2000', first)
    const before = await drops('spoofed')
    await send(mallory, '0002', '4d4d4d4d4d4d4d4d')
    await eventually('it is counted', async () => (await drops('spoofed')) > before)
    await send(alice, '0002', '4242424242424242')
    return said.includes('BBBB')
  })
  expect(said).not.toContain('MMMM')
  listen.kill('SIGKILL')
})

test.each([
  [
    'loose source routing',
    '172.31.0.11',
    '17',
    '83070400000000' + '00',
    '0000000000080000',
    'option',
  ],
  ['record route', '172.31.0.11', '17', '07070400000000' + '00', '0000000000080000', 'option'],
  ['a redirect', '172.31.0.11', '1', '', '0501000000000000450000', 'option'],
  ['another’s address', '172.31.0.12', '17', '', '0000000000080000', 'spoofed'],
  ['the gateway’s address', '172.31.0.1', '17', '', '0000000000080000', 'spoofed'],
  ['the loopback’s address', '127.0.0.1', '17', '', '0000000000080000', 'spoofed'],
])('%s is dropped and counted', async (_what, source, protocol, options, payload, reason) => {
  const before = await drops(reason)
  await forge(alice, source, '172.31.0.12', '0000', '1', protocol, options, payload)
  await eventually('it is counted', async () => (await drops(reason)) > before)
})

test('what network.reach names is reached', async () => {
  const settings = { ...LONE_FIREWALL, reach: [cidr('10.9.0.0/24'), cidr('172.17.0.2/32')] }
  const firewall = createFirewall({
    host: testbed.host,
    metrics: createMetrics(),
    settings,
    instanceMemoryMiB: 2048,
  })
  const signal = new AbortController().signal
  await firewall.apply({ want, resync: false, signal, log: silentLog })
  expect(await reaches(alice, '10.9.0.2')).toBe(true)
  expect(await reaches(alice, '172.17.0.2')).toBe(true)
  expect(await reaches(alice, '10.9.0.1')).toBe(false)
})
