/**
 * An instance of one VPC, with raw sockets, tries to get into another VPC with the same addresses:
 * forged sources, wrapped packets with the other's network number, ARP, fragments of the other's
 * datagrams, the other's metadata token; and so does somebody who has taken over the namespace of a
 * VPC, behind all rules in it.
 *
 * An instance of a subnet whose routes lead nowhere tries to get out by the rest of a connection,
 * by fragments and by other protocols. Peers are tried, too: what comes out of the namespace of one
 * must be its own, and for the other only; also where the other is the default VPC, whose namespace
 * is that of the host.
 *
 * An instance with fifteen addresses uses up all ports that it can get.
 *
 * Before: there were no such VPCs, and every subnet had a way out. Further addresses of a NIC had
 * 8,192 ports together that everybody shared. Without the rules of
 * `plan/transit-rules.ts`, what is sent out of a namespace reaches the host, its instances and
 * other VPCs' links, and leaves the host with forged sources. Without `plan/peering-rules.ts` a
 * peer reaches other peers, and the outside, by way of its peer.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { cidr, ipv4 } from '../../src/model/addr.ts'
import { fabricMac } from '../../src/model/fabric.ts'
import { createHostMonitors } from '../../src/preconditions.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { reaches } from '../kit/ping.ts'
import { KEEP_CONNECTIONS } from '../kit/talk.ts'
import { testWant } from '../kit/testbed.ts'
import { createVpcTestbed, type GuestSpec, type VpcTestbed } from '../kit/vpc-testbed.ts'

const RED = { vpc: 'red', at: 0, number: 10 } as const
const RED_NEAR = { vpc: 'red', at: 0, number: 11 } as const
const BLUE = { vpc: 'blue', at: 0, number: 10 } as const
const BLUE_NEAR = { vpc: 'blue', at: 0, number: 11 } as const
const BLUE_FAR = { vpc: 'blue', at: 1, number: 12 } as const
const PLAIN = { vpc: 'plain', at: 0, number: 10 } as const
/** Peered with red and with white, which are not peered with each other. */
const GREEN = { vpc: 'green', at: 0, number: 20 } as const
const WHITE = { vpc: 'white', at: 0, number: 30 } as const
const GUEST_SPECS: readonly GuestSpec[] = [
  ...[RED, RED_NEAR, BLUE, BLUE_NEAR, BLUE_FAR, PLAIN, GREEN, WHITE],
]
const [FABRIC, PEER_FABRIC] = ['10.77.1.2', '10.77.2.2'] as const
const BLUE_VNI = 4198
const PORT = 5555
/** Others use the machine, too. */
const DEADLINE_MS = 30_000

/** Says what it receives on the port, a line each. */
const LISTEN = `
import socket
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("0.0.0.0", ${PORT}))
print("ready", flush=True)
while True:
    data, peer = heard.recvfrom(4000)
    print(data.decode("latin1").strip("x"), "from", peer[0], flush=True)
`
/** Says what of the attempts to get out is in any packet, a line each. */
const SNIFF = `
import re, socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print("ready", flush=True)
while True:
    found = re.search(rb"(after-)?out by [a-z ]*", wire.recv(4000))
    if found: print(found.group(0).decode(), flush=True)
`
/** IP and UDP headers around a payload. */
const PACKET = `
import socket, struct, sys
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def packet(source, to, payload, number=1, fragment=0, udp=True, ttl=64):
    body = (struct.pack("!HHHH", 40000, ${PORT}, 8 + len(payload), 0) if udp else b"") + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), number, fragment, ttl, 17, 0, socket.inet_aton(source), socket.inet_aton(to))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def send(*args, **more):
    data = packet(*args, **more)
    try: raw.sendto(data, (args[1], 0))
    except OSError as error: print(error)
`

let testbed: VpcTestbed
const heard: string[] = []

beforeAll(async () => {
  testbed = await createVpcTestbed('vxlan', 2, GUEST_SPECS)
  const { netns } = testbed.host(0)
  const all: readonly Netns[] = [
    ...GUEST_SPECS.map((spec) => testbed.guest(spec)),
    netns,
    testbed.fabric.outside,
  ]
  const hearers = [
    ...all.map((one) => [one, LISTEN] as const),
    [testbed.fabric.outside, SNIFF] as const,
  ]
  let ready = 0
  for (const [one, program] of hearers) {
    // A line may come in pieces.
    let begun = ''
    one.spawn(['python3', '-c', program], (text) => {
      const lines = (begun + text).split('\n')
      begun = lines.pop() ?? ''
      for (const line of lines)
        if (line === 'ready') ready += 1
        else heard.push(line)
    })
  }
  await eventually('all listen', () => ready === hearers.length, DEADLINE_MS)
})
afterAll(() => testbed?.destroy())

async function inGuest(spec: GuestSpec, code: string): Promise<void> {
  await testbed.guest(spec).must(['python3', '-c', `${PACKET}\n${code}`])
}

/** Sends out of the namespace of a VPC, as if nothing in it held one back. */
async function inVpc(network: number, code: string): Promise<void> {
  const { netns, namespaceDirectory } = testbed.host(0)
  const enter = ['nsenter', `--net=${namespaceDirectory}/atoll-vpc-${network}`]
  await netns.must([...enter, 'python3', '-c', `${PACKET}\n${code}`])
}

async function inRed(code: string): Promise<void> {
  await inVpc(1, code)
}

interface Forged {
  readonly source: string
  readonly to: string
  readonly mark: string
  readonly ttl?: number
}

/** Sends straight into the link to the namespace of a peer. */
async function toPeer(network: number, peer: number, ...packets: readonly Forged[]): Promise<void> {
  const mac = (own: number, other: number) => `0661${hex(own)}${hex(other)}`
  const sends = packets.map(
    ({ source, to, mark, ttl = 64 }) =>
      `wire.send(ends + b"\\x08\\x00" + packet("${source}", "${to}", b"${mark}", ttl=${ttl}))`,
  )
  await inVpc(
    network,
    `
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("at-p-${peer}", 0))
ends = bytes.fromhex("${mac(peer, network)}${mac(network, peer)}")
${sends.join('\n')}
`,
  )
}

function hex(network: number): string {
  return network.toString(16).padStart(4, '0')
}

/** Whether something with this mark arrives anywhere before what is sent afterwards. */
async function arrives(mark: string): Promise<boolean> {
  const after = `after-${mark}`
  await inGuest(PLAIN, `send("172.31.0.10", "${OUTSIDE}", b"${after}")`)
  await eventually(
    'what is sent afterwards',
    () => heard.some((line) => line.includes(after)),
    DEADLINE_MS,
  )
  return heard.some((line) => line.includes(mark) && !line.includes(after))
}

describe('an instance', () => {
  it.each([
    ['the address of another VPC on its way out', '100.64.0.5', OUTSIDE],
    ['the address of its own VPC on its way out', '100.64.0.3', OUTSIDE],
    ['an address of the default VPC', '172.31.0.10', OUTSIDE],
    ['the address of the host', '198.51.100.1', OUTSIDE],
    ['a neighbour', '10.0.0.11', '10.0.0.11'],
  ])('sends as %s', async (what, source, to) => {
    const mark = `as ${what}`
    await inGuest(RED, `send("${source}", "${to}", b"${mark}")`)
    expect(await arrives(mark)).toBe(false)
  })

  it('sends to what is no service', async () => {
    const to = [
      '100.64.0.2',
      '100.64.0.4',
      '100.64.0.5',
      '172.31.0.10',
      '198.51.100.1',
      '10.77.1.2',
    ]
    for (const one of to) await inGuest(RED, `send("10.0.0.10", "${one}", b"to-where")`)
    expect(await arrives('to-where')).toBe(false)
  })

  it('answers ARP for all addresses', async () => {
    const arping =
      'for a in 10.0.0.1 10.0.0.10 10.0.0.11 10.0.0.12; do busybox arping -c1 -U -I eth0 $a; done'
    await testbed.guest(RED).run(['sh', '-c', arping])
    expect(await reaches(testbed.guest(BLUE), '10.0.0.11')).toBe(true)
    expect(await reaches(testbed.guest(BLUE), '10.0.0.12')).toBe(true)
    expect(await reaches(testbed.guest(RED_NEAR), '10.0.0.10')).toBe(true)
  })

  it('sends the rest of a datagram that another VPC began', async () => {
    const begin = `send("10.0.0.10", "10.0.0.11", b"x" * 24 + b"begun" + b"x" * 3, number=77, fragment=0x2000)`
    const end = `send("10.0.0.10", "10.0.0.11", b"finished", number=77, fragment=5, udp=False)`
    await inGuest(BLUE, begin)
    await inGuest(RED, end)
    expect(await arrives('finished')).toBe(false)
    // Of one VPC they are one datagram.
    await inGuest(BLUE, `${begin.replaceAll('77', '78')}\n${end.replaceAll('77', '78')}`)
    await eventually('the whole', () => heard.some((line) => line.includes('begun')))
  })

  it('shows a token of another VPC, whose instance has the same address', async () => {
    const url = 'http://169.254.169.254/latest'
    const put = [
      'curl',
      '-s',
      '-m',
      '20',
      '-X',
      'PUT',
      '-H',
      'X-aws-ec2-metadata-token-ttl-seconds: 60',
    ]
    const token = await testbed.guest(BLUE).must([...put, `${url}/api/token`])
    const get = ['curl', '-s', '-m', '20', '-o', '/dev/null', '-w', '%{http_code}']
    const show = [...get, '-H', `X-aws-ec2-metadata-token: ${token}`, `${url}/meta-data/`]
    expect(await testbed.guest(BLUE).must(show)).toBe('200')
    expect(await testbed.guest(RED).must(show)).toBe('401')
  })
})

/** Python: opens connections from each of its addresses in turn, until several in turn fail. */
const USE_UP = `
import signal, socket, sys
to, *own = sys.argv[1:]
kept, seen, failed = [], [], 0
while len(seen) < 200 and failed < 5:
    one = socket.socket()
    one.settimeout(1.5)
    one.bind((own[(len(seen) + failed) % len(own)], 0))
    try:
        one.connect((to, 7004))
        one.settimeout(20)
        seen.append(one.recv(10).decode())
        kept.append(one)
        failed = 0
    except OSError:
        failed += 1
        one.close()
print(" ".join(seen), flush=True)
signal.pause()
`
const ASK_PORT = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 7004), 20)
print(connection.recv(100).decode(), end="")
`

describe('an instance with fifteen addresses', () => {
  const secondary = Array.from({ length: 14 }, (_, at) => 40 + at)

  it.each([
    [RED, [RED_NEAR, BLUE, PLAIN]],
    [PLAIN, [RED, BLUE]],
  ] as const)('uses up one share, and its neighbours get out: %o', async (greedy, neighbours) => {
    await testbed.pass({
      guestSpecs: GUEST_SPECS.map((spec) => (spec === greedy ? { ...spec, secondary } : spec)),
    })
    const net = greedy === RED ? '10.0.0' : '172.31.0'
    const own = [greedy.number, ...secondary].map((number) => `${net}.${number}`)
    const guest = testbed.guest(greedy)
    const added = own.slice(1).map((ip) => `ip addr add ${ip}/20 dev eth0`)
    await guest.must(['sh', '-ec', added.join(';')])
    let [ready, said] = ['', '']
    const server = testbed.fabric.outside.spawn(['python3', '-c', KEEP_CONNECTIONS], (text) => {
      ready += text
    })
    await eventually('the server listens', () => ready !== '', DEADLINE_MS)
    const client = guest.spawn(['python3', '-c', USE_UP, OUTSIDE, ...own], (text) => {
      said += text
    })
    await eventually('it has used up its own', () => said.includes('\n'), DEADLINE_MS)
    const ports = said.trim().split(' ').map(Number)
    expect(ports.length).toBeGreaterThanOrEqual(44)
    // 49,152 ports of a host with room for 1,024 of the smallest instances.
    expect(Math.max(...ports) - Math.min(...ports)).toBeLessThan(48)
    const others = neighbours.map(async (one) => {
      const { stdout } = await testbed.guest(one).run(['python3', '-c', ASK_PORT, OUTSIDE])
      return stdout
    })
    for (const port of await Promise.all(others)) {
      expect(port).toMatch(/^\d+$/)
      expect(ports).not.toContain(Number(port))
    }
    client.kill()
    server.kill()
    await testbed.pass()
  })
})

describe('an instance of a subnet without a way out', () => {
  const BEGIN = `heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("0.0.0.0", 40000))
send("10.0.0.10", "${OUTSIDE}", b"while it may")`

  it.each([
    ['no route', []],
    ['a blackhole', [{ destination: cidr('0.0.0.0/0'), to: { kind: 'blackhole' } }]],
    ['a route to another place', [{ destination: cidr('192.0.2.0/24'), to: { kind: 'internet' } }]],
  ] as const)('with %s sends all the same', async (what, routes) => {
    await testbed.pass()
    const mark = `out by ${what}`
    await inGuest(RED, BEGIN)
    await testbed.pass({ routes: { red: routes } })
    // What goes on with a connection, other protocols, fragments, what looks like an answer.
    await inGuest(
      RED,
      `send("10.0.0.10", "${OUTSIDE}", b"${mark}")
send("10.0.0.10", "${OUTSIDE}", b"${mark}", number=9, fragment=0x2000)
for protocol, kind in ((6, b"\\x50\\x10"), (6, b"\\x50\\x12"), (6, b"\\x50\\x04"), (132, b""), (47, b""), (4, b""), (1, b"")):
    for to in ("${OUTSIDE}", "100.64.0.2", "255.255.255.255"):
        body = b"\\0" * 12 + kind + b"\\0" * 6 + b"${mark}"
        data = packet("10.0.0.10", to, body, udp=False)
        data = data[:9] + bytes([protocol]) + b"\\0\\0" + data[12:]
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try: raw.sendto(data, (to, 0))
        except OSError as error: print(error)`,
    )
    expect(await arrives(mark)).toBe(false)
    expect(await reaches(testbed.guest(RED), OUTSIDE)).toBe(false)
    expect(await reaches(testbed.guest(RED), '10.0.0.11')).toBe(true)
    expect(await reaches(testbed.guest(BLUE), OUTSIDE)).toBe(true)
    await testbed.pass()
    expect(await reaches(testbed.guest(RED), OUTSIDE)).toBe(true)
  })

  it('still reaches its VPC, also on another host, and is reached from there', async () => {
    await testbed.pass({ routes: { blue: [], plain: [] } })
    expect(await reaches(testbed.guest(BLUE), OUTSIDE)).toBe(false)
    expect(await reaches(testbed.guest(PLAIN), OUTSIDE)).toBe(false)
    for (const to of ['10.0.0.11', '10.0.0.12'])
      expect(await reaches(testbed.guest(BLUE), to)).toBe(true)
    expect(await reaches(testbed.guest(BLUE_FAR), '10.0.0.10')).toBe(true)
    await testbed.pass()
  })
})

describe('a packet encapsulated with the number of another VPC', () => {
  const bytes = (mac: string) => `bytes.fromhex("${mac.replaceAll(':', '')}")`
  const frame = (mark: string) =>
    `${bytes(fabricMac(ipv4(FABRIC)))} + ${bytes(fabricMac(ipv4(PEER_FABRIC)))} + b"\\x08\\x00" + packet("10.0.0.12", "10.0.0.10", b"${mark}")`
  const wrapped = (mark: string, number: number) => `
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.sendto(struct.pack("!II", 0x08000000, ${number} << 8) + ${frame(mark)}, ("${FABRIC}", 4789))
`

  it('is taken from a host', async () => {
    await testbed
      .host(1)
      .netns.must(['python3', '-c', `${PACKET}${wrapped('by a host', BLUE_VNI)}`])
    await eventually('it arrives', () => heard.some((line) => line.includes('by a host')))
  })

  it.each([RED, PLAIN])('is not taken from an instance of $vpc', async (spec) => {
    const mark = `wrapped by ${spec.vpc}`
    await inGuest(spec, wrapped(mark, BLUE_VNI))
    expect(await arrives(mark)).toBe(false)
  })

  it('is not taken from a stranger between the hosts', async () => {
    const code = `${PACKET}${wrapped('by a stranger', BLUE_VNI)}`
    await testbed.fabric.stranger.must(['python3', '-c', code])
    expect(await arrives('by a stranger')).toBe(false)
  })

  it('reaches nobody with a number that no VPC has', async () => {
    await testbed
      .host(1)
      .netns.must(['python3', '-c', `${PACKET}${wrapped('no number', BLUE_VNI + 7)}`])
    expect(await arrives('no number')).toBe(false)
  })
})

describe('an attacker who controls the namespace of a VPC', () => {
  it('sends in its own name to the outside only', async () => {
    await inRed(`send("100.64.0.3", "${OUTSIDE}", b"own name")`)
    await eventually('it arrives', () => heard.some((line) => line.includes('own name')))
    expect(heard.find((line) => line.includes('own name'))).toContain('from 198.51.100.1')
  })

  it.each(['100.64.0.5', '100.64.0.2', '198.51.100.1', '172.31.0.10', '10.77.1.2', '203.0.113.9'])(
    'sends as %s',
    async (source) => {
      const mark = `forged ${source}`
      for (const to of [OUTSIDE, '172.31.0.10', '198.51.100.1'])
        await inRed(`send("${source}", "${to}", b"${mark}")`)
      expect(await arrives(mark)).toBe(false)
    },
  )

  it.each([
    '100.64.0.2',
    '100.64.0.4',
    '100.64.0.5',
    '198.51.100.1',
    '172.31.0.10',
    '10.77.1.2',
    '169.254.169.254',
  ])('sends to %s', async (to) => {
    const mark = `addressed ${to}`
    await inRed(`send("100.64.0.3", "${to}", b"${mark}")`)
    expect(await arrives(mark)).toBe(false)
  })
})

describe('who has taken over the namespace of a peered VPC', () => {
  const GREEN_ADDRESS = '10.8.0.20'

  it('reaches the peer in its own name', async () => {
    await inGuest(RED, `send("10.0.0.10", "${GREEN_ADDRESS}", b"to the peer")`)
    await eventually('it arrives', () => heard.some((line) => line.includes('to the peer')))
    expect(heard.find((line) => line.includes('to the peer'))).toContain('from 10.0.0.10')
    await toPeer(1, 3, { source: '10.0.0.11', to: GREEN_ADDRESS, mark: 'on the link' })
    await eventually('it arrives', () => heard.some((line) => line.includes('on the link')))
  })

  it.each([
    ['as an instance of the peer', '10.8.0.21', GREEN_ADDRESS],
    ['as another peer of the peer', '10.9.0.30', GREEN_ADDRESS],
    ['as the outside', OUTSIDE, GREEN_ADDRESS],
    ['as the default VPC', '172.31.0.10', GREEN_ADDRESS],
    ['as the link of the VPC', '100.64.0.3', GREEN_ADDRESS],
    ['to another peer of the peer', '10.0.0.10', '10.9.0.30'],
    ['to the outside by way of the peer', '10.0.0.10', OUTSIDE],
    ['to the host by way of the peer', '10.0.0.10', '198.51.100.1'],
    ['to the default VPC by way of the peer', '10.0.0.10', '172.31.0.10'],
    ['to the gateway of the peer', '10.0.0.10', '10.8.0.1'],
    ['to the metadata of the peer', '10.0.0.10', '169.254.169.254'],
    ['to itself, by way of the peer', '10.0.0.10', '10.0.0.11'],
  ])('sends %s', async (what, source, to) => {
    const mark = `peer ${what}`
    await toPeer(1, 3, { source, to, mark })
    expect(await arrives(mark)).toBe(false)
  })

  it('does not get from a peer of a peer to what that is peered with', async () => {
    await toPeer(4, 3, { source: '10.9.0.30', to: '10.0.0.10', mark: 'two steps' })
    await inGuest(WHITE, `send("10.9.0.30", "10.0.0.10", b"two steps")`)
    expect(await arrives('two steps')).toBe(false)
  })

  it('is not reached from a VPC with the same range, whatever it sends', async () => {
    await inGuest(BLUE, `send("10.0.0.10", "${GREEN_ADDRESS}", b"alike")`)
    for (const source of ['10.0.0.10', '100.64.0.5', '100.64.0.3'])
      await inVpc(2, `send("${source}", "${GREEN_ADDRESS}", b"alike")`)
    expect(await arrives('alike')).toBe(false)
  })
})

describe('who has taken over the namespace of a peer of the default VPC', () => {
  const [GREEN_ADDRESS, PLAIN_ADDRESS] = ['10.8.0.20', '172.31.0.10']

  it('reaches the default VPC in its own name', async () => {
    await inGuest(GREEN, `send("${GREEN_ADDRESS}", "${PLAIN_ADDRESS}", b"by the machine")`)
    await eventually('it arrives', () => heard.some((line) => line.includes('by the machine')))
    expect(heard.find((line) => line.includes('by the machine'))).toContain(GREEN_ADDRESS)
    await toPeer(3, 0, { source: '10.8.0.21', to: PLAIN_ADDRESS, mark: 'on the link to it' })
    await eventually('it arrives', () => heard.some((line) => line.includes('on the link to it')))
  })

  it('sends as others, and to others', async () => {
    const packets = [
      // An instance of the default VPC, a peer of the sender, the outside, hosts, its link, nobody.
      ...[
        '172.31.0.11',
        '10.0.0.10',
        OUTSIDE,
        '198.51.100.1',
        PEER_FABRIC,
        '100.64.0.7',
        '0.0.0.0',
      ].map((source) => ({ source, to: PLAIN_ADDRESS })),
      // The host, in all ways; the metadata; what is behind the host; a peer of the sender; itself.
      ...['198.51.100.1', FABRIC, '172.31.0.1', '100.64.0.6', '255.255.255.255', '169.254.169.254'],
      ...[OUTSIDE, '100.64.0.3', '10.0.0.10', '10.8.0.21'],
    ].map((one) => (typeof one === 'string' ? { source: GREEN_ADDRESS, to: one } : one))
    const mark = 'out by the default VPC'
    await toPeer(3, 0, ...packets.map((packet) => ({ ...packet, mark })))
    expect(await arrives(mark)).toBe(false)
  })

  it('makes the host send errors to whom its own network has at that address', async () => {
    const { netns } = testbed.host(0)
    await netns.must(`ip route add 10.8.0.0/16 via ${OUTSIDE}`.split(' '))
    // Nobody has the address; the last hop of a packet.
    await toPeer(
      ...([3, 0] as const),
      { source: GREEN_ADDRESS, to: '172.31.0.99', mark: 'out by nobody' },
      { source: GREEN_ADDRESS, to: PLAIN_ADDRESS, mark: 'out by the last hop', ttl: 1 },
    )
    expect(await arrives('out by nobody')).toBe(false)
    expect(heard.some((line) => line.includes('out by the last hop'))).toBe(false)
    await netns.must('ip route del 10.8.0.0/16'.split(' '))
  })

  it('is not reached with the address of another, nor by the host', async () => {
    await inGuest(PLAIN, `send("172.31.0.11", "${GREEN_ADDRESS}", b"not its own")`)
    await inGuest(PLAIN, `send("${GREEN_ADDRESS}", "${GREEN_ADDRESS}", b"not its own")`)
    // With this source it takes the routes of the subnet.
    const byHost = `import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("172.31.0.1", 0))
try: one.sendto(b"not its own", ("${GREEN_ADDRESS}", ${PORT}))
except OSError as error: print(error)`
    await testbed.host(0).netns.must(['python3', '-c', byHost])
    expect(await arrives('not its own')).toBe(false)
  })
})

it('rules of other programs in the namespace of a VPC are named while they are there', async () => {
  const { host } = testbed.host(0)
  const inside = host.vpcs.opened(1)
  if (inside === undefined) throw new Error('there is no such namespace')
  const monitors = createHostMonitors(configSchema.parse({}), host, systemClock)
  let looks = 0
  const counting = {
    ...inside,
    foreignChains: () => {
      looks += 1
      return inside.foreignChains()
    },
  }
  const service = monitors.inVpc(counting, 1)
  const signal = new AbortController().signal
  await service.apply({ want: testWant(), resync: false, signal, log: silentLog })
  const findings = () => monitors.found().interference.firewalls.map(({ what }) => what)
  await eventually('it has looked', () => looks === 1, DEADLINE_MS)
  expect(findings()).toEqual([])
  // Our own rules are nobody's concern.
  await inside.applyRules('add table inet atoll_trace\ndelete table inet atoll_trace\n')
  const orders = [
    'add table inet mine',
    'add chain inet mine in "{ type filter hook input priority 0; }"',
    'add rule inet mine in udp dport 53 drop',
  ]
  await testbed.inVpc(0, 1, orders.map((order) => `nft ${order}`).join('; '))
  await eventually('it is named', () => findings().length === 1, DEADLINE_MS)
  expect(findings()).toEqual([
    expect.stringMatching(/^in the network namespace atoll-vpc-1: inet mine in drops DNS/),
  ])
  await testbed.inVpc(0, 1, 'nft delete table inet mine')
  await eventually('it is not any more', () => findings().length === 0, DEADLINE_MS)
  // One for the beginning, and at most one for each change and one after.
  expect(looks).toBeLessThanOrEqual(5)
  await service.close()
})

describe('while no daemon runs and the rules of the host are gone', () => {
  it.each(['nft delete table inet atoll', 'nft flush ruleset'])('%s', async (damage) => {
    await testbed.host(0).kill()
    const { netns } = testbed.host(0)
    await netns.must(['sh', '-c', damage])
    const mark = `after ${damage}`
    for (const source of ['100.64.0.3', '198.51.100.7'])
      for (const to of [OUTSIDE, '100.64.0.2', '100.64.0.5', '198.51.100.1', '172.31.0.10'])
        await inRed(`send("${source}", "${to}", b"${mark}")`)
    const others = ['172.31.0.1', '172.31.0.10', '198.51.100.1', OUTSIDE]
    await toPeer(3, 0, ...others.map((to) => ({ source: '10.8.0.20', to, mark })))
    await testbed.pass({ restart: true })
    expect(await arrives(mark)).toBe(false)
    expect(await reaches(testbed.guest(RED), OUTSIDE)).toBe(true)
  })
})
