/**
 * NAT gateways with a floating IP, with real packets, one of a VPC with a network of its own (red)
 * and one of that in the hosts' own (plain): what instances of three hosts send out has its
 * address, by the one host that carries it; again after the daemons were killed, and after another
 * host has taken it over. A VPC with the same addresses and the hosts themselves notice nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cidr, ipv4 } from '../../src/model/addr.ts'
import type { FabricSettings } from '../../src/model/fabric.ts'
import { ALL_OUT } from '../../src/model/group-rule.ts'
import type { RouteWant, WayOut } from '../../src/model/ways-out.ts'
import { gatewayShares } from '../../src/plan/nat-shares.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { reaches } from '../kit/ping.ts'
import { numbered } from '../kit/records.ts'
import { SERVE_PEER_ADDRESS } from '../kit/talk.ts'
import {
  createVpcTestbed,
  GATEWAY,
  type GuestSpec,
  type RecordsOfVpcs,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'
import { isLong } from '../long-files.ts'

const DEADLINE_MS = 30_000
const IPS = { red: ipv4('198.51.100.205'), plain: ipv4('198.51.100.206') } as const
/** Of a pool whose addresses leave by a router of their own. */
const ROUTED_IP = ipv4('203.0.113.205')
const byGateway = (vpc: keyof typeof IPS, ip = IPS[vpc]): WayOut => ({
  ...{ kind: 'nat-address', gateway: numbered('nat', vpc === 'red' ? 1 : 2), ip },
})
const OUT: WayOut = { kind: 'internet' }
const MODES = isLong ? (['vxlan', 'direct'] as const) : (['vxlan'] as const)

const ASK = `
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
print(connection.recv(100).decode(), end="")
`
/** Says who asks, and by which port, again and again, while the connection lasts. */
const SERVE_LONG = `
import socket, threading, time
server = socket.create_server(("0.0.0.0", 7020))
def serve(connection, ip, port):
    try:
        while connection.recv(1): connection.sendall(f"{ip} {port}\\n".encode())
    except OSError: pass
while True:
    connection, peer = server.accept()
    threading.Thread(target=serve, args=(connection, *peer), daemon=True).start()
`
/** Asks once, from a port that another instance may have, too. */
const ASK_ONCE = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 7020), 3, ("", 5000))
connection.sendall(b"x"); print(connection.recv(100).decode(), end="")
`
/** Asks every tenth of a second on one connection, and says how that ended. */
const ASK_LONG = `
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 7020), 3)
connection.settimeout(60)
try:
    while True:
        connection.sendall(b"x")
        print(connection.recv(100).decode(), end="", flush=True)
        time.sleep(0.1)
except ConnectionResetError: print("reset", flush=True)
`
/** Sends from one port again and again, and says what comes back. */
const STREAM = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.1); s.bind(("", 5001))
while True:
    s.sendto(b"x", (sys.argv[1], 7005)); print("sent", flush=True)
    try: print("from", s.recv(100).decode(), flush=True)
    except OSError: pass
`
/** Says by UDP who asks. */
const SAY_PEER = `
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 7005))
while True:
    peer = udp.recvfrom(100)[1]
    try: udp.sendto(peer[0].encode(), peer)
    except OSError: pass
`
/** Sends back what comes by UDP. */
const ECHO = `
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 7002))
while True: udp.sendto(*udp.recvfrom(65535))
`
/** Asks for so many bytes until they come back. */
const ECHOED = `
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
text = os.urandom(int(sys.argv[2]))
for _ in range(15):
    s.sendto(text, (sys.argv[1], 7002))
    try: got = s.recvfrom(65535)[0]
    except OSError: continue
    if got == text: print("echoed"); break
`
/** Asks by UDP from so many ports at once, and says how many had an answer. */
const FLOOD = `
import select, socket, sys
all = []
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", (sys.argv[1], 7002)); all.append(s)
answered = set()
poll = select.epoll()
for s in all: poll.register(s, select.EPOLLIN)
while True:
    ready = poll.poll(2)
    if not ready: break
    for fd, _ in ready: answered.add(fd); poll.unregister(fd)
print(len(answered), flush=True)
`

describe.each(MODES)('fabric %s', (mode: FabricSettings['mode']) => {
  const NEAR = { vpc: 'red', at: 0, number: 10 } as const
  const SECOND = { vpc: 'red', at: 1, number: 11 } as const
  const THIRD = { vpc: 'red', at: 2, number: 12 } as const
  const BLUE = { vpc: 'blue', at: 1, number: 11 } as const
  const RED = [NEAR, SECOND, THIRD] as const
  // On a segment that the hosts share, only instances of the carrier itself go out by it.
  const PLAIN = RED.slice(0, mode === 'vxlan' ? 3 : 1).map(
    (spec) => ({ ...spec, vpc: 'plain' }) as const,
  )
  const ALL = [...RED, ...PLAIN]
  let testbed: VpcTestbed

  const route = (destination: string, to: WayOut): RouteWant => ({
    destination: cidr(destination),
    to,
  })
  const BY_GATEWAYS = {
    red: [route('0.0.0.0/0', byGateway('red'))],
    plain: [route('0.0.0.0/0', byGateway('plain'))],
  }
  const pass = (carrier = 0, more: object = {}, routes: RecordsOfVpcs['routes'] = BY_GATEWAYS) =>
    testbed.pass({ routes, carrier, ...more })
  const ask = async (from: Netns, address: string, port = 7000) =>
    (await from.run(['python3', '-c', ASK, address, `${port}`])).stdout
  const python = async (from: Netns, program: string, ...args: readonly string[]) =>
    (await from.run(['python3', '-c', program, ...args])).stdout.trim()
  /** As whom each instance of the VPCs is seen outside. */
  const seen = () => Promise.all(ALL.map(async (spec) => await ask(testbed.guest(spec), OUTSIDE)))
  const ALL_BY_GATEWAY = ALL.map(({ vpc }) => IPS[vpc])
  const goOut = () =>
    eventually(
      'all go out by their gateways',
      async () => (await seen()).every((one, at) => one === ALL_BY_GATEWAY[at]),
      DEADLINE_MS,
    )
  const outsideMac = async (ip: string) =>
    (await testbed.fabric.outside.must(['ip', '-br', 'neigh', 'show', ip])).split(/\s+/)[2]
  const CARRIER_NEXT = 2
  const CARRIED_NEXT = ALL_BY_GATEWAY.map((ip, at) =>
    // Its host does not carry it any more, and there is no way to the one that does.
    mode === 'direct' && ALL[at]?.vpc === 'plain' ? '' : ip,
  )
  const outsideMacs = () => Promise.all(Object.values(IPS).map(outsideMac))
  const macOf = async (index: number) =>
    (await testbed.host(index).netns.must(['ip', '-br', 'link', 'show', 'up0'])).split(/\s+/)[2]

  beforeAll(async () => {
    testbed = await createVpcTestbed(mode, 3, [...ALL, BLUE])
    for (const program of [SERVE_PEER_ADDRESS, SERVE_LONG, ECHO, SAY_PEER])
      testbed.fabric.outside.spawn(['python3', '-c', program])
    await eventually(
      'it answers',
      async () => (await ask(testbed.fabric.outside, '127.0.0.1')) !== '',
      DEADLINE_MS,
    )
  }, 120_000)
  afterAll(() => testbed?.destroy())

  it.each(['first', 'after a restart'])(
    'what instances of all hosts send out has its address: %s',
    async (when) => {
      await pass(0, { restart: when !== 'first' })
      await goOut()
      expect(await ask(testbed.guest(BLUE), OUTSIDE), 'of another VPC').toBe(testbed.host(1).uplink)
      for (const index of [0, 1]) {
        const { netns, uplink } = testbed.host(index)
        expect(await ask(netns, OUTSIDE), 'of the host itself').toBe(uplink)
      }
      const said = ALL.map(async (spec) => {
        const guest = testbed.guest(spec)
        const sizes = ['100', '1440', '4000']
        const echoed = sizes.map((bytes) => python(guest, ECHOED, OUTSIDE, bytes))
        return [await reaches(guest, OUTSIDE), ...(await Promise.all(echoed))]
      })
      expect(await Promise.all(said)).toEqual(ALL.map(() => [true, 'echoed', 'echoed', 'echoed']))
      expect(await reaches(testbed.guest(NEAR), '10.0.0.12'), 'inside').toBe(true)
      expect(await reaches(testbed.guest(THIRD), '10.0.0.10'), 'inside').toBe(true)
    },
  )

  it('each has ports of its own', async () => {
    await pass()
    await goOut()
    const shares = gatewayShares(RED.map(({ number }) => ipv4(`10.0.0.${number}`)))
    for (const [at, { first, last }] of [...shares.values()].entries()) {
      const spec = RED[at] ?? NEAR
      const [ip, port] = (await python(testbed.guest(spec), ASK_ONCE, OUTSIDE)).split(' ')
      expect(ip).toBe(IPS.red)
      expect(Number(port)).toBeGreaterThanOrEqual(first)
      expect(Number(port)).toBeLessThanOrEqual(last)
    }
  })

  it('nobody outside begins a connection by it, nor sends what seems to be an answer', async () => {
    const rules = [ALL_OUT, { ...ALL_OUT, egress: false }].map((rule, at) => ({
      ...{ id: numbered('sgr', 600 + at), ...rule },
    }))
    await pass(0, { rules })
    const { outside } = testbed.fabric
    for (const ip of Object.values(IPS)) expect(await reaches(outside, ip)).toBe(false)
    const ranges = ['10.0.0.0/16', '172.31.0.0/16']
    for (const range of ranges)
      await outside.must(['ip', 'route', 'add', range, 'via', testbed.host(0).uplink])
    const inside = [...RED, ...PLAIN.slice(1)].map((spec) => vpcInstance(spec).nics[0]?.ip ?? '')
    const reached = inside.map((ip) => reaches(outside, ip))
    expect(await Promise.all(reached)).toEqual(inside.map(() => false))
    for (const range of ranges) await outside.must(['ip', 'route', 'del', range])
    // A packet that the host would send back to where it came from goes to and fro until it dies.
    const drops = async () => {
      const inVpc = await testbed.inVpc(0, 1, 'nft list counter inet atoll dropped_transit')
      return [Number(/packets (\d+)/.exec(inVpc)?.[1]), await testbed.host(0).drops('transit')]
    }
    const [ofRed = 0, ofPlain = 0] = await drops()
    for (const ip of Object.values(IPS)) await outside.run(['ping', '-c1', '-W1', ip])
    const after = await drops()
    expect(after[0]).toBeGreaterThan(ofRed)
    expect(after[1]).toBeGreaterThan(ofPlain)
  })

  it('connections go on when the daemons are killed, and are ended when another host takes over', async () => {
    await pass()
    await goOut()
    const said: string[][] = ALL.map(() => [])
    for (const [at, spec] of ALL.entries())
      testbed.guest(spec).spawn(['python3', '-c', ASK_LONG, OUTSIDE], (text) => {
        said[at]?.push(text)
      })
    const going = () =>
      Promise.resolve(said.every((one, at) => one.join('').includes(ALL_BY_GATEWAY[at] ?? '-')))
    await eventually('all go on', going, DEADLINE_MS)
    for (const index of [0, 1, 2]) await testbed.host(index).kill()
    for (const one of said) one.length = 0
    await eventually('all go on without', going, DEADLINE_MS)
    await pass(0, { restart: true })
    for (const one of said) one.length = 0
    await eventually('all go on with others', going, DEADLINE_MS)
    expect(await outsideMacs()).toEqual([await macOf(0), await macOf(0)])
    const elsewhere = async (index: number) => {
      const { host, inside } = testbed.host(index)
      const asked = Object.values(IPS).map((address) => ({ address }))
      // In the order of the answers.
      return (await inside(() => host.answeredElsewhere(asked))).toSorted()
    }
    // Whoever carries it does not take itself for another.
    expect(await elsewhere(0)).toEqual([])
    expect(await elsewhere(1)).toEqual(Object.values(IPS))
    await pass(CARRIER_NEXT)
    expect(await seen()).toEqual(CARRIED_NEXT)
    expect(await outsideMac(IPS.red)).toBe(await macOf(CARRIER_NEXT))
    expect(await elsewhere(0)).toEqual(Object.values(IPS))
    // The new host does not know it, and says so at once.
    for (const at of [1, ...(PLAIN.length > 1 ? [RED.length + 1] : [])])
      await eventually('they are told', () => said[at]?.join('').includes('reset') ?? false)
    const { netns } = testbed.host(0)
    const left = await netns.must(['sh', '-c', 'ip neigh show proxy; ip route show'])
    for (const ip of Object.values(IPS)) expect(left).not.toContain(ip)
    await pass(0)
    expect(await seen()).toEqual(ALL_BY_GATEWAY)
    expect(await outsideMacs()).toEqual([await macOf(0), await macOf(0)])
  })

  it('one that has as many connections as it may leaves others theirs', async () => {
    await pass()
    await goOut()
    const counts: string[] = []
    const flood = testbed
      .guest(SECOND)
      .spawn(
        [
          'python3',
          '-c',
          `import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\n${FLOOD}`,
          OUTSIDE,
          '1500',
        ],
        (text) => {
          counts.push(text)
        },
      )
    await eventually('it has its share', () => counts.join('').includes('\n'), DEADLINE_MS)
    const answered = Number(counts.join('').trim())
    expect(answered).toBeGreaterThan(50)
    expect(answered).toBeLessThan(1500)
    for (const spec of [NEAR, THIRD, ...PLAIN])
      expect(await python(testbed.guest(spec), ECHOED, OUTSIDE, '10')).toBe('echoed')
    flood.kill('SIGKILL')
  })

  it('without a route to it, or with another, nothing goes out by it any more', async () => {
    await pass()
    await goOut()
    const uplinks = ALL.map(({ at }) => testbed.host(at).uplink)
    const lost = [route('0.0.0.0/0', { kind: 'blackhole' })]
    await pass(0, {}, { red: lost, plain: lost })
    expect(await seen()).toEqual(ALL.map(() => ''))
    const proxies = await testbed.host(0).netns.must(['ip', 'neigh', 'show', 'proxy'])
    for (const ip of Object.values(IPS)) expect(proxies).not.toContain(ip)
    const first = route(`${OUTSIDE}/32`, OUT)
    await pass(0, {}, { red: [first, ...BY_GATEWAYS.red], plain: [first, ...BY_GATEWAYS.plain] })
    expect(await seen()).toEqual(uplinks)
    await pass(0, {}, { red: [route('0.0.0.0/0', OUT)], plain: [route('0.0.0.0/0', OUT)] })
    expect(await seen()).toEqual(uplinks)
    const rules = 'nft list ruleset'
    const routes = 'ip rule; ip route show table all'
    const all = [
      await testbed.inVpc(0, 1, rules),
      await testbed.inVpc(1, 1, routes),
      await testbed.host(0).netns.must(['sh', '-c', rules]),
      await testbed.host(1).netns.must(['sh', '-c', routes]),
    ].join('')
    expect(all).not.toMatch(/carried|throw/)
  })

  it('what began while the rules of the carrier were gone goes out as anything else', async () => {
    await pass()
    await goOut()
    const stream = async (spec: GuestSpec) => {
      const guest = testbed.guest(spec)
      const said: string[] = []
      guest.spawn(['python3', '-c', STREAM, OUTSIDE], (text) => said.push(text))
      await eventually('it sends', () => said.length > 0, DEADLINE_MS)
      return async () => {
        said.length = 0
        await eventually('it is answered', () => said.join('').includes('from'), DEADLINE_MS)
        return said
          .join('')
          .trim()
          .split('\n')
          .findLast((line) => line.startsWith('from'))
      }
    }
    // Others keep the kernel tracking connections.
    const lost = 'nft delete table inet atoll; nft delete table inet atoll_guard'
    await testbed.inVpc(0, 1, lost)
    await testbed.host(0).netns.must(['sh', '-ec', lost])
    const senders = [SECOND, ...PLAIN.slice(1, 2)]
    const streams = await Promise.all(senders.map(stream))
    const tracked = async () => {
      const found = new Set<string>()
      const { host, inside } = testbed.host(0)
      for (const one of [host, host.vpcs.opened(1)])
        await inside(async () => {
          await one?.endFlows(({ source, port }) => {
            if (port === 7005) found.add(source)
            return false
          })
        })
      return senders.every((spec) => found.has(vpcInstance(spec).nics[0]?.ip ?? ''))
    }
    await eventually('the carrier has passed some on', tracked, DEADLINE_MS)
    await pass()
    expect(await Promise.all(streams.map((answered) => answered()))).toEqual(
      senders.map(({ vpc }) => `from ${IPS[vpc]}`),
    )
  })

  it.runIf(isLong)('its address may be of a pool with a router, by which it leaves', async () => {
    const { outside } = testbed.fabric
    await outside.must([
      ...['sh', '-ec'],
      `ip addr add ${GATEWAY}/24 dev br0; ip route add ${ROUTED_IP} dev br0`,
    ])
    const routes = { plain: [route('0.0.0.0/0', byGateway('plain', ROUTED_IP))] }
    const isSeen = async () => {
      // The second one knows the router as a way out.
      await pass(0, {}, routes)
      const said = PLAIN.map((spec) => ask(testbed.guest(spec), OUTSIDE))
      return (await Promise.all(said)).every((one) => one === ROUTED_IP)
    }
    await eventually('they go out by it', isSeen, DEADLINE_MS)
    const { netns } = testbed.host(0)
    const way = ['ip', 'route', 'get', '192.0.2.1', 'from', '172.31.0.12', 'iif', 'at-fabric']
    if (mode === 'vxlan') expect(await netns.must(way)).toContain(`via ${GATEWAY}`)
    await pass(0, {}, { plain: [route('0.0.0.0/0', OUT)] })
    const left = await netns.must(['sh', '-c', 'ip rule; ip route show table all'])
    expect(left).not.toMatch(new RegExp(`${GATEWAY}|${ROUTED_IP}`))
  })
})
