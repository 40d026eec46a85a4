/**
 * Peering of the first default VPC, which is in the hosts' own network, with real packets on two
 * hosts: with green and with blue. White is peered with green only. The network of the hosts has
 * the range of green, too: what the host and a subnet without a route send there goes outside.
 * Security groups let in more than the peering does. In long mode again after the daemon was
 * killed, and in both modes of the fabric.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeAllOfOurs } from '../../src/host/cleanup.ts'
import { cidr } from '../../src/model/addr.ts'
import { ANY_PORT, ANY_PROTOCOL, PROTOCOLS } from '../../src/model/group-rule.ts'
import type { RuleWant } from '../../src/model/want.ts'
import type { RouteWant } from '../../src/model/ways-out.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { LOG } from '../kit/flow-logs.ts'
import { reaches } from '../kit/ping.ts'
import { resolvePublicName, withFloatingIps } from '../kit/public-names.ts'
import { numbered } from '../kit/records.ts'
import {
  createVpcTestbed,
  flowRecords,
  type GuestSpec,
  type RecordsOfVpcs,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'
import { isLong } from '../long-files.ts'

const PLAIN = { vpc: 'plain', at: 0, number: 10 } as const
const PLAIN_FAR = { vpc: 'plain', at: 1, number: 12 } as const
/** In a subnet that has no route to a peer. */
const EDGE = { vpc: 'plain', at: 0, number: 30, isRouter: true } as const
const GREEN = { vpc: 'green', at: 0, number: 20 } as const
const GREEN_FAR = { vpc: 'green', at: 1, number: 22 } as const
const BLUE_FAR = { vpc: 'blue', at: 1, number: 14 } as const
const WHITE = { vpc: 'white', at: 0, number: 30 } as const
const GUEST_SPECS: readonly GuestSpec[] = [
  ...[PLAIN, PLAIN_FAR, EDGE, GREEN, GREEN_FAR, BLUE_FAR, WHITE],
]
const JOINED = [
  [PLAIN, GREEN],
  [PLAIN, GREEN_FAR],
  [PLAIN_FAR, GREEN],
  [PLAIN_FAR, GREEN_FAR],
  [PLAIN, BLUE_FAR],
  [PLAIN_FAR, BLUE_FAR],
] as const
const APART = [
  [GREEN, BLUE_FAR],
  [GREEN_FAR, BLUE_FAR],
  [WHITE, PLAIN],
  [WHITE, PLAIN_FAR],
  [EDGE, GREEN],
  [EDGE, GREEN_FAR],
  [EDGE, BLUE_FAR],
] as const
const DEADLINE_MS = 30_000

const toPeer = (range: string, at: number): RouteWant => ({
  destination: cidr(range),
  to: { kind: 'peering', peering: numbered('pcx', at) },
})
const OUT: RouteWant = { destination: cidr('0.0.0.0/0'), to: { kind: 'internet' } }
const TO_GREEN = toPeer('10.8.0.0/15', 0)
const TO_BLUE = toPeer('10.0.0.0/16', 1)
const [OUTWARDS, INWARDS] = [true, false].map(
  (egress, at): RuleWant => ({
    ...{ id: numbered('sgr', 81 + at), egress, protocol: ANY_PROTOCOL },
    ...{ fromPort: ANY_PORT, toPort: ANY_PORT, peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') } },
  }),
) as [RuleWant, RuleWant]
const RECORDS = {
  peered: [
    ['plain', 'green'],
    ['plain', 'blue'],
    ['green', 'white'],
  ],
  routes: {
    plain: [TO_BLUE, TO_GREEN, OUT],
    green: [toPeer('172.31.0.0/16', 0), toPeer('10.9.0.0/16', 2), OUT],
    blue: [toPeer('172.31.0.0/16', 1), OUT],
  },
  edgeRoutes: { plain: [OUT] },
  isChecked: true,
  rules: [OUTWARDS, INWARDS],
} as const satisfies RecordsOfVpcs
/** What has the address of green in the hosts' network. */
const TWIN = '10.8.0.20'

/** Python: says to each client which address it comes from, and who answers at this address. */
const SERVE = `
import socket, sys, threading
def datagrams():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((sys.argv[2], 7003))
    while True:
        peer = server.recvfrom(100)[1]
        server.sendto((peer[0] + " " + sys.argv[1]).encode(), peer)
threading.Thread(target=datagrams, daemon=True).start()
server = socket.create_server((sys.argv[2], 7003))
while True:
    connection, peer = server.accept()
    try: connection.sendall((peer[0] + " " + sys.argv[1]).encode())
    except OSError: pass
    connection.close()
`
const ASK = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 7003), 2, (sys.argv[2], 0))
# Whoever is connected is answered, however busy the machine is.
connection.settimeout(20)
print(connection.recv(100).decode(), end="")
`
/** Always from the same port, so that it is one flow. Asks until it is answered. */
const ASK_BY_DATAGRAM = `
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.settimeout(1)
one.bind(("0.0.0.0", 40001))
one.connect((sys.argv[1], 7003))
for _ in range(20):
    try:
        one.send(b"who")
        print(one.recv(100).decode(), end="")
        break
    except OSError: pass
`

describe.each(isLong ? (['vxlan', 'direct'] as const) : (['vxlan'] as const))('%s', (mode) => {
  let testbed: VpcTestbed
  beforeAll(async () => {
    testbed = await createVpcTestbed(mode, 2, GUEST_SPECS)
    for (const home of GUEST_SPECS)
      testbed.guest(home).spawn(['python3', '-c', SERVE, home.vpc, '0.0.0.0'])
    const { outside } = testbed.fabric
    const near = testbed.host(0)
    await outside.must([
      ...['sh', '-ec'],
      `ip addr add ${TWIN}/32 dev br0; ip route add 172.31.0.0/16 via ${near.uplink}`,
    ])
    outside.spawn(['python3', '-c', SERVE, 'outside', TWIN])
    await near.netns.must(`ip route add 10.8.0.0/16 via ${OUTSIDE}`.split(' '))
    await pass()
    for (const home of GUEST_SPECS)
      await eventually('it answers', async () => (await toItself(home)) !== '', DEADLINE_MS)
  })
  afterAll(() => testbed?.destroy())

  const pass = (more: Parameters<VpcTestbed['pass']>[0] = {}) =>
    testbed.pass({ ...RECORDS, ...more })
  const toItself = (home: GuestSpec) => ask(testbed.guest(home), addressOf(home))
  const netnsOf = (index: number) => testbed.host(index).netns

  function describeLife(when: string) {
    describe(when, () => {
      it('instances of peered VPCs reach each other at their own addresses', async () => {
        const ways = bothWays(JOINED)
        const said = ways.map(([from, to]) => ask(testbed.guest(from), addressOf(to)))
        expect(await Promise.all(said)).toEqual(
          ways.map(([from, to]) => `${addressOf(from)} ${to.vpc}`),
        )
      })

      it('no peer of a peer is reached, and nobody of a subnet without a route', async () => {
        const ways = bothWays(APART)
        const reached = ways.map(async ([from, to]) => {
          const answer = await ask(testbed.guest(from), addressOf(to))
          return answer.endsWith(` ${to.vpc}`) ? [from, to, answer] : []
        })
        expect((await Promise.all(reached)).flat()).toEqual([])
      })

      it('the host and such a subnet find at the same address whom the network has', async () => {
        const { netns, uplink } = testbed.host(0)
        expect(await ask(netns, TWIN)).toBe(`${uplink} outside`)
        expect(await ask(testbed.guest(EDGE), TWIN)).toBe(`${uplink} outside`)
        const { outside } = testbed.fabric
        expect(await ask(outside, addressOf(EDGE), TWIN)).toBe(`${TWIN} plain`)
        const before = await testbed.host(0).drops('spoofed_outside')
        expect(await ask(outside, addressOf(PLAIN), TWIN)).toBe('')
        expect(await testbed.host(0).drops('spoofed_outside')).toBeGreaterThan(before)
      })

      it('services of the other side, and the host, are not reached', async () => {
        const asked = [
          ...['172.31.0.1', '172.31.0.2', testbed.host(0).uplink, '100.64.0.6'].map(
            (to) => [GREEN, to] as const,
          ),
          ...['10.8.0.1', '10.8.0.2'].map((to) => [PLAIN, to] as const),
        ]
        const reached = asked.map(async ([from, to]) =>
          (await reaches(testbed.guest(from), to)) ? [from, to] : [],
        )
        expect((await Promise.all(reached)).flat()).toEqual([])
      })
    })
  }

  describeLife('at first')

  describe('after SIGKILL', () => {
    it('it goes on without the daemon', async () => {
      for (const index of [0, 1]) await testbed.host(index).kill()
      expect(await ask(testbed.guest(PLAIN), addressOf(GREEN_FAR))).toBe(
        `${addressOf(PLAIN)} green`,
      )
      await pass({ restart: true })
      expect(await ask(testbed.guest(PLAIN_FAR), addressOf(GREEN))).toBe(
        `${addressOf(PLAIN_FAR)} green`,
      )
    })
  })

  if (isLong) describeLife('after the restart')

  describe('a host', () => {
    it('has the link, and no route to a peer in its main table', async () => {
      const links = await netnsOf(0).must(['ip', '-o', 'link'])
      for (const link of ['at-p-2', 'at-p-3']) expect(links).toContain(link)
      expect(links).not.toContain('at-p-4')
      expect(await netnsOf(0).must(['ip', 'route'])).not.toContain('at-p-')
      // It has no instance of blue: the namespace is for the way.
      expect(await testbed.inVpc(0, 2, 'ip -o link')).toContain('at-p-0')
    })

    it.each([
      ['the link', 'ip link del at-p-3'],
      ['the link is down', 'ip link set at-p-3 down'],
      ['policy rules', 'while ip rule del priority 168; do :; done'],
      [
        'routing tables',
        'for t in $(ip rule | sed -n "s/^168:.* lookup //p"); do ip route flush table $t; done',
      ],
    ])('that loses %s drops what is for the peer, and gets it back', async (_what, damage) => {
      await netnsOf(0).run(['sh', '-c', damage])
      expect(await ask(testbed.guest(PLAIN), TWIN)).not.toContain('outside')
      await eventually(
        'it is well again',
        async () => {
          await pass()
          return (await ask(testbed.guest(PLAIN), TWIN)) === `${addressOf(PLAIN)} green`
        },
        DEADLINE_MS,
      )
    })

    it('says how large a packet may be that goes to another host', async () => {
      for (const [from, to] of [
        [PLAIN, GREEN_FAR],
        [GREEN, PLAIN_FAR],
      ] as const) {
        const ping = ['ping', '-c1', '-W2', '-M', 'do', '-s', '1472', addressOf(to)]
        const { stdout, stderr } = await testbed.guest(from).run(ping)
        expect(stdout + stderr).toMatch(/(?:frag needed|message too long).*mtu ?= ?1450/i)
      }
    })

    it('keeps an address that an instance of the peer has, too', async () => {
      const address = addressOf(GREEN_FAR)
      await netnsOf(0).must(`ip addr add ${address}/32 dev lo`.split(' '))
      expect(
        await Promise.all([
          ask(testbed.guest(PLAIN), address),
          ask(testbed.guest(GREEN_FAR), addressOf(PLAIN)),
          reaches(netnsOf(0), address),
          ask(testbed.guest(PLAIN_FAR), address),
        ]),
      ).toEqual(['', '', true, `${addressOf(PLAIN_FAR)} green`])
      await netnsOf(0).must(`ip addr del ${address}/32 dev lo`.split(' '))
      expect(await ask(testbed.guest(PLAIN), address)).toBe(`${addressOf(PLAIN)} green`)
    })
  })

  describe('route tables', () => {
    const answers = () =>
      Promise.all(
        [GREEN, GREEN_FAR].map(async (to) =>
          (await ask(testbed.guest(PLAIN), addressOf(to))).endsWith(' green'),
        ),
      )
    const [toPlain] = RECORDS.routes.green
    afterAll(() => pass())

    it.each([
      ['both lead to the connection', [TO_GREEN, OUT], [toPlain], true],
      ['that of the other side does not', [TO_GREEN, OUT], [OUT], false],
      ['none of the default VPC does', [OUT], [toPlain], false],
      ['it leads to another connection', [toPeer('10.8.0.0/16', 1)], [toPlain], false],
      [
        'a longer prefix leads elsewhere',
        [{ destination: cidr('10.8.0.0/24'), to: { kind: 'blackhole' } }, TO_GREEN],
        [toPlain],
        false,
      ],
    ] as const)('%s', async (_what, plain, green, passes) => {
      await pass({ routes: { plain, green } })
      expect(await answers()).toEqual([passes, passes])
    })

    it('end what goes on elsewhere when a route comes or goes', async () => {
      const who = async () =>
        (await testbed.guest(PLAIN).run(['python3', '-c', ASK_BY_DATAGRAM, TWIN])).stdout
      const { uplink } = testbed.host(0)
      await pass()
      expect(await who()).toBe(`${addressOf(PLAIN)} green`)
      await pass({ routes: { ...RECORDS.routes, plain: [OUT] } })
      expect(await who()).toBe(`${uplink} outside`)
      await pass()
      expect(await who()).toBe(`${addressOf(PLAIN)} green`)
    })
  })

  describe('public addresses', () => {
    const floats = new Map<GuestSpec, string>([
      // Its packets leave the hosts' network by a gateway of their own.
      [PLAIN, '203.0.113.201'],
      [GREEN_FAR, '198.51.100.202'],
    ])
    const guestSpecs = withFloatingIps(GUEST_SPECS, floats)
    const resolved = (from: GuestSpec, of: GuestSpec) =>
      resolvePublicName(testbed.guest(from), floats.get(of) ?? '')
    afterAll(() => pass())

    it('are not those of peered packets, and names lead to private ones where asked', async () => {
      await pass({ guestSpecs })
      for (const to of [GREEN, GREEN_FAR, BLUE_FAR])
        expect(await ask(testbed.guest(PLAIN), addressOf(to))).toBe(`${addressOf(PLAIN)} ${to.vpc}`)
      expect(await resolved(PLAIN, GREEN_FAR)).toBe(floats.get(GREEN_FAR))
      expect(await resolved(GREEN, PLAIN)).toBe(floats.get(PLAIN))
      await pass({ guestSpecs, showPrivate: ['green', 'plain'] })
      expect(await resolved(PLAIN, GREEN_FAR)).toBe(addressOf(GREEN_FAR))
      expect(await resolved(GREEN, PLAIN)).toBe(addressOf(PLAIN))
      expect(await resolved(WHITE, PLAIN)).toBe(floats.get(PLAIN))
    })
  })

  describe('groups', () => {
    afterAll(() => pass())

    it('may let in the members of a group of the peer', async () => {
      const group = vpcInstance(GREEN).nics[0]?.groups[0]?.id
      if (group === undefined) throw new Error('it is in a group')
      await pass({ rules: [OUTWARDS, { ...INWARDS, peer: { kind: 'group', group } }] })
      const ways = [
        ...[GREEN, GREEN_FAR].flatMap((from) =>
          [PLAIN, PLAIN_FAR].map((to) => [from, to] as const),
        ),
        [BLUE_FAR, PLAIN] as const,
        [PLAIN, GREEN] as const,
      ]
      const said = ways.map(([from, to]) => ask(testbed.guest(from), addressOf(to)))
      expect(await Promise.all(said)).toEqual(
        ways.map(([from, to]) => (from.vpc === 'green' ? `${addressOf(from)} ${to.vpc}` : '')),
      )
    })
  })

  describe('flow logs', () => {
    afterAll(() => pass())

    it('have what passes and what is refused between peers, at both ends', async () => {
      const served = { ...INWARDS, protocol: PROTOCOLS.tcp, fromPort: 7003, toPort: 7003 }
      const soon = { ...LOG, aggregationSeconds: 1 as (typeof LOG)['aggregationSeconds'] }
      await pass({ rules: [OUTWARDS, served], flowLogs: [soon] })
      const ways = bothWays([
        [PLAIN, GREEN],
        [PLAIN, GREEN_FAR],
      ])
      const nicOf = (home: GuestSpec) => vpcInstance(home).nics[0]?.id
      const wanted = ways.flatMap(([from, to]) => {
        const flow = `${addressOf(from)} ${addressOf(to)}`
        const passed = [from, to].map((home) => `${nicOf(home)} ${flow} \\d+ 7003 6 .* ACCEPT OK`)
        return [...passed, `${nicOf(to)} ${flow} 0 0 1 .* REJECT OK`]
      })
      let missing: readonly string[] = wanted
      const areRecorded = async () => {
        const tried = ways.map(async ([from, to]) => {
          await ask(testbed.guest(from), addressOf(to))
          await reaches(testbed.guest(from), addressOf(to))
        })
        await Promise.all(tried)
        missing = wanted.filter((text) => !flowRecords.some((line) => new RegExp(text).test(line)))
        return missing.length === 0
      }
      await eventually('all is recorded', areRecorded, DEADLINE_MS).catch((cause: unknown) => {
        throw new Error(missing.join('; '), { cause })
      })
    })
  })

  describe('a peering that has ended', () => {
    it('leaves nothing behind, and comes back', async () => {
      await pass({ isPeered: false })
      const reached = bothWays(JOINED).map(async ([from, to]) => {
        const said = await ask(testbed.guest(from), addressOf(to))
        return said.endsWith(` ${to.vpc}`) ? [from, to, said] : []
      })
      expect((await Promise.all(reached)).flat()).toEqual([])
      const show = `${SHOW_ALL}; nft list table inet atoll`
      for (const index of [0, 1])
        expect(await netnsOf(index).must(['sh', '-ec', show])).not.toMatch(OF_PEERS)
      await pass()
      expect(await ask(testbed.guest(PLAIN), addressOf(GREEN_FAR))).toBe(
        `${addressOf(PLAIN)} green`,
      )
    })
  })

  it('a host that is taken down has nothing of it left', async () => {
    const { inside, namespaceDirectory } = testbed.host(1)
    expect(await netnsOf(1).must(['sh', '-ec', SHOW_ALL])).toMatch(OF_PEERS)
    await testbed.host(1).kill()
    await inside(() => removeAllOfOurs(null, { namespaceDirectory }))
    expect(await netnsOf(1).must(['sh', '-ec', SHOW_ALL])).not.toMatch(OF_PEERS)
  })
})

const SHOW_ALL = 'ip -o link; ip rule; ip route show table all'
const OF_PEERS = /at-p-|^168:|proto 168|table 3\d{9}/m

const bothWays = <T extends readonly (readonly [GuestSpec, GuestSpec])[]>(pairs: T) =>
  pairs.flatMap(([a, b]) => [[a, b] as const, [b, a] as const])

function addressOf(home: GuestSpec): string {
  return vpcInstance(home).nics[0]?.ip ?? ''
}

async function ask(from: Netns, address: string, source = '0.0.0.0'): Promise<string> {
  return (await from.run(['python3', '-c', ASK, address, source])).stdout
}
