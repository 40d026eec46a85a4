/**
 * The VXLAN device on the real kernel: damage to it is repaired, and only peers can send into it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ipv4, METADATA_ADDRESS } from '../../src/model/addr.ts'
import { fabricMac } from '../../src/model/fabric.ts'
import { FABRIC_LINK } from '../../src/model/names.ts'
import type { DropReason } from '../../src/plan/nft-text.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import type { FabricFixture } from '../kit/fabric-fixture.ts'
import { addressOf, createFabricFixture } from '../kit/fabric-fixture.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { reaches } from '../kit/ping.ts'

let fixture: FabricFixture
beforeAll(async () => {
  fixture = await createFabricFixture('vxlan')
})
afterAll(() => fixture.testbed.destroy())

const VNI = 4196
const PORT = 4789

async function aliceReachesAll(): Promise<boolean> {
  const reached = [addressOf('dave'), addressOf('frank')].map((to) =>
    reaches(fixture.guest('alice'), to),
  )
  return (await Promise.all(reached)).every(Boolean)
}

describe('damage', () => {
  const peer = ipv4('10.77.2.2')
  const mac = fabricMac(peer)
  test.each([
    ['the device is deleted', `ip link del ${FABRIC_LINK}`],
    ['the device is down', `ip link set ${FABRIC_LINK} down`],
    [
      'another device has its name',
      `ip link del ${FABRIC_LINK}; ip link add ${FABRIC_LINK} up type bridge`,
    ],
    [
      'it has another number',
      `ip link del ${FABRIC_LINK}; ip link add ${FABRIC_LINK} up type vxlan id 1 local 10.77.1.2 dstport 4789 nolearning`,
    ],
    [
      'it has another port',
      `ip link del ${FABRIC_LINK}; ip link add ${FABRIC_LINK} up type vxlan id 4196 local 10.77.1.2 dstport 4790 nolearning`,
    ],
    ['it has another Ethernet address', `ip link set ${FABRIC_LINK} address 02:00:00:00:00:01`],
    ['it has no address', `ip addr flush dev ${FABRIC_LINK}`],
    ['it has another MTU', `ip link set ${FABRIC_LINK} mtu 1000`],
    ['a neighbour is gone', `ip neigh del ${peer} dev ${FABRIC_LINK}`],
    [
      'a neighbour is another',
      `ip neigh replace ${peer} lladdr 02:00:00:00:00:01 dev ${FABRIC_LINK}`,
    ],
    ['a forwarding entry is gone', `bridge fdb del ${mac} dev ${FABRIC_LINK} self`],
    [
      'a forwarding entry leads elsewhere',
      `bridge fdb replace ${mac} dev ${FABRIC_LINK} dst 10.77.3.2 self`,
    ],
    [
      'everything is flooded',
      `bridge fdb append 00:00:00:00:00:00 dev ${FABRIC_LINK} dst 10.77.66.2 self`,
    ],
    ['a route is gone', `ip route del ${addressOf('dave')}`],
    ['a route leads elsewhere', `ip route replace ${addressOf('dave')} via ${OUTSIDE} proto 167`],
    [
      'its settings are others',
      `sysctl -qw net.ipv4.conf.${FABRIC_LINK}.rp_filter=1 net.ipv6.conf.${FABRIC_LINK}.disable_ipv6=0`,
    ],
  ])('%s', async (_what, damage) => {
    const { netns } = fixture.host(0)
    const look = `ip -d -o link show ${FABRIC_LINK}; ip -br addr show ${FABRIC_LINK}; ip neigh show dev ${FABRIC_LINK}; bridge fdb show dev ${FABRIC_LINK}; ip route; sysctl net.ipv4.conf.${FABRIC_LINK} net.ipv6.conf.${FABRIC_LINK}.disable_ipv6`
    const state = async () => {
      const { stdout } = await netns.run(['sh', '-c', look])
      return stdout
        .replace(/^\d+: /gm, '')
        .split('\n')
        .toSorted()
    }
    const before = await state()
    await netns.must(['sh', '-ec', damage])
    expect(await state()).not.toEqual(before)
    await fixture.pass(0)
    expect(await state()).toEqual(before)
    expect(await aliceReachesAll()).toBe(true)
  })

  test('what is right is left alone', async () => {
    const { host, inside, settings, address } = fixture.host(0)
    const peers = fixture.testbed.hosts
      .filter((each) => each.address !== address)
      .map((each) => ({ address: each.address, underlay: each.address }))
    const { vni, port } = settings
    const spec = { address, underlay: address, vni, port, mtu: fixture.testbed.mtu, peers }
    await fixture.pass(0)
    expect(await inside(() => host.ensureFabric(FABRIC_LINK, spec))).toEqual([])
  })
})

test('another number or port takes effect when all hosts have it, and mode direct removes the device', async () => {
  const restartAll = async () => {
    for (const index of fixture.testbed.hosts.keys())
      await fixture.pass(index, { restart: true }).catch(() => {})
  }
  for (const host of fixture.testbed.hosts)
    host.settings = { ...host.settings, vni: 77, port: 8472 }
  await fixture.pass(0, { restart: true })
  expect(await reaches(fixture.guest('alice'), addressOf('dave'))).toBe(false)
  await restartAll()
  expect(await aliceReachesAll()).toBe(true)
  for (const host of fixture.testbed.hosts) host.settings = { ...host.settings, mode: 'direct' }
  await restartAll()
  expect((await fixture.host(0).netns.run(['ip', 'link', 'show', FABRIC_LINK])).exitCode).not.toBe(
    0,
  )
  for (const host of fixture.testbed.hosts)
    host.settings = { ...host.settings, mode: 'vxlan', vni: VNI, port: PORT }
  await restartAll()
  expect(await aliceReachesAll()).toBe(true)
})

/**
 * Python: an ICMP echo request from argv[1] to argv[2] in an Ethernet frame to argv[3]; sent as
 * argv[4:] says.
 */
const SEND_FRAME = `
import socket, struct, sys
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
source, target, mac, how, *where = sys.argv[1:]
echo = struct.pack("!BBHHH", 8, 0, 0, 1, 1)
echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(echo), 0, 0, 64, 1, 0, socket.inet_aton(source), socket.inet_aton(target))
head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
frame = bytes.fromhex(mac.replace(":", "") + "020000000009" + "0800") + head + echo
if how == "link":
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((where[0], 0))
    out.send(frame)
else:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((where[2], 0))
    out.sendto(struct.pack("!II", 0x08000000, ${VNI} << 8) + frame, (where[0], int(where[1])))
`

describe('strangers', () => {
  const frameTo = fabricMac(ipv4('10.77.1.2'))
  const send = (from: Netns, source: string, target: string, ...how: readonly string[]) =>
    from.must(['python3', '-c', SEND_FRAME, source, target, frameTo, ...how])
  /** Wrapped, to the port of host 0, from this outer source. */
  const wrapped = (outer: string) => ['udp', '10.77.1.2', `${PORT}`, outer]

  test('a wrapped packet counts only from a peer', async () => {
    const { stranger } = fixture.testbed
    const inject = () =>
      send(stranger, addressOf('dave'), addressOf('alice'), ...wrapped('10.77.66.2'))
    expect(await fixture.dropsDuring(0, 'fabric', inject)).toBe(1)
  })

  test('a peer’s address counts only where the peer is', async () => {
    const { outside } = fixture.testbed
    await outside.must(['ip', 'addr', 'add', '10.77.2.2/32', 'dev', 'lo'])
    await outside.must(['ip', 'route', 'add', '10.77.1.2', 'via', fixture.host(0).uplink])
    const inject = () =>
      send(outside, addressOf('dave'), addressOf('alice'), ...wrapped('10.77.2.2'))
    expect(await fixture.dropsDuring(0, 'fabric', inject)).toBe(1)
  })

  test('an instance wraps nothing for a host', async () => {
    const inject = (target: string) => () =>
      send(
        fixture.guest('dave'),
        addressOf('erin'),
        addressOf('alice'),
        'udp',
        target,
        `${PORT}`,
        '0.0.0.0',
      )
    for (const { address } of fixture.testbed.hosts)
      expect(await fixture.dropsDuring(1, 'host', inject(address)), address).toBe(1)
  })

  const fromPeer: readonly (readonly [string, string, string, DropReason])[] = [
    ['a source that is no instance', '192.0.2.1', addressOf('alice'), 'fabric'],
    ['an instance of this host itself', addressOf('bob'), addressOf('alice'), 'fabric'],
    ['an address that nobody has', '172.31.9.9', addressOf('alice'), 'fabric'],
    ['the host behind it', addressOf('dave'), '198.51.100.1', 'fabric'],
    ['the outside behind it', addressOf('dave'), OUTSIDE, 'fabric'],
    ['its services', addressOf('dave'), METADATA_ADDRESS, 'service_outside'],
    ['another host behind it', addressOf('dave'), addressOf('frank'), 'transit'],
    ['a guest of another group', addressOf('erin'), addressOf('alice'), 'group'],
    ['the peer itself', '10.77.2.2', addressOf('alice'), 'fabric'],
  ]
  test.each(fromPeer)('not even a peer sends: %s', async (_what, source, target, reason) => {
    const inject = () => send(fixture.host(1).netns, source, target, 'link', FABRIC_LINK)
    expect(await fixture.dropsDuring(0, reason, inject)).toBe(1)
  })
})

test('where the path is narrower than the hosts believe, packets pass in pieces', async () => {
  const whole = ['-M', 'do', '-s', `${fixture.testbed.mtu - 28}`]
  await fixture.testbed.wire.must(['ip', 'link', 'set', 'port2', 'mtu', '1300'])
  await fixture.host(1).netns.must(['ip', 'link', 'set', 'fab0', 'mtu', '1300'])
  for (let time = 1; time <= 3; time++)
    expect(await reaches(fixture.guest('alice'), addressOf('dave'), ...whole), `${time}`).toBe(true)
})
