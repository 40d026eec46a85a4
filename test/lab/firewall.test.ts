/**
 * Which instances reach which, on the real kernel: one host, an outside machine, and guests in
 * several security groups.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HOST_END_MAC } from '../../src/host/network/nic.ts'
import { METADATA_ADDRESS } from '../../src/model/addr.ts'
import { NFT_TABLE } from '../../src/model/names.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import type { DropReason } from '../../src/plan/nft-text.ts'
import { dropCounterName } from '../../src/plan/nft-text.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { onePingReaches, reaches } from '../kit/ping.ts'
import { connectUntilAnswered, ECHO, SERVE_PEER_ADDRESS, TALK } from '../kit/talk.ts'
import type { Testbed } from '../kit/testbed.ts'
import {
  createTestbed,
  metricValue,
  OUTSIDE_ADDRESS,
  TEST_GATEWAY,
  testInstance,
  testWant,
  UPLINK_ADDRESS,
} from '../kit/testbed.ts'

const WANTS = {
  alice: testInstance(11, [1]),
  bob: testInstance(12, [1]),
  carol: testInstance(13, [2]),
  dave: testInstance(14, [1, 2]),
  erin: testInstance(15, []),
} as const
type Guest = keyof typeof WANTS
const want = testWant(...Object.values(WANTS))

let testbed: Testbed
let guests: Record<Guest, Netns>

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  const plugged = await Promise.all(Object.values(WANTS).map((each) => testbed.plug(each)))
  const [alice, bob, carol, dave, erin] = plugged
  if (!alice || !bob || !carol || !dave || !erin) throw new Error('five guests')
  guests = { alice, bob, carol, dave, erin }
  // The outside machine knows the way to the VPC, as an attacker on the same wire would.
  await testbed.outside.must(['ip', 'route', 'add', '172.31.0.0/16', 'via', UPLINK_ADDRESS])
  await testbed.outside.must(['ip', 'route', 'add', '169.254.169.254', 'via', UPLINK_ADDRESS])
})

afterAll(() => testbed.destroy())

function ipOf(instance: InstanceWant): string {
  const [nic] = instance.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nic.ip
}

/** Packets dropped for this reason while `act` ran. */
async function dropsDuring(reason: DropReason, act: () => Promise<unknown>): Promise<number> {
  const read = async () => {
    await testbed.pass(want)
    return metricValue(
      testbed.metrics,
      'atoll_firewall_dropped_packets_total',
      `reason="${reason}"`,
    )
  }
  const before = await read()
  await act()
  return (await read()) - before
}

/** The kernel's own counter, without a pass. */
async function dropCounter(reason: DropReason): Promise<number> {
  return (
    (await testbed.host.ruleCounters()).get(`inet ${NFT_TABLE} ${dropCounterName(reason)}`)
      ?.packets ?? 0
  )
}

/**
 * Spares the guest the ARP request, which would be dropped for the same reason as the packet that
 * is to be seen dropped.
 */
async function resolveRouter(guest: Netns, address: string): Promise<void> {
  await guest.must(['ip', 'neigh', 'replace', address, 'lladdr', HOST_END_MAC, 'dev', 'eth0'])
}

async function linkOf(name: Guest): Promise<string> {
  const state = (await testbed.host.nics()).find((nic) => nic.routes[0]?.ip === ipOf(WANTS[name]))
  if (state === undefined) throw new Error(`${name} has no link`)
  return state.hostLink
}

async function python(where: Netns, script: string, ...args: string[]): Promise<void> {
  await where.must(['python3', '-c', script, ...args])
}

describe('who reaches whom', () => {
  const names = Object.keys(WANTS) as Guest[]
  const groupsOf = (name: Guest) =>
    WANTS[name].nics.flatMap((nic) => nic.groups.map((group) => group.id))
  const pairs = names.flatMap((from) =>
    names.filter((to) => to !== from).map((to) => [from, to] as const),
  )

  test.concurrent.each(pairs)('%s -> %s by common group', async (from, to) => {
    const common = groupsOf(from).some((group) => groupsOf(to).includes(group))
    expect(await reaches(guests[from], ipOf(WANTS[to]))).toBe(common)
  })

  test.concurrent.each(names)(
    '%s reaches its gateway, the metadata address and the outside, and is reached by the host',
    async (name) => {
      for (const address of [TEST_GATEWAY, METADATA_ADDRESS])
        expect(await reaches(guests[name], address), address).toBe(true)
      // Groups let out; who is in none may use the services of its host, as in EC2.
      expect(await reaches(guests[name], OUTSIDE_ADDRESS)).toBe(groupsOf(name).length > 0)
      expect(await reaches(testbed.machine, ipOf(WANTS[name]))).toBe(true)
    },
  )

  test.concurrent.each(names)(
    '%s is not reached from outside, and does not reach the host itself',
    async (name) => {
      expect(await reaches(testbed.outside, ipOf(WANTS[name]))).toBe(false)
      expect(await reaches(guests[name], UPLINK_ADDRESS)).toBe(false)
    },
  )

  test('the outside sees the host’s address and no other', async () => {
    const server = testbed.outside.spawn(['python3', '-c', SERVE_PEER_ADDRESS])
    const answer = await connectUntilAnswered(guests.alice, OUTSIDE_ADDRESS)
    expect(answer).toBe(UPLINK_ADDRESS)
    server.kill('SIGKILL')
  })

  test('the outside does not reach the metadata address', async () => {
    const drops = await dropsDuring('service_outside', () =>
      onePingReaches(testbed.outside, METADATA_ADDRESS),
    )
    expect(drops).toBe(1)
  })
})

describe('sources', () => {
  test('a foreign Ethernet source is dropped', async () => {
    const { alice } = guests
    const [nic] = WANTS.alice.nics
    const drops = await dropsDuring('spoofed', async () => {
      await alice.must(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:aa:aa'])
      await resolveRouter(alice, TEST_GATEWAY)
      expect(await onePingReaches(alice, TEST_GATEWAY)).toBe(false)
    })
    expect(drops).toBe(1)
    await alice.must(['ip', 'link', 'set', 'eth0', 'address', `${nic?.mac}`])
    expect(await reaches(alice, TEST_GATEWAY)).toBe(true)
  })

  test('a neighbour’s address is dropped, on the own link as well as in ARP', async () => {
    const { alice } = guests
    await alice.must(['ip', 'addr', 'add', `${ipOf(WANTS.dave)}/32`, 'dev', 'eth0'])
    await resolveRouter(alice, ipOf(WANTS.carol))
    const spoofed = await dropsDuring('spoofed', async () => {
      const ping = ['ping', '-c1', '-W0.5', '-I', ipOf(WANTS.dave), ipOf(WANTS.carol)]
      expect((await alice.run(ping)).exitCode).not.toBe(0)
    })
    expect(spoofed).toBe(1)
    const arp = await dropsDuring('arp', () =>
      python(alice, SEND_ARP_REPLY, ipOf(WANTS.dave), '02:00:00:00:bb:bb'),
    )
    expect(arp).toBe(1)
    await alice.must(['ip', 'addr', 'del', `${ipOf(WANTS.dave)}/32`, 'dev', 'eth0'])
  })

  test('the source of an instance does not come from outside', async () => {
    await testbed.outside.must(['ip', 'addr', 'add', `${ipOf(WANTS.alice)}/32`, 'dev', 'lo'])
    const drops = await dropsDuring('spoofed_outside', () =>
      testbed.outside.run(['ping', '-c1', '-W0.5', '-I', ipOf(WANTS.alice), ipOf(WANTS.bob)]),
    )
    expect(drops).toBe(1)
    await testbed.outside.must(['ip', 'addr', 'del', `${ipOf(WANTS.alice)}/32`, 'dev', 'lo'])
  })

  test('IPv6 is dropped, even where the link would take it', async () => {
    const link = await linkOf('bob')
    await testbed.machine.must(['sysctl', '-qw', `net.ipv6.conf.${link}.disable_ipv6=0`])
    const before = await dropCounter('ipv6')
    await python(guests.bob, SEND_IPV6)
    await eventually('it is counted', async () => (await dropCounter('ipv6')) > before)
    await testbed.pass(want)
    const setting = await testbed.machine.must([
      'sysctl',
      '-n',
      `net.ipv6.conf.${link}.disable_ipv6`,
    ])
    expect(setting.trim()).toBe('1')
  })

  test('an instance is no DHCP server', async () => {
    const drops = await dropsDuring('rogue_dhcp', () =>
      python(guests.alice, SEND_DHCP_REPLY, ipOf(WANTS.bob)),
    )
    expect(drops).toBe(1)
  })

  test('a link that is in no record passes nothing', async () => {
    const stranger = await createNetns('stranger')
    const link = 'at-hffffffffff1'
    await testbed.machine.must([
      'ip',
      'link',
      'add',
      link,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      `${stranger.pid}`,
    ])
    await testbed.machine.must([
      'sh',
      '-ec',
      `ip link set ${link} up address ${HOST_END_MAC}; ip route add 172.31.9.9 dev ${link}`,
    ])
    await stranger.must(['sh', '-ec', `ip addr add 172.31.9.9/16 dev eth0; ip link set eth0 up`])
    await resolveRouter(stranger, TEST_GATEWAY)
    const before = await dropCounter('unknown_link')
    expect(await reaches(stranger, TEST_GATEWAY)).toBe(false)
    expect(await dropCounter('unknown_link')).toBeGreaterThan(before)
    await testbed.pass(want)
    expect((await testbed.host.nics()).map((nic) => nic.hostLink)).not.toContain(link)
    await stranger.destroy()
  })
})

const SEND_ARP_REPLY = `
import socket, sys
ip = socket.inet_aton(sys.argv[1])
mac = bytes.fromhex(sys.argv[2].replace(":", ""))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0x0806))
raw.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + b"\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x02" + mac + ip + b"\\xff" * 6 + ip)
`

/** An echo request to all nodes; the checksum does not matter to whoever drops it. */
const SEND_IPV6 = `
import socket
nobody = socket.inet_pton(socket.AF_INET6, "fe80::1")
everybody = socket.inet_pton(socket.AF_INET6, "ff02::1")
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0x86dd))
header = bytes.fromhex("60000000" "0008" "3aff") + nobody + everybody
raw.send(bytes.fromhex("333300000001" "020000000009" "86dd") + header + bytes.fromhex("80000000" "00000000"))
`

const SEND_DHCP_REPLY = `
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind(("0.0.0.0", 67))
sender.sendto(b"x" * 300, (sys.argv[1], 68))
`

describe('change and damage', () => {
  test('an established connection survives replacement', async () => {
    const server = guests.bob.spawn(['python3', '-c', ECHO])
    const talk = guests.alice.run(['python3', '-c', TALK, ipOf(WANTS.bob)], { timeoutMs: 30_000 })
    const changes = [
      testWant(...Object.values(WANTS), testInstance(99, [3])),
      want,
      testWant(WANTS.alice, testInstance(12, [1, 4]), WANTS.carol, WANTS.dave, WANTS.erin),
    ]
    let finished = false
    void talk.then(() => {
      finished = true
    })
    for (let round = 0; !finished; round++) {
      const next = changes[round % changes.length]
      if (next !== undefined) await testbed.pass(next)
    }
    expect((await talk).stderr).toBe('')
    expect((await talk).stdout).toBe('done')
    server.kill('SIGKILL')
    await testbed.pass(want)
  })

  test('altered or removed rules are repaired by the next pass, and counted', async () => {
    await testbed.pass(want, { resync: true })
    const damages = [
      ['nft', 'flush', 'chain', 'inet', 'atoll', 'prerouting'],
      [
        'nft',
        'delete',
        'element',
        'inet',
        'atoll',
        'nic_sources',
        `{ "${await linkOf('alice')}" . ${WANTS.alice.nics[0]?.mac} . ${ipOf(WANTS.alice)} }`,
      ],
      ['nft', 'delete', 'table', 'arp', 'atoll'],
      ['nft', 'flush', 'ruleset'],
    ]
    for (const damage of damages) {
      const before = await metricValue(testbed.metrics, 'atoll_firewall_drift_total')
      await testbed.machine.must(damage)
      await testbed.pass(want)
      expect(
        await metricValue(testbed.metrics, 'atoll_firewall_drift_total'),
        damage.join(' '),
      ).toBe(before + 1)
      expect(await reaches(guests.alice, ipOf(WANTS.bob))).toBe(true)
      expect(await reaches(guests.alice, ipOf(WANTS.carol))).toBe(false)
    }
    const before = await metricValue(testbed.metrics, 'atoll_firewall_replacements_total')
    await testbed.pass(want)
    await testbed.pass(want, { resync: true })
    expect(await metricValue(testbed.metrics, 'atoll_firewall_replacements_total')).toBe(before)
  })

  test.each(['iptables-nft', 'iptables-legacy'])(
    'Docker’s FORWARD drop does not cut instances off (%s)',
    async (iptables) => {
      const works = await testbed.machine.run([iptables, '-S'])
      if (works.exitCode !== 0) return
      const script = `${iptables} -N DOCKER-USER; ${iptables} -A FORWARD -j DOCKER-USER; ${iptables} -P FORWARD DROP`
      await testbed.machine.must(['sh', '-ec', script])
      expect(await reaches(guests.alice, ipOf(WANTS.bob))).toBe(false)
      // A new nftables generation is noticed by any pass; the legacy program leaves no trace but at
      // a resync.
      await testbed.pass(want, { resync: iptables === 'iptables-legacy' })
      expect(await reaches(guests.alice, ipOf(WANTS.bob))).toBe(true)
      expect(await reaches(guests.alice, OUTSIDE_ADDRESS)).toBe(true)
      expect(await reaches(guests.alice, ipOf(WANTS.carol))).toBe(false)
      await testbed.pass(want, { resync: true })
      const rules = (await testbed.machine.must([iptables, '-S', 'DOCKER-USER'])).match(
        /--comment "?atoll/g,
      )
      // In and out, for NICs, for the links to VPCs and for that to other hosts.
      expect(rules).toHaveLength(6)
      await testbed.machine.must([
        'sh',
        '-ec',
        `${iptables} -P FORWARD ACCEPT; ${iptables} -F; ${iptables} -X`,
      ])
    },
  )
})
