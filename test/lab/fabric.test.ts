/**
 * Which instances reach which across hosts, on the real kernel: with one segment between the hosts,
 * and with routers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeAllOfOurs } from '../../src/host/cleanup.ts'
import { METADATA_ADDRESS } from '../../src/model/addr.ts'
import { LINK_PREFIX, nicLinkName } from '../../src/model/names.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import type { FabricFixture, Guest } from '../kit/fabric-fixture.ts'
import { addressOf, createFabricFixture, GUEST_SPECS, GUESTS } from '../kit/fabric-fixture.ts'
import { OPEN_PORT, OUTSIDE } from '../kit/fabric-testbed.ts'
import { onePingReaches, reaches } from '../kit/ping.ts'
import { connectUntilAnswered, ECHO, SERVE_PEER_ADDRESS, TALK } from '../kit/talk.ts'
import { TEST_GATEWAY, testInstance } from '../kit/testbed.ts'

const ICMP_HEADERS_BYTES = 28
/** An address of the subnet that nobody has. */
const NOBODY = '172.31.9.9'
const LISTEN = `
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
while True: server.accept()[0].close()
`
const CAN_CONNECT = `
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
`

/** Counts what of the VPC is seen on the wire of the uplinks, where none of it belongs. */
const WATCH_UPLINKS = `table bridge leak {
  counter seen { }
  chain prerouting {
    type filter hook prerouting priority 0
    ip daddr 172.31.0.0/16 counter name seen
    ip saddr 172.31.0.0/16 counter name seen
    arp daddr ip 172.31.0.0/16 counter name seen
  }
}`

async function connects(from: Netns, address: string, port: number): Promise<boolean> {
  return (await from.run(['python3', '-c', CAN_CONNECT, address, `${port}`])).exitCode === 0
}

describe.each(['direct', 'vxlan'] as const)('%s', (mode) => {
  let fixture: FabricFixture
  const guest = (name: Guest) => fixture.guest(name)
  const leaked = async () =>
    Number(
      /packets (\d+)/.exec(
        await fixture.testbed.outside.must(['nft', 'list', 'counter', 'bridge', 'leak', 'seen']),
      )?.[1],
    )

  beforeAll(async () => {
    fixture = await createFabricFixture(mode)
    await fixture.testbed.outside.must(['nft', '-f', '-'], { stdin: WATCH_UPLINKS })
  })
  afterAll(() => fixture.testbed.destroy())

  test('who reaches whom is a matter of groups, and of no host', async () => {
    const groupsOf = (name: Guest) =>
      GUEST_SPECS[name].want.nics.flatMap((nic) => nic.groups.map((group) => group.id))
    const pairs = GUESTS.flatMap((from) =>
      GUESTS.filter((to) => to !== from).map((to) => [from, to] as const),
    )
    const expected = pairs.map(([from, to]) => [
      `${from} -> ${to}`,
      groupsOf(from).some((group) => groupsOf(to).includes(group)),
    ])
    const reached = new Map<string, boolean>()
    await Promise.all(
      GUESTS.map(async (from) => {
        for (const to of GUESTS)
          if (to !== from)
            reached.set(`${from} -> ${to}`, await reaches(guest(from), addressOf(to)))
      }),
    )
    expect(Object.fromEntries(reached)).toEqual(Object.fromEntries(expected))
  })

  test('each reaches its gateway, the metadata address and the outside', async () => {
    await Promise.all(
      GUESTS.map(async (name) => {
        for (const address of [TEST_GATEWAY, METADATA_ADDRESS, OUTSIDE])
          expect(await reaches(guest(name), address), `${name} -> ${address}`).toBe(true)
      }),
    )
  })

  test('nobody from outside reaches an instance, and a host is no way to those of another', async () => {
    const { outside, hosts } = fixture.testbed
    for (const [index, { uplink }] of hosts.entries()) {
      const route = (name: Guest) => `ip route replace ${addressOf(name)}/32 via ${uplink}`
      await outside.must(['sh', '-ec', GUESTS.map(route).join('; ')])
      const tryAll = () =>
        Promise.all(
          GUESTS.map(async (name) =>
            expect(await onePingReaches(outside, addressOf(name))).toBe(false),
          ),
        )
      const elsewhere = GUESTS.filter((name) => GUEST_SPECS[name].at !== index)
      expect(await fixture.dropsDuring(index, 'transit', tryAll)).toBe(elsewhere.length)
    }
  })

  test('a neighbour on another host sees who asks, and the outside sees the host', async () => {
    const { outside } = fixture.testbed
    const servers = [outside, guest('dave')].map((where) =>
      where.spawn(['python3', '-c', SERVE_PEER_ADDRESS]),
    )
    expect(await connectUntilAnswered(guest('alice'), addressOf('dave'))).toBe(addressOf('alice'))
    for (const name of ['alice', 'dave', 'frank'] as const)
      expect(await connectUntilAnswered(guest(name), OUTSIDE)).toBe(
        fixture.host(GUEST_SPECS[name].at).uplink,
      )
    for (const server of servers) server.kill('SIGKILL')
  })

  test('instances reach no host, but for the ports that are open to them', async () => {
    const { hosts } = fixture.testbed
    const servers = hosts.flatMap(({ netns }) =>
      [OPEN_PORT, OPEN_PORT + 1].map((port) => netns.spawn(['python3', '-c', LISTEN, `${port}`])),
    )
    await Promise.all(
      hosts.map(async ({ address, netns }) => {
        for (const port of [OPEN_PORT, OPEN_PORT + 1])
          await eventually('the host listens', () => connects(netns, '127.0.0.1', port), 20_000)
        expect(await reaches(guest('alice'), address), address).toBe(false)
        const opens = () => connects(guest('alice'), address, OPEN_PORT)
        await eventually(`${address} lets it in`, opens)
        expect(await connects(guest('alice'), address, OPEN_PORT + 1), address).toBe(false)
      }),
    )
    for (const server of servers) server.kill('SIGKILL')
  })

  test('packets of exactly the MTU pass whole, and no larger ones', async () => {
    const { mtu } = fixture.testbed
    expect(mtu).toBe(mode === 'vxlan' ? 1450 : 1500)
    const whole = (bytes: number) => ['-M', 'do', '-s', `${bytes - ICMP_HEADERS_BYTES}`]
    expect(await reaches(guest('alice'), addressOf('dave'), ...whole(mtu))).toBe(true)
    expect(await reaches(guest('alice'), addressOf('dave'), ...whole(mtu + 1))).toBe(false)
  })

  test('the sender learns of a link with a smaller MTU behind the other host', async () => {
    const dave = (await fixture.host(1).host.nics()).find(
      (nic) => nic.routes[0]?.ip === addressOf('dave'),
    )
    await fixture.host(1).netns.must(['ip', 'link', 'set', dave?.hostLink ?? '', 'mtu', '1300'])
    const flags = ['-c3', '-i0.3', '-W1', '-M', 'do', '-s', '1372']
    const told = await guest('alice').run(['ping', ...flags, addressOf('dave')])
    expect(told.stdout).toMatch(/mtu ?= ?1300/)
    await fixture.pass(1)
    await guest('alice').must(['ip', 'route', 'flush', 'cache'])
    expect(await reaches(guest('alice'), addressOf('dave'), '-M', 'do', '-s', '1372')).toBe(true)
  })

  test('a source is where it is: neither a guest nor the outside passes for a guest of another host', async () => {
    const { outside } = fixture.testbed
    const dave = addressOf('dave')
    const asDave = (from: Netns, to: string) => from.run(['ping', '-c1', '-W0.5', '-I', dave, to])
    await guest('carol').must(['ip', 'addr', 'add', `${dave}/32`, 'dev', 'lo'])
    expect(
      await fixture.dropsDuring(0, 'spoofed', () => asDave(guest('carol'), addressOf('frank'))),
    ).toBe(1)
    await guest('carol').must(['ip', 'addr', 'del', `${dave}/32`, 'dev', 'lo'])
    await outside.must(['ip', 'addr', 'add', `${dave}/32`, 'dev', 'lo'])
    await outside.must([
      'ip',
      'route',
      'replace',
      addressOf('alice'),
      'via',
      fixture.host(0).uplink,
    ])
    expect(
      await fixture.dropsDuring(0, 'spoofed_outside', () => asDave(outside, addressOf('alice'))),
    ).toBe(1)
    await outside.must(['ip', 'addr', 'del', `${dave}/32`, 'dev', 'lo'])
  })

  test('an established connection outlives daemons and their rules on both hosts', async () => {
    const server = guest('dave').spawn(['python3', '-c', ECHO])
    const talk = guest('alice').run(['python3', '-c', TALK, addressOf('dave')], {
      timeoutMs: 30_000,
    })
    let isDone = false
    void talk.then(() => {
      isDone = true
    })
    for (let round = 0; !isDone; round++) await fixture.pass(round % 2, { restart: true })
    expect((await talk).stderr).toBe('')
    expect((await talk).stdout).toBe('done')
    server.kill('SIGKILL')
  })

  test('packets to an instance that is gone are sent to no other host', async () => {
    const [before] = fixture.wants
    const [without] = fixture.wantsWithout('dave')
    if (without === undefined) throw new Error('host 0 has a want')
    await fixture.pass(0, { want: without })
    await guest('alice').must(['ip', 'neigh', 'flush', 'all'])
    for (const address of [addressOf('dave'), NOBODY])
      expect(await reaches(guest('alice'), address), address).toBe(false)
    await fixture.pass(0, before === undefined ? {} : { want: before })
    // A guest that is still asking by ARP asks again within a second.
    await eventually('dave is back', () => reaches(guest('alice'), addressOf('dave')))
  })

  test('instances of a disconnected host are unreachable, all others are as before', async () => {
    await fixture.testbed.wire.must(['ip', 'link', 'set', 'port3', 'down'])
    expect(await reaches(guest('alice'), addressOf('frank'))).toBe(false)
    expect(await reaches(guest('alice'), addressOf('dave'))).toBe(true)
    await fixture.host(0).netns.must(['ip', 'link', 'set', 'fab0', 'down'])
    expect(await reaches(guest('alice'), addressOf('dave'))).toBe(false)
    expect(await reaches(guest('alice'), addressOf('bob'))).toBe(true)
    // Without the fabric a pass may fail, but what is on the host itself must be right after it.
    const newcomer = testInstance(17, [1])
    const [nic] = newcomer.nics
    const want = fixture.wants[0]
    if (nic === undefined || want === undefined) throw new Error('host 0 has a want')
    const local = { ...want.local, instances: [...want.local.instances, newcomer] }
    await fixture.pass(0, { want: { ...want, local }, restart: true }).catch(() => {})
    expect((await fixture.host(0).host.nics()).map((each) => each.hostLink)).toContain(
      nicLinkName(nic.id),
    )
    expect(await reaches(guest('alice'), addressOf('bob'))).toBe(true)
    await fixture.testbed.wire.must(['ip', 'link', 'set', 'port3', 'up'])
    const way = mode === 'vxlan' ? '; ip route add 10.77.0.0/16 via 10.77.1.1' : ''
    await fixture.host(0).netns.must(['sh', '-ec', `ip link set fab0 up${way}`])
    await fixture.pass(0)
    await eventually('dave is back', () => reaches(guest('alice'), addressOf('dave')))
    await eventually('frank is back', () => reaches(guest('alice'), addressOf('frank')))
  })

  test('none of this was ever seen on the uplinks', async () => {
    expect(await leaked()).toBe(0)
  })

  test('teardown leaves nothing', async () => {
    const { netns, inside } = fixture.host(2)
    await inside(() => removeAllOfOurs())
    expect(await netns.must(['ip', '-br', 'link'])).not.toContain(LINK_PREFIX)
    expect(await netns.must(['ip', 'route'])).not.toMatch(/proto 167|172\.31/)
    expect(await netns.must(['nft', 'list', 'ruleset'])).toBe('')
  })
})
