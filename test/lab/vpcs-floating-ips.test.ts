/**
 * Floating IPs of instances with the same private address, in VPCs with the same range on one host:
 * each leads to its own, from outside, from its VPC, from others, from another host and from
 * itself, and is the source of what its instance sends out.
 */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { ipv4 } from '../../src/model/addr.ts'
import { ALL_OUT } from '../../src/model/group-rule.ts'
import { nicLinkName } from '../../src/model/names.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { reaches } from '../kit/ping.ts'
import { numbered } from '../kit/records.ts'
import { SERVE_PEER_ADDRESS } from '../kit/talk.ts'
import {
  createVpcTestbed,
  GATEWAY,
  type GuestSpec,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'

const FLOATS = { red: '198.51.100.201', blue: '198.51.100.202', plain: '198.51.100.203' } as const
const RED = { vpc: 'red', at: 0, number: 10, publicIp: ipv4(FLOATS.red) } as const
const RED_NEAR = { vpc: 'red', at: 0, number: 11 } as const
const BLUE = { vpc: 'blue', at: 0, number: 10, publicIp: ipv4(FLOATS.blue) } as const
const PLAIN = { vpc: 'plain', at: 0, number: 10, publicIp: ipv4(FLOATS.plain) } as const
const PLAIN_FAR = { vpc: 'plain', at: 1, number: 12 } as const
const GUEST_SPECS: readonly GuestSpec[] = [RED, RED_NEAR, BLUE, PLAIN, PLAIN_FAR]

/** Says who it is, and whom it takes the client for. */
const SERVE = `
import socket, sys
server = socket.create_server(("0.0.0.0", 7003))
while True:
    connection, (peer, _) = server.accept()
    connection.sendall((sys.argv[1] + " " + peer).encode()); connection.close()
`
const ASK = `
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
# Whoever is connected is answered, however busy the machine is.
connection.settimeout(20)
print(connection.recv(100).decode(), end="")
`

/** Sends back what comes by UDP, and by a protocol that has no ports. */
const ECHO_ALL = `
import select, socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 7002))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
while True:
    for one in select.select([udp, raw], [], [])[0]:
        text, peer = one.recvfrom(65535)
        one.sendto(text[20:] if one is raw else text, peer)
`
/** Asks for these bytes by UDP, or by the protocol without ports, until they come back. */
const ECHOED = `
import socket, sys
protocol, peer, length = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_RAW, 0 if protocol == "udp" else 253)
s.settimeout(1)
text = bytes(range(256)) * (length // 256)
for _ in range(25):
    s.sendto(text, (peer, 7002))
    try: got = s.recvfrom(65535)[0]
    except OSError: continue
    if got[-len(text):] == text: print("echoed"); break
`
/** Sends to a port that is closed until an error says so. */
const REFUSED = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 7001))
for _ in range(200):
    try: s.send(b"x")
    except ConnectionRefusedError: print("refused"); break
    time.sleep(0.1)
`
/** A router with a smaller MTU: says so of each datagram to port 7004 (RFC 1191). */
const NARROW = `
import socket, struct
heard = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
said = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
def checked(text):
    total = sum(struct.unpack("!%dH" % (len(text) // 2), text))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return text[:2] + struct.pack("!H", ~total & 0xffff) + text[4:]
while True:
    packet, (peer, _) = heard.recvfrom(65535)
    if packet[22:24] == struct.pack("!H", 7004):
        said.sendto(checked(struct.pack("!BBHHH", 3, 4, 0, 0, 1200) + packet[:28]), (peer, 0))
`
/** Sends there until the way is known to be narrow. */
const NARROWED = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.connect((sys.argv[1], 7004))
for _ in range(200):
    try: s.send(b"x" * 1300)
    except OSError: pass
    if s.getsockopt(socket.IPPROTO_IP, 14) == 1200: print("1200"); break
    time.sleep(0.1)
`
/** Sends to port 7012 from one port for ever, as a telephone does. */
const STREAM = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 7010))
while True:
    s.sendto(b"x", (sys.argv[1], 7012)); print("sent", flush=True); time.sleep(0.05)
`

let testbed: VpcTestbed
const python = async (on: Netns, program: string, ...args: readonly string[]) =>
  (await on.run(['python3', '-c', program, ...args])).stdout.trim()
const ask = async (from: Netns, address: string, port = 7003) =>
  (await from.run(['python3', '-c', ASK, address, `${port}`])).stdout

beforeAll(async () => {
  testbed = await createVpcTestbed('vxlan', 2, GUEST_SPECS)
  for (const spec of GUEST_SPECS)
    testbed.guest(spec).spawn(['python3', '-c', SERVE, `${spec.vpc}-${spec.number}`])
  testbed.fabric.outside.spawn(['python3', '-c', SERVE_PEER_ADDRESS])
  await eventually(
    'all answer',
    async () =>
      (await ask(testbed.guest(RED_NEAR), '10.0.0.10')) !== '' &&
      (await ask(testbed.guest(BLUE), '127.0.0.1')) !== '' &&
      (await ask(testbed.guest(PLAIN_FAR), '172.31.0.10')) !== '' &&
      (await ask(testbed.fabric.outside, '127.0.0.1', 7000)) !== '',
    30_000,
  )
}, 120_000)
afterAll(() => testbed.destroy())

it.each(['first', 'after a restart'])(
  'each leads to its own instance, and is its source: %s',
  async (when) => {
    if (when !== 'first') await testbed.pass({ restart: true })
    const { outside } = testbed.fabric
    for (const spec of [RED, BLUE, PLAIN]) {
      const float = FLOATS[spec.vpc]
      const name = `${spec.vpc}-10`
      expect(await ask(outside, float), 'from outside').toBe(`${name} ${OUTSIDE}`)
      expect(await ask(testbed.guest(spec), OUTSIDE, 7000), 'outwards').toBe(float)
      expect(await ask(testbed.guest(spec), float), 'from itself').toBe(`${name} ${float}`)
      expect(await ask(testbed.guest(PLAIN_FAR), float), 'from another host').toBe(
        `${name} ${testbed.host(1).uplink}`,
      )
    }
    expect(await ask(testbed.guest(RED), FLOATS.blue), 'to another VPC').toBe(
      `blue-10 ${FLOATS.red}`,
    )
    expect(await ask(testbed.guest(BLUE), FLOATS.red), 'to another VPC').toBe(
      `red-10 ${FLOATS.blue}`,
    )
    expect(await ask(testbed.guest(RED), FLOATS.plain)).toBe(`plain-10 ${FLOATS.red}`)
    expect(await ask(testbed.guest(PLAIN), FLOATS.red)).toBe(`red-10 ${FLOATS.plain}`)
    expect(await ask(testbed.guest(RED_NEAR), FLOATS.red), 'from its VPC').toBe('red-10 10.0.0.11')
  },
)

/** Lets in everything. */
const EVERYTHING = [ALL_OUT, { ...ALL_OUT, egress: false }].map((rule, at) => ({
  ...{ id: numbered('sgr', 600 + at), ...rule },
}))

it.each([RED, PLAIN])(
  'fragments, other protocols and errors pass both ways, as without translation: $vpc',
  async (spec) => {
    const { outside } = testbed.fabric
    const guest = testbed.guest(spec)
    const float = FLOATS[spec.vpc]
    await testbed.pass({ rules: EVERYTHING })
    for (const one of [guest, outside]) one.spawn(['python3', '-c', ECHO_ALL])
    outside.spawn(['python3', '-c', NARROW])
    for (const [from, to] of [
      [outside, float],
      [guest, OUTSIDE],
    ] as const) {
      expect(await python(from, ECHOED, 'udp', to, '4096')).toBe('echoed')
      expect(await python(from, ECHOED, 'raw', to, '512')).toBe('echoed')
      expect(await python(from, REFUSED, to)).toBe('refused')
    }
    expect(await python(guest, NARROWED, OUTSIDE)).toBe('1200')
    // The interface of the instance has a smaller MTU than the network outside.
    const tooLarge = ['ping', '-c2', '-W5', '-M', 'do', '-s', '1472', float]
    const large = await outside.run(tooLarge)
    expect(large.stdout + large.stderr).toMatch(/mtu\s*=\s*1450/)
    const oneHop = await outside.run(['ping', '-c1', '-W5', '-t1', float])
    expect(oneHop.stdout).toMatch(/From 198\.51\.100\.\d+ .*Time to live exceeded/)
    await testbed.pass()
  },
)

it.each([RED, PLAIN])(
  'what came for it before it was associated comes to the instance from then on: $vpc',
  async (spec) => {
    const { outside } = testbed.fabric
    const { publicIp: _, ...without } = spec
    const others = GUEST_SPECS.filter((one) => one !== spec)
    const heard: string[] = []
    await testbed.pass({ guestSpecs: [without, ...others], rules: EVERYTHING })
    const hear =
      'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 7012))\nwhile True: print(s.recvfrom(9)[1], flush=True)'
    testbed.guest(spec).spawn(['python3', '-c', hear], (text) => heard.push(text))
    const sent: string[] = []
    const stream = outside.spawn(['python3', '-c', STREAM, FLOATS[spec.vpc]], (text) => {
      sent.push(text)
    })
    onTestFinished(async () => {
      stream.kill('SIGKILL')
      await testbed.pass()
    })
    await eventually('some have come in vain', () => sent.length > 5)
    await testbed.pass({ rules: EVERYTHING })
    await eventually('it is heard', async () => heard.join('').includes(OUTSIDE), 30_000)
  },
)

it('moves to an instance with the same private address in another VPC, and goes', async () => {
  const { outside } = testbed.fabric
  const { publicIp: _red, ...red } = RED
  const { publicIp: _blue, ...blue } = BLUE
  const moved = { ...blue, publicIp: RED.publicIp }
  await testbed.pass({ guestSpecs: [red, RED_NEAR, moved, PLAIN, PLAIN_FAR] })
  expect(await ask(outside, FLOATS.red)).toBe(`blue-10 ${OUTSIDE}`)
  expect(await ask(outside, FLOATS.blue)).toBe('')
  expect(await ask(testbed.guest(BLUE), OUTSIDE, 7000)).toBe(FLOATS.red)
  expect(await ask(testbed.guest(RED), OUTSIDE, 7000)).toBe(testbed.host(0).uplink)
  await testbed.pass({ guestSpecs: [red, RED_NEAR, blue, PLAIN, PLAIN_FAR] })
  expect(await ask(outside, FLOATS.red)).toBe('')
  const routes = await testbed.host(0).netns.must(['ip', 'route', 'show'])
  expect(routes).not.toContain(FLOATS.red)
  expect(routes).toContain(FLOATS.plain)
})

it('leaves by the gateway of its pool', async () => {
  const { outside } = testbed.fabric
  const { netns } = testbed.host(0)
  /** Behind the gateway, and not behind the default route. */
  const behind = '192.0.2.77'
  const gate = await createNetns('gate')
  onTestFinished(() => gate.destroy())
  await outside.must(`ip link add gate type veth peer name eth0 netns ${gate.pid}`.split(' '))
  await outside.must(['ip', 'link', 'set', 'gate', 'up', 'master', 'br0'])
  await outside.must(['ip', 'route', 'add', '203.0.113.0/24', 'dev', 'br0'])
  const setUp = `ip addr add ${GATEWAY}/24 dev eth0; ip link set eth0 up; ip addr add ${behind}/32 dev lo; ip route add 203.0.113.0/24 dev eth0`
  await gate.must(['sh', '-ec', setUp])
  const guestSpecs = [
    { ...RED, publicIp: ipv4('203.0.113.201') },
    RED_NEAR,
    BLUE,
    { ...PLAIN, publicIp: ipv4('203.0.113.202') },
    PLAIN_FAR,
  ]
  await testbed.pass({ guestSpecs })
  // The way out is a way that rules permit from the next pass on.
  await testbed.pass({ guestSpecs })
  // The gateway's link has only just come up.
  await eventually('it answers', () => reaches(testbed.guest(RED), behind), 20_000)
  for (const home of [RED, PLAIN]) {
    expect(await reaches(testbed.guest(home), behind), home.vpc).toBe(true)
    expect(await reaches(testbed.guest(home), OUTSIDE), home.vpc).toBe(true)
  }
  expect(await reaches(testbed.guest(PLAIN), '172.31.0.12')).toBe(true)
  for (const home of [RED_NEAR, BLUE])
    expect(await reaches(testbed.guest(home), behind)).toBe(false)
  for (const float of ['203.0.113.201', '203.0.113.202'])
    expect(await ask(gate, float)).toContain(` ${GATEWAY}`)
  const rules = await netns.must(['ip', 'rule'])
  expect(rules).toContain('from 203.0.113.201 lookup')
  expect(rules).toContain('from 172.31.0.10 lookup')
  await testbed.pass({ guestSpecs: [RED, RED_NEAR, BLUE, PLAIN, PLAIN_FAR] })
  expect(await netns.must(['ip', 'rule'])).not.toContain('lookup main suppress')
  expect(await netns.must(['ip', 'route', 'show', 'table', 'all'])).not.toContain(GATEWAY)
})

it('goes with its network interface to an instance on another host, and so do neighbours', async () => {
  const { outside } = testbed.fabric
  const near = testbed.guest(RED_NEAR)
  const arp = () => near.must(['ip', '-br', 'neigh', 'show', '10.0.0.10'])
  expect(await ask(near, '10.0.0.10')).toBe('red-10 10.0.0.11')
  const before = await arp()
  const moved: GuestSpec = { ...RED, at: 1, nicOf: 0 }
  await testbed.pass({ guestSpecs: [moved, RED_NEAR, BLUE, PLAIN, PLAIN_FAR] })
  const there = await testbed.host(1).plug(vpcInstance(moved))
  there.spawn(['python3', '-c', SERVE, 'moved'])
  await eventually('it answers', async () => (await ask(near, '10.0.0.10')) !== '', 30_000)
  expect(await ask(near, '10.0.0.10')).toBe('moved 10.0.0.11')
  expect(await ask(outside, FLOATS.red)).toBe(`moved ${OUTSIDE}`)
  expect(await ask(there, OUTSIDE, 7000)).toBe(FLOATS.red)
  // Every host answers ARP with the same address.
  expect((await arp()).split(/\s+/)[2]).toBe(before.split(/\s+/)[2])
  const [nic] = vpcInstance(RED).nics
  const links = await testbed.inVpc(0, 1, 'ip -o link')
  expect(links).not.toContain(nicLinkName(nic?.id ?? numbered('eni', 1)))
  expect(await testbed.guest(RED).must(['ip', '-o', 'link'])).not.toContain('eth0')
})
