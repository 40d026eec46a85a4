/**
 * The port to one network namespace on the real kernel, the machine's own and that of a VPC: NICs
 * are created, connected, repaired, removed; routes, addresses and sockets. Each case has
 * namespaces of its own.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GuestSetup } from '../../src/host/guest-setup.ts'
import type { Host, NamespaceHost, NicSpec } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicDifferences } from '../../src/host/network/nic.ts'
import { cidr, ipv4, macFromRandom } from '../../src/model/addr.ts'
import { formatId } from '../../src/model/ids.ts'
import { GATEWAY_LINK, guestLinkName, namespaceName, nicLinkName } from '../../src/model/names.ts'
import { silentLog } from '../../tools/kit/log.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { createNetns, eventually } from '../../tools/kit/netns.ts'
import { OPEN_RULES } from '../kit/open-rules.ts'

/** One of them must be answered: a link that has just come up may drop the first. */
/** Until one is answered. */
const SOME_PINGS = ['-c1', '-i0.3', '-w20']
const GATEWAY = ipv4('10.0.1.1')
const MTU = 1450

const SEND_BROADCAST = `
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sender.sendto(sys.argv[1].encode(), ("255.255.255.255", 67))
`

/** Opens a tap as QEMU does, and prints what it reads there. */
const HOLD_TAP = `
import fcntl, os, select, struct, sys
fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", sys.argv[1].encode(), 0x5002))
print("holds", fd, flush=True)
while True:
    try:
        if select.select([fd], [], [], 0.1)[0]:
            print("read", len(os.read(fd, 4096)), flush=True)
    except BlockingIOError:
        pass
    except OSError:
        print("lost", flush=True)
        select.select([], [], [], 0.1)
`

/** The port in both kinds of network namespace. */
const PLACES = [
  ['the machine itself', null],
  ['the namespace of a VPC', 7],
] as const

let host: NamespaceHost
const guests: Netns[] = []

function nic(number: number): { spec: NicSpec; setup: GuestSetup } {
  const id = formatId('eni', Uint8Array.of(number, 1, 2, 3, 4, 5, 6, 7, 8))
  const ip = ipv4(`10.0.1.${number}`)
  return {
    spec: {
      kind: 'veth',
      hostLink: nicLinkName(id),
      guestLink: guestLinkName(id),
      mac: macFromRandom(Uint8Array.of(0, 0, 0, 0, number)),
      ip,
      gateway: GATEWAY,
      mtu: MTU,
    },
    setup: { name: 'eth0', address: { ip, prefix: 24, gateway: GATEWAY } },
  }
}

async function guest(): Promise<Netns> {
  const made = await createNetns('guest')
  guests.push(made)
  return made
}

async function stateOf(spec: NicSpec) {
  return (await host.nics()).find((each) => each.hostLink === spec.hostLink)
}

/** What somebody might do to a NIC behind our back, and the repair that must be reported. */
const damage: readonly (readonly [
  string,
  (spec: NicSpec) => readonly string[],
  readonly string[],
])[] = [
  ['MTU', (spec) => ['ip', 'link', 'set', spec.hostLink, 'mtu', '1300'], ['mtu']],
  ['down', (spec) => ['ip', 'link', 'set', spec.hostLink, 'down'], ['up', 'neighbour', 'route']],
  ['no neighbour', (spec) => ['ip', 'neigh', 'del', spec.ip, 'dev', spec.hostLink], ['neighbour']],
  [
    'wrong neighbour',
    (spec) => [
      'ip',
      'neigh',
      'replace',
      spec.ip,
      'lladdr',
      '02:00:00:00:99:99',
      'dev',
      spec.hostLink,
    ],
    ['neighbour'],
  ],
  [
    'another neighbour',
    (spec) => ['ip', 'neigh', 'add', '10.0.1.77', 'lladdr', spec.mac, 'dev', spec.hostLink],
    ['neighbour'],
  ],
  ['no route', (spec) => ['ip', 'route', 'del', spec.ip], ['route']],
  [
    'another route',
    (spec) => ['ip', 'route', 'add', '10.0.1.78', 'dev', spec.hostLink, 'proto', '167'],
    ['route'],
  ],
  [
    'no proxy ARP',
    (spec) => ['sysctl', '-w', `net.ipv4.conf.${spec.hostLink}.proxy_arp=0`],
    ['settings'],
  ],
  [
    'proxy delay',
    (spec) => ['sysctl', '-w', `net.ipv4.neigh.${spec.hostLink}.proxy_delay=80`],
    ['settings'],
  ],
  [
    'IPv6',
    (spec) => ['sysctl', '-w', `net.ipv6.conf.${spec.hostLink}.disable_ipv6=0`],
    ['settings'],
  ],
  [
    'no source check',
    (spec) => ['sysctl', '-w', `net.ipv4.conf.${spec.hostLink}.rp_filter=0`],
    ['settings'],
  ],
]

describe.each(PLACES)('%s', (_where, network) => {
  let machine: Netns
  let whole: Host
  let leave: () => void
  let directory: string
  /** Runs a program in the namespace of the port. */
  let must: (argv: readonly string[]) => Promise<string>
  let inside: readonly string[] = []

  beforeAll(async () => {
    machine = await createNetns('host')
    leave = machine.enter()
    directory = await mkdtemp(join(tmpdir(), 'atoll-nics-'))
    whole = createLinuxHost({ log: silentLog, namespaceDirectory: directory })
    host = network === null ? whole : (await whole.vpcs.ensure(network)).host
    const name = network === null ? null : join(directory, namespaceName(network))
    inside = name === null ? [] : ['nsenter', `--net=${name}`, '--']
    must = (argv) => machine.must([...inside, ...argv])
    await host.ensureForwarding()
    await host.applyRules(OPEN_RULES)
    await host.ensureGateway(GATEWAY_LINK, [GATEWAY])
    await host.ensureRoutes([], [cidr('10.0.0.0/16')])
  })

  afterAll(async () => {
    for (const guest of guests.splice(0)) await guest.destroy()
    if (network !== null) await whole.vpcs.remove(network)
    await whole.close()
    leave()
    await machine.destroy()
    await rm(directory, { recursive: true, force: true })
  })

  test('a plugged NIC reaches the gateway and another instance, and an address nobody has is silent', async () => {
    const [a, b] = [nic(11), nic(12)]
    const [inA, inB] = [await guest(), await guest()]
    for (const [each, there] of [
      [a, inA],
      [b, inB],
    ] as const) {
      expect(await host.ensureNic(each.spec)).toEqual(['link'])
      expect(await host.ensureNic(each.spec)).toEqual([])
      expect(nicDifferences(each.spec, await stateOf(each.spec))).toEqual([])
      expect((await stateOf(each.spec))?.guestAtHome).toBe(true)
      expect(await host.isPlugged(each.spec, there.pid, each.setup)).toBe(false)
      await host.plugNic(each.spec, there.pid, each.setup)
      expect(await host.isPlugged(each.spec, there.pid, each.setup)).toBe(true)
      expect((await stateOf(each.spec))?.guestAtHome).toBe(false)
    }
    expect(await inA.must(['ip', '-br', 'link', 'show', 'eth0'])).toContain(a.spec.mac)
    await inA.must(['ping', ...SOME_PINGS, GATEWAY])
    await inA.must(['ping', ...SOME_PINGS, b.spec.ip])
    expect((await inA.run(['ping', '-c1', '-W1', '10.0.1.99'])).exitCode).not.toBe(0)
    expect(await inA.must(['ip', 'neigh'])).toMatch(/10\.0\.1\.99 dev eth0 +(INCOMPLETE|FAILED)/)
  })

  test('a NIC follows its instance from namespace to namespace', async () => {
    const { spec, setup } = nic(21)
    await host.ensureNic(spec)
    const first = await guest()
    await host.plugNic(spec, first.pid, setup)
    const second = await guest()
    await host.plugNic(spec, second.pid, setup)
    expect(await host.isPlugged(spec, first.pid, setup)).toBe(false)
    expect(await host.isPlugged(spec, second.pid, setup)).toBe(true)
    // The namespace dies at once or a little later: plugging must work either way, at any moment.
    const third = await guest()
    await second.destroy()
    await host.plugNic(spec, third.pid, setup)
    await third.must(['ping', ...SOME_PINGS, GATEWAY])
    await third.destroy()
    await eventually(
      'the dead namespace takes its link away',
      async () => (await stateOf(spec)) === undefined,
    )
    expect(await host.ensureNic(spec)).toEqual(['link'])
  })

  test.each(damage)('repairs %s', async (_name, command, expected) => {
    const { spec, setup } = nic(31)
    await host.ensureNic(spec)
    const there = await guest()
    await host.plugNic(spec, there.pid, setup)
    await must(command(spec))
    expect(await host.ensureNic(spec)).toEqual(expected)
    expect(await host.ensureNic(spec)).toEqual([])
    await there.must(['ping', ...SOME_PINGS, GATEWAY])
    await there.destroy()
  })

  test('repairs what a guest did to its own end', async () => {
    const { spec, setup } = nic(41)
    await host.ensureNic(spec)
    const there = await guest()
    await host.plugNic(spec, there.pid, setup)
    for (const command of [
      'ip addr flush dev eth0',
      'ip link set eth0 down',
      'ip route del default',
      'ip link set lo down',
    ]) {
      await there.must(command.split(' '))
      expect(await host.isPlugged(spec, there.pid, setup), command).toBe(false)
      await host.plugNic(spec, there.pid, setup)
      await there.must(['ping', ...SOME_PINGS, GATEWAY])
    }
  })

  /** A guest that asks for its address by itself, and what the host does with its NIC later. */
  async function asking(number: number) {
    const { spec, setup } = nic(number)
    await host.ensureNic(spec)
    const there = await guest()
    const namespace = await host.plugNic(spec, there.pid, { name: 'eth0', address: null })
    const later = { ...setup, unlessUp: true }
    return { spec, later, there, place: { pid: there.pid, namespace } }
  }

  test.each([
    ['its host end', (link: string) => ['ip', 'link', 'delete', link], 'home'],
    ['its own end', () => ['ip', 'link', 'delete', 'eth0'], 'guest'],
  ] as const)(
    'a guest that asks for its address gets it when somebody deletes %s, and keeps it',
    async (_what, command, where) => {
      const { spec, later, there, place } = await asking(42)
      // Its address is its own affair, and so is that it has none.
      expect(await host.replugNic(spec, place, later)).toEqual([])
      expect(await host.isPlugged(spec, there.pid, later)).toBe(true)
      expect(await there.must(['ip', '-4', 'addr', 'show', 'eth0'])).not.toContain('inet')
      await (where === 'home' ? must : there.must)([...command(spec.hostLink)])
      await host.ensureNic(spec)
      expect(await host.replugNic(spec, place, later)).not.toEqual([])
      await there.must(['ping', ...SOME_PINGS, GATEWAY])
      expect(await there.must(['ip', '-br', 'link', 'show', 'eth0'])).toContain(spec.mac)
      expect(await host.replugNic(spec, place, later)).toEqual([])
      // A client whose socket was bound to the old link loses its lease.
      await there.must(['ip', 'addr', 'flush', 'dev', 'eth0'])
      expect(await host.isPlugged(spec, there.pid, later)).toBe(false)
      await host.plugNic(spec, there.pid, later)
      await there.must(['ping', ...SOME_PINGS, GATEWAY])
      await there.destroy()
    },
  )

  test.each([
    ['down', ['ip link set eth0 down']],
    ['renamed', ['ip link set eth0 down', 'ip link set eth0 name ens5', 'ip link set ens5 up']],
  ])(
    'a NIC that is %s is left to its guest at first, and set up in the end',
    async (_what, commands) => {
      const { spec, later, there, place } = await asking(45)
      for (const command of commands) {
        await there.must(command.split(' '))
        await host.ensureNic(spec)
        expect(await host.replugNic(spec, place, later)).toEqual([])
      }
      expect(await host.isPlugged(spec, there.pid, later)).toBe(false)
      await host.plugNic(spec, there.pid, later)
      await there.must(['ping', ...SOME_PINGS, GATEWAY])
      await there.destroy()
    },
  )

  test.each([
    ['deleted', ['delete', 'LINK']],
    ['renamed', ['set', 'LINK', 'name', 'lost0']],
    ['moved away', ['set', 'LINK', 'netns', 'OTHER']],
  ])('a process gets its tap back that was %s, and notices little', async (_what, damage) => {
    const { spec: veth } = nic(44)
    const spec: NicSpec = { ...veth, kind: 'tap' }
    await host.ensureNic(spec)
    const other = await guest()
    let said = ''
    const holder = machine.spawn([...inside, 'python3', '-c', HOLD_TAP, spec.hostLink], (text) => {
      said += text
    })
    await eventually('it holds the tap', () => /holds \d+\n/.test(said))
    const place = { pid: holder.pid ?? 0, fd: Number(/holds (\d+)/.exec(said)?.[1]) }
    expect(await host.reattachTap(spec.hostLink, place)).toBe(false)
    const words = damage.map((word) =>
      word.replace('LINK', spec.hostLink).replace('OTHER', `${other.pid}`),
    )
    await must(['sh', '-ec', `ip link set ${spec.hostLink} down; ip link ${words.join(' ')}`])
    expect(await host.ensureNic(spec)).toEqual(['link'])
    expect((await stateOf(spec))?.carrier).toBe(false)
    expect(await host.reattachTap(spec.hostLink, place)).toBe(true)
    expect((await stateOf(spec))?.carrier).toBe(true)
    expect(await host.reattachTap(spec.hostLink, place)).toBe(false)
    said = ''
    const hears = async () => {
      await must(['sh', '-c', `ping -c1 -W0.1 ${spec.ip} || true`])
      return said.includes('read ')
    }
    await eventually('it hears who asks', hears)
    for (const where of [must, other.must])
      expect(await where(['ip', '-br', 'link'])).not.toContain('lost0')
    expect(await other.must(['ip', '-br', 'link'])).not.toContain(spec.hostLink)
    // What is no tap stays as it is.
    await expect(host.reattachTap(spec.hostLink, { ...place, fd: 1 })).rejects.toMatchObject({
      kind: 'unavailable',
    })
    holder.kill('SIGKILL')
    await host.removeNic(spec.hostLink)
    await other.destroy()
  })

  test('a process that is not in its namespace any more gets nothing', async () => {
    const { spec, setup } = nic(43)
    await host.ensureNic(spec)
    const [there, other] = [await guest(), await guest()]
    const namespace = await host.plugNic(spec, there.pid, setup)
    await must(['ip', 'link', 'delete', spec.hostLink])
    await host.ensureNic(spec)
    // As when its number is another one's by now.
    expect(await host.replugNic(spec, { pid: other.pid, namespace }, setup)).toBeNull()
    expect(await host.replugNic(spec, { pid: process.pid, namespace }, setup)).toBeNull()
    expect(await host.replugNic(spec, { pid: 2 ** 22 + 1, namespace }, setup)).toBeNull()
    expect((await stateOf(spec))?.guestAtHome).toBe(true)
    expect(await host.replugNic(spec, { pid: there.pid, namespace }, setup)).not.toEqual([])
    for (const one of [there, other]) await one.destroy()
  })

  test('a process that has exited is refused, and nothing is lost', async () => {
    const { spec, setup } = nic(51)
    await host.ensureNic(spec)
    await expect(host.plugNic(spec, 2 ** 22 + 1, setup)).rejects.toMatchObject({
      kind: 'unavailable',
    })
    expect(await host.isPlugged(spec, 2 ** 22 + 1, setup)).toBe(false)
    expect(await host.ensureNic(spec)).toEqual([])
  })

  test('removing is repeatable and leaves no route', async () => {
    const { spec } = nic(61)
    await host.ensureNic(spec)
    await host.removeNic(spec.hostLink)
    await host.removeNic(spec.hostLink)
    expect(await stateOf(spec)).toBeUndefined()
    expect(await must(['ip', 'route'])).not.toContain(spec.ip)
  })

  test('a device-bound socket receives its own link only, broadcast included', async () => {
    const [a, b] = [nic(71), nic(72)]
    const sockets = []
    const heard: string[] = []
    let arrived = Promise.withResolvers<void>()
    for (const each of [a, b]) {
      await host.ensureNic(each.spec)
      const there = await guest()
      await host.plugNic(each.spec, there.pid, each.setup)
      const socket = await host.bindUdp(each.spec.hostLink, 67)
      const hear = (message: Buffer) => {
        heard.push(`${each.spec.ip} heard ${message}`)
        arrived.resolve()
      }
      socket.listen(hear, arrived.reject)
      sockets.push({ socket, there, spec: each.spec })
    }
    for (const { there, spec } of sockets) {
      arrived = Promise.withResolvers()
      const text = `hello-${spec.ip}`
      await there.must(['python3', '-c', SEND_BROADCAST, text])
      await arrived.promise
    }
    expect(heard).toEqual([a, b].map(({ spec }) => `${spec.ip} heard hello-${spec.ip}`))
    for (const { socket } of sockets) socket.close()
    await expect(host.bindUdp('at-hnothing', 67)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('routes to other hosts and unreachable networks are made equal, and foreign routes are left alone', async () => {
    const vpc = cidr('10.0.0.0/16')
    await must(['ip', 'route', 'add', '192.0.2.0/24', 'dev', GATEWAY_LINK])
    const remote = [{ ip: ipv4('10.0.2.5'), via: ipv4('192.0.2.9') }]
    expect(await host.ensureRoutes(remote, [vpc])).toEqual(['+unicast 10.0.2.5/32 via 192.0.2.9'])
    expect(await host.ensureRoutes(remote, [vpc])).toEqual([])
    const moved = [{ ip: ipv4('10.0.2.5'), via: ipv4('192.0.2.10') }]
    expect(await host.ensureRoutes(moved, [vpc])).toHaveLength(2)
    expect(await host.ensureRoutes([], [vpc])).toEqual(['-unicast 10.0.2.5/32 via 192.0.2.10'])
    expect(await must(['ip', 'route'])).toContain('192.0.2.0/24')
  })

  test('the gateway device has exactly the addresses asked for', async () => {
    const second = ipv4('10.0.2.1')
    await host.ensureGateway(GATEWAY_LINK, [GATEWAY, second])
    await host.ensureGateway(GATEWAY_LINK, [GATEWAY, second])
    expect(await must(['ip', '-br', 'addr', 'show', GATEWAY_LINK])).toContain('10.0.2.1/32')
    await host.ensureGateway(GATEWAY_LINK, [GATEWAY])
    expect(await must(['ip', '-br', 'addr', 'show', GATEWAY_LINK])).not.toContain('10.0.2.1/32')
  })
})
