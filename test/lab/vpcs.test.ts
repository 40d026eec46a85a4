/**
 * Two VPCs with the same range and the same instance addresses, on one host and on two, beside the
 * default VPC: neither can tell that there is the other. With real packets, and again after the
 * daemon was killed.
 */
import { rt } from 'netlink'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { loadLibc } from '../../src/host/libc.ts'
import { createIp } from '../../src/host/netlink/ip.ts'
import { type Netlink, openRouteNetlink } from '../../src/host/netlink/netlink.ts'
import { createLockPrograms, createNicLock } from '../../src/host/network/lock.ts'
import { inNamespace, makeNamespace } from '../../src/host/network/netns.ts'
import { ensureTransit } from '../../src/host/network/transit-link.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { reaches } from '../kit/ping.ts'
import { ECHO, KEEP_CONNECTIONS, SERVE_PEER_ADDRESS, TALK } from '../kit/talk.ts'
import {
  createVpcTestbed,
  DNS_ZONE,
  type GuestSpec,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'

const RED = { vpc: 'red', at: 0, number: 10 } as const
const RED_NEAR = { vpc: 'red', at: 0, number: 11 } as const
const RED_FAR = { vpc: 'red', at: 1, number: 12 } as const
const BLUE = { vpc: 'blue', at: 0, number: 10 } as const
const BLUE_NEAR = { vpc: 'blue', at: 0, number: 11 } as const
const BLUE_FAR = { vpc: 'blue', at: 1, number: 12 } as const
const PLAIN = { vpc: 'plain', at: 0, number: 10 } as const
const PLAIN_FAR = { vpc: 'plain', at: 1, number: 12 } as const
const GUEST_SPECS: readonly GuestSpec[] = [
  ...[RED, RED_NEAR, RED_FAR, BLUE, BLUE_NEAR, BLUE_FAR, PLAIN, PLAIN_FAR],
]
const NEIGHBOURS = [
  [RED, RED_NEAR],
  [RED, RED_FAR],
  [BLUE, BLUE_NEAR],
  [BLUE, BLUE_FAR],
  [PLAIN, PLAIN_FAR],
] as const

/** Python: a UDP server that says who it is, and a client of it. */
const SERVE_UDP = `
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 7002))
while True:
    _, peer = server.recvfrom(100)
    server.sendto(sys.argv[1].encode(), peer)
`
const ASK_UDP = `
import socket, sys
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(0.5)
for _ in range(10):
    asking.sendto(b"?", (sys.argv[1], 7002))
    try:
        print(asking.recv(100).decode(), end="")
        break
    except OSError: pass
`
/** Python: holds a tap in the namespace of a file, as a machine does, from outside. */
const HOLD_TAP = `
import ctypes, fcntl, os, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
home = os.open("/proc/self/ns/net", os.O_RDONLY)
there = os.open(sys.argv[1], os.O_RDONLY)
assert libc.setns(there, 0) == 0
os.close(there)
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"at-h0123456789a", 0x1002))
assert libc.setns(home, 0) == 0
print("ready", flush=True)
time.sleep(600)
`
/** Python: a TCP server that says who it is. */
const SERVE_TCP = `
import socket, sys
server = socket.create_server(("0.0.0.0", 7003))
while True:
    connection, _ = server.accept()
    connection.sendall(sys.argv[1].encode())
    connection.close()
`
const ASK_TCP = `
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
print(connection.recv(100).decode(), end="")
`

/** Others use the machine, too. */
const DEADLINE_MS = 30_000

let testbed: VpcTestbed
beforeAll(async () => {
  testbed = await createVpcTestbed('vxlan', 2, GUEST_SPECS)
  for (const spec of GUEST_SPECS)
    for (const program of [SERVE_UDP, SERVE_TCP])
      testbed.guest(spec).spawn(['python3', '-c', program, nameOf(spec)])
  testbed.fabric.outside.spawn(['python3', '-c', SERVE_PEER_ADDRESS])
  await eventually(
    'a server outside',
    async () => {
      return (
        (await testbed.fabric.outside.run(['python3', '-c', ASK_TCP, '127.0.0.1', '7000']))
          .exitCode === 0
      )
    },
    DEADLINE_MS,
  )
})
afterAll(() => testbed?.destroy())

function nameOf({ vpc, at, number }: GuestSpec): string {
  return `${vpc} ${at} ${number}`
}

function addressOf(spec: GuestSpec): string {
  return vpcInstance(spec).nics[0]?.ip ?? ''
}

async function tcp(from: Netns, address: string, port: number): Promise<string> {
  return (await from.run(['python3', '-c', ASK_TCP, address, `${port}`])).stdout
}

async function dig(from: Netns, name: string, more: readonly string[] = []): Promise<string> {
  const argv = ['dig', '+time=5', '+tries=2', '+short', '@169.254.169.253', ...more, name]
  return (await from.run(argv)).stdout.trim()
}

/** Everything that an instance of any VPC has. All at the same time, as none waits for another. */
function describeLife(when: string) {
  describe(when, () => {
    it('each reaches its own, and no other answers in its place', async () => {
      const ways = NEIGHBOURS.flatMap(([one, other]) => [
        [one, other],
        [other, one],
      ])
      const reached = ways.map(async ([from = RED, to = RED]) => {
        const guest = testbed.guest(from)
        const address = addressOf(to)
        const [ping, byTcp, byUdp] = await Promise.all([
          reaches(guest, address),
          tcp(guest, address, 7003),
          guest.run(['python3', '-c', ASK_UDP, address]),
        ])
        return { from, ping, byTcp, byUdp: byUdp.stdout }
      })
      expect(await Promise.all(reached)).toEqual(
        ways.map(([from, to = RED]) => {
          const name = nameOf(to)
          return { from, ping: true, byTcp: name, byUdp: name }
        }),
      )
    })

    it('each reaches the outside through NAT', async () => {
      const seen = GUEST_SPECS.map(async (spec) => {
        const guest = testbed.guest(spec)
        const [ping, as] = await Promise.all([reaches(guest, OUTSIDE), tcp(guest, OUTSIDE, 7000)])
        return { spec, ping, as }
      })
      const right = GUEST_SPECS.map((spec) => ({
        spec,
        ping: true,
        as: testbed.host(spec.at).uplink,
      }))
      expect(await Promise.all(seen)).toEqual(right)
    })

    it.each([RED, BLUE, PLAIN, BLUE_FAR])('$vpc has DNS with its own names', async (spec) => {
      const guest = testbed.guest(spec)
      const own = GUEST_SPECS.filter(({ vpc }) => vpc === spec.vpc)
      const labels = own.map(({ number }) => `web-${number}.${DNS_ZONE}`)
      for (const way of [[], ['+tcp']]) {
        const answers = await Promise.all(labels.map((label) => dig(guest, label, way)))
        expect(answers).toEqual(own.map(addressOf))
      }
      const ids = GUEST_SPECS.map((one) => dig(guest, `${vpcInstance(one).id}.${DNS_ZONE}`))
      expect(await Promise.all(ids)).toEqual(
        GUEST_SPECS.map((one) => (one.vpc === spec.vpc ? addressOf(one) : '')),
      )
      expect(await dig(guest, addressOf(spec), ['-x'])).toBe(`${vpcInstance(spec).id}.${DNS_ZONE}.`)
    })

    it.each([RED, BLUE, PLAIN, RED_FAR])('$vpc has its own metadata', async (spec) => {
      const guest = testbed.guest(spec)
      const url = 'http://169.254.169.254/latest/meta-data/instance-id'
      expect(await guest.must(['curl', '-s', '-m', '20', url])).toBe(vpcInstance(spec).id)
    })

    it.each([RED, BLUE, PLAIN])('$vpc gets its address by DHCP', async (spec) => {
      const said = await testbed
        .guest(spec)
        .run(['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'eth0', '-s', '/bin/true'])
      expect(said.stderr + said.stdout).toContain(`lease of ${addressOf(spec)} obtained`)
    })
  })
}

describeLife('at first')

/** Python: opens connections until one fails, and prints the ports that the server has seen. */
const USE_UP = `
import signal, socket, sys
kept, seen = [], []
while len(seen) < 200:
    one = socket.socket()
    one.settimeout(1.5)
    try:
        one.connect((sys.argv[1], 7004))
        seen.append(one.recv(10).decode())
    except OSError: break
    kept.append(one)
print(" ".join(seen), flush=True)
signal.pause()
`

describe('the ports of a host', () => {
  it.each([
    [RED, [RED_NEAR, BLUE, PLAIN]],
    [PLAIN, [RED, BLUE]],
  ] as const)('are not used up by one instance: %o', async (greedy, neighbours) => {
    let heard = ''
    const server = testbed.fabric.outside.spawn(['python3', '-c', KEEP_CONNECTIONS], (text) => {
      heard += text
    })
    await eventually('the server listens', () => heard !== '', DEADLINE_MS)
    let said = ''
    const client = testbed.guest(greedy).spawn(['python3', '-c', USE_UP, OUTSIDE], (text) => {
      said += text
    })
    await eventually('it has used up its own', () => said.includes('\n'), DEADLINE_MS)
    const ports = said.trim().split(' ').map(Number)
    // 49,152 ports of a host with room for 1,024 of the smallest instances.
    expect(ports.length).toBeGreaterThanOrEqual(44)
    expect(Math.max(...ports) - Math.min(...ports)).toBeLessThan(48)
    const others = neighbours.map((one) => tcp(testbed.guest(one), OUTSIDE, 7004))
    for (const port of await Promise.all(others)) {
      expect(port).toMatch(/^\d+$/)
      expect(ports).not.toContain(Number(port))
    }
    // Elsewhere it may have as many again.
    expect(await tcp(testbed.guest(greedy), OUTSIDE, 7000)).toBe(testbed.host(0).uplink)
    client.kill()
    server.kill()
  })
})

/** In `SEES_PRIVATE`. */
const KNOWING = '192.0.2.33'
/** Python: says whom it sees. */
const SERVE_PEER_AND_PORT = `
import socket
server = socket.create_server(("0.0.0.0", 7005))
print("ready", flush=True)
while True:
    connection, peer = server.accept()
    connection.sendall(("%s %d" % peer).encode())
    connection.close()
`
/**
 * Python: what the server sees from this port. It reads to the end: if it closed first, the port
 * would be in use for another minute (TIME-WAIT, RFC 9293 section 3.6).
 */
const ASK_FROM_PORT = `
import socket, sys
asking = socket.socket()
asking.settimeout(20)
asking.bind((sys.argv[2], 123))
asking.connect((sys.argv[1], 7005))
print(asking.makefile().read(), end="")
`

describe('a network that sees private addresses', () => {
  const more = { ...RED, secondary: [40, 41] }
  const specs = GUEST_SPECS.map((spec) => (spec === RED ? more : spec))
  beforeAll(async () => {
    const { outside } = testbed.fabric
    const uplink = testbed.host(0).uplink
    const routes = ['10.0.0.0/24', '172.31.0.0/24'].map(
      (net) => `ip route add ${net} via ${uplink}`,
    )
    await outside.must(['sh', '-ec', `ip addr add ${KNOWING}/32 dev br0; ${routes.join(';')}`])
    await testbed.guest(RED).must(['sh', '-ec', 'ip addr add 10.0.0.40/20 dev eth0'])
    let said = ''
    outside.spawn(['python3', '-c', SERVE_PEER_AND_PORT], (text) => {
      said += text
    })
    outside.spawn(['python3', '-c', ECHO])
    await eventually('the server listens', () => said !== '', DEADLINE_MS)
    await testbed.pass({ guestSpecs: specs })
  })
  const seen = async (from: GuestSpec, own: string, there = KNOWING) =>
    await testbed.guest(from).must(['python3', '-c', ASK_FROM_PORT, there, own])

  it.each([
    [RED, '10.0.0.10'],
    [RED, '10.0.0.40'],
    [RED_NEAR, '10.0.0.11'],
    [PLAIN, '172.31.0.10'],
  ] as const)('sees that of %o, with its port: %s', async (from, own) => {
    expect(await seen(from, own)).toBe(`${own} 123`)
    expect(await reaches(testbed.guest(from), KNOWING)).toBe(true)
  })

  it('sees that of the older of two VPCs that overlap, and the host in place of the other', async () => {
    const [as, port] = (await seen(BLUE, '10.0.0.10')).split(' ')
    expect(as).toBe(testbed.host(0).uplink)
    expect(port).not.toBe('123')
  })

  it('is the only one to see them', async () => {
    expect((await seen(RED, '10.0.0.10', OUTSIDE)).split(' ')[0]).toBe(testbed.host(0).uplink)
  })

  it('begins no connection, and the host reaches nobody of a VPC by it', async () => {
    const { outside } = testbed.fabric
    expect(await tcp(outside, '10.0.0.10', 7003)).toBe('')
    expect(await reaches(testbed.host(0).netns, '10.0.0.10')).toBe(false)
  })

  it('keeps its connections when the daemon is killed and starts again', async () => {
    const talking = testbed.guest(RED).run(['python3', '-c', TALK, KNOWING])
    await testbed.pass({ guestSpecs: specs, restart: true })
    expect((await talking).stdout).toContain('done')
  })
})

describe('nothing passes between VPCs', () => {
  it('from one to another', async () => {
    const ways = [
      [RED, PLAIN],
      [BLUE, PLAIN],
      [PLAIN, RED],
      [PLAIN, BLUE],
    ] as const
    const seen = ways.map(async ([from, to]) => [
      await reaches(testbed.guest(from), addressOf(to)),
      await tcp(testbed.guest(from), addressOf(to), 7003),
    ])
    expect(await Promise.all(seen)).toEqual(ways.map(() => [false, '']))
  })

  it('to a host, or a link of a VPC', async () => {
    const others = ['100.64.0.2', '100.64.0.3', '100.64.0.4', '100.64.0.5']
    const hosts = ['198.51.100.1', '198.51.100.2', '10.77.1.2', '10.77.2.2']
    const ways = [RED, BLUE, PLAIN].flatMap((from) =>
      [...others, ...hosts].map(async (to) =>
        (await reaches(testbed.guest(from), to)) ? [from, to] : [],
      ),
    )
    expect((await Promise.all(ways)).flat()).toEqual([])
  })
})

describe('after SIGKILL', () => {
  it('the namespaces go on without the daemon', async () => {
    for (const index of [0, 1]) await testbed.host(index).kill()
    for (const [from, to] of NEIGHBOURS)
      expect(await reaches(testbed.guest(from), addressOf(to)), nameOf(from)).toBe(true)
    expect(await tcp(testbed.guest(RED), OUTSIDE, 7000)).toBe(testbed.host(0).uplink)
    await testbed.pass({ restart: true })
  })

  it('rules that nobody has touched are not loaded again, and others are', async () => {
    const generation = () => testbed.host(0).host.vpcs.opened(1)?.rulesGeneration()
    const before = await generation()
    expect(before).toBeGreaterThan(0)
    await testbed.pass({ restart: true })
    expect(await generation()).toBe(before)
    await testbed.host(0).kill()
    await testbed.inVpc(0, 1, 'nft flush chain inet atoll check_ingress')
    await testbed.pass({ restart: true })
    expect(await testbed.inVpc(0, 1, 'nft list chain inet atoll check_ingress')).toContain('vmap')
    expect(await generation()).toBeGreaterThan((before ?? 0) + 1)
  })
})

describeLife('after the restart')

describe('damage is repaired', () => {
  it.each([
    ['the link of the VPC is deleted', 'ip link del at-t-1'],
    ['it is down', 'ip link set at-t-1 down'],
    ['it has no address', 'ip addr flush dev at-t-1'],
    ['the name is removed', 'umount -l NAME; rm NAME'],
    ['the name is of another namespace', 'umount -l NAME; unshare --net=NAME true'],
    ['rules inside are flushed', 'nsenter --net=NAME nft flush ruleset'],
    ['the default route inside is gone', 'nsenter --net=NAME ip route del default'],
    ['the VXLAN device inside is gone', 'nsenter --net=NAME ip link del at-fabric'],
    ['the gateway device inside is gone', 'nsenter --net=NAME ip link del at-gw'],
    ['a NIC inside is down', 'nsenter --net=NAME ip link set at-world down'],
  ])('%s', async (_what, damage) => {
    const { netns, namespaceDirectory } = testbed.host(0)
    await netns.must(['sh', '-ec', damage.replaceAll('NAME', `${namespaceDirectory}/atoll-vpc-1`)])
    await eventually('everything is healthy again', async () => {
      await testbed.pass()
      const guest = testbed.guest(RED)
      return (
        (await reaches(guest, OUTSIDE)) &&
        (await reaches(guest, addressOf(RED_NEAR))) &&
        (await reaches(guest, addressOf(RED_FAR)))
      )
    })
    expect(await testbed.inVpc(0, 1, 'nft list tables')).toContain('table inet atoll_guard')
    expect(await dig(testbed.guest(RED), `web-12.${DNS_ZONE}`)).toBe(addressOf(RED_FAR))
  })
})

describe('a name that is removed while no daemon runs', () => {
  it('is given back to the namespace, which a machine keeps alive by its tap', async () => {
    const { netns, namespaceDirectory } = testbed.host(0)
    const name = `${namespaceDirectory}/atoll-vpc-1`
    const inode = () => netns.must(['stat', '--dereference', '--format=%i', name])
    const before = await inode()
    let said = ''
    const machine = netns.spawn(['python3', '-c', HOLD_TAP, name], (text) => {
      said += text
    })
    await eventually('it holds the tap', () => said.includes('ready'))
    await testbed.host(0).kill()
    await netns.must(['sh', '-ec', `umount -l ${name}; rm ${name}`])
    await testbed.pass({ restart: true })
    expect(await inode()).toBe(before)
    for (const to of [RED_NEAR, RED_FAR])
      expect(await reaches(testbed.guest(RED), addressOf(to)), nameOf(to)).toBe(true)
    machine.kill('SIGKILL')
  })
})

describe('a VPC without instances on the host', () => {
  it('leaves nothing there, and disturbs no other', async () => {
    await testbed.pass({
      guestSpecs: GUEST_SPECS.filter(({ vpc, at }) => vpc !== 'blue' || at !== 0),
    })
    const { netns, namespaceDirectory } = testbed.host(0)
    expect(await netns.must(['ls', namespaceDirectory])).toBe('atoll-vpc-1\n')
    const links = await netns.must(['ip', '-o', 'link'])
    expect(links).toContain('at-t-1')
    expect(links).not.toContain('at-t-2')
    expect(await reaches(testbed.guest(RED), addressOf(RED_FAR))).toBe(true)
    expect(await reaches(testbed.guest(RED), OUTSIDE)).toBe(true)
    // The way back for the network that sees private addresses.
    expect(await netns.must(['ip', 'route'])).toContain('via 100.64.0.3 dev at-t-1 proto 167')
    await testbed.pass({ guestSpecs: GUEST_SPECS.filter(({ vpc }) => vpc === 'plain') })
    expect(await netns.must(['ip', 'route'])).not.toContain('250.')
    expect(await netns.must(['ls', namespaceDirectory])).toBe('')
  })
})

describe('the link to one of many VPCs', () => {
  it('is made and repaired without reading what is of the others', async () => {
    const machine = await createNetns('many')
    onTestFinished(() => machine.destroy())
    const leave = machine.enter()
    onTestFinished(leave)
    const [libc, programs, netlink] = [loadLibc(), createLockPrograms(), openRouteNetlink()]
    const dumped: number[] = []
    const dump: Netlink['dump'] = (type, payload) => {
      dumped.push(type)
      return netlink.dump(type, payload)
    }
    const ip = createIp({ ...netlink, dump })
    const there = makeNamespace(libc)
    const inside = <T>(act: () => T) => inNamespace(libc, there.fd, act)
    const away = createIp(inside(openRouteNetlink), inside)
    onTestFinished(() => {
      for (const one of [ip, away, there]) one.close()
      programs.end()
    })
    const lock = createNicLock(ip, programs, silentLog)
    const sides = { machine: ip, lock, away, namespaceFd: there.fd }
    const ensure = () => ensureTransit(sides, 7)
    expect(await ensure()).toContain('at-t-7')
    dumped.length = 0
    expect(await ensure()).toEqual([])
    // Of the lock of this link, in both directions.
    expect(dumped).toEqual([rt.MessageType.GETTFILTER, rt.MessageType.GETTFILTER])
    for (const [damage, repaired] of [
      ['ip address flush dev at-t-7', ['at-t-7 address']],
      ['ip neigh flush dev at-t-7 nud permanent', []],
      ['tc qdisc del dev at-t-7 clsact', ['lock']],
      ['ip link set at-t-7 down', ['at-t-7 up']],
    ] as const) {
      await machine.must(['sh', '-ec', damage])
      expect(await ensure(), damage).toEqual(repaired)
      expect(await ensure(), damage).toEqual([])
    }
    const known = await machine.must([
      'ip',
      '-br',
      'neigh',
      'show',
      'dev',
      'at-t-7',
      'nud',
      'permanent',
    ])
    expect(known).toContain('100.64.0.15')
  })
})
