/**
 * Network interfaces as weapons. An instance that is a router for its VPC, with raw sockets, sends
 * as everybody that it is not, answers ARP for others, and leads its packets in a circle; an
 * instance that is none uses the routes to it. Clients attach, detach, terminate and delete at
 * once, and the records lose a NIC while it is plugged in.
 *
 * Before: no route led to an instance. Without the rules of `plan/router-routes.ts` a packet that a
 * stale routing table leads to a router is let in, and its connection goes on by the next route,
 * with an address that nobody outside can answer.
 */
import type { Instance, NetworkInterface } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assignPrivateIpAddresses } from '../../src/api/actions/assign-private-ip-addresses.ts'
import { attachNetworkInterface } from '../../src/api/actions/attach-network-interface.ts'
import { createNetworkInterface } from '../../src/api/actions/create-network-interface.ts'
import { createSubnet } from '../../src/api/actions/create-subnet.ts'
import { deleteNetworkInterface } from '../../src/api/actions/delete-network-interface.ts'
import { deleteSubnet } from '../../src/api/actions/delete-subnet.ts'
import { modifyNetworkInterfaceAttribute } from '../../src/api/actions/modify-network-interface-attribute.ts'
import { runInstances } from '../../src/api/actions/run-instances.ts'
import { terminateInstances } from '../../src/api/actions/terminate-instances.ts'
import { cidr, type Ipv4 } from '../../src/model/addr.ts'
import { AtollError } from '../../src/model/errors.ts'
import type { InstanceId, NicId } from '../../src/model/ids.ts'
import { addressesOfNic } from '../../src/model/nics.ts'
import type { Nic } from '../../src/model/records.ts'
import type { RouteWant, WayOut } from '../../src/model/ways-out.ts'
import { releaseInstance } from '../../src/store/release.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { type Cloud, openCloud } from '../kit/api-cloud.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { numbered } from '../kit/records.ts'
import {
  createVpcTestbed,
  type GuestSpec,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'

const DEADLINE_MS = 30_000
const PORT = 5555
const ROUTER = { vpc: 'red', at: 0, number: 20, isRouter: true } as const
const NEAR = { vpc: 'red', at: 0, number: 10 } as const
const FAR = { vpc: 'red', at: 1, number: 11 } as const
/** Peered with red and with the default VPC. */
const GREEN = { vpc: 'green', at: 0, number: 20 } as const
/** With the addresses of red. */
const BLUE = { vpc: 'blue', at: 0, number: 10 } as const
const PLAIN = { vpc: 'plain', at: 0, number: 10 } as const
const PLAIN_ROUTER = { vpc: 'plain', at: 0, number: 20, isRouter: true } as const
const GUEST_SPECS: readonly GuestSpec[] = [
  ...[ROUTER, NEAR, FAR, GREEN, BLUE, PLAIN, PLAIN_ROUTER],
  ...[
    { ...GREEN, number: 21 },
    { ...BLUE, number: 11 },
  ],
]
const HOST = { fabric: '10.77.1.2', uplink: '198.51.100.1', peer: '10.77.2.2' } as const

/** Says what it receives on the port, a line each. */
const LISTEN = `
import socket
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("0.0.0.0", ${PORT}))
print("ready", flush=True)
while True: print(heard.recvfrom(4000)[0].decode("latin1"), flush=True)
`
/** Sends datagrams with any source: argv has triples of source, destination and mark. */
const SEND = `
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
for at in range(1, len(sys.argv), 3):
    source, to, mark = sys.argv[at:at + 3]
    body = struct.pack("!HHHH", 40000, ${PORT}, 8 + len(mark), 0) + mark.encode()
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(to))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    try: raw.sendto(head + body, (to, 0))
    except OSError: pass
`

let testbed: VpcTestbed
const heard: string[] = []

const [nic] = vpcInstance(ROUTER).nics
const toRouter: WayOut = { kind: 'nic', nic: nic?.id ?? numbered('eni', 1), ip: nic?.ip as Ipv4 }
const out: RouteWant = { destination: cidr('0.0.0.0/0'), to: { kind: 'internet' } }
const led: RouteWant = { destination: cidr('203.0.113.0/24'), to: toRouter }
/** By the connection of the default VPC. */
const toGreen: RouteWant = {
  destination: cidr('10.8.0.0/16'),
  to: { kind: 'peering', peering: numbered('pcx', 1) },
}
/** What the records say. */
const RECORDS = {
  routes: { red: [led, out], plain: [toGreen, out] },
  edgeRoutes: { red: [out], plain: [out] },
} as const

function addressOf(spec: GuestSpec): string {
  return vpcInstance(spec).nics[0]?.ip ?? ''
}

beforeAll(async () => {
  testbed = await createVpcTestbed('vxlan', 2, GUEST_SPECS)
  await testbed.pass(RECORDS)
  const all: readonly (readonly [string, Netns])[] = [
    ...GUEST_SPECS.map((spec) => [`${spec.vpc}-${spec.number}`, testbed.guest(spec)] as const),
    ['host', testbed.host(0).netns],
    ['outside', testbed.fabric.outside],
  ]
  let ready = 0
  for (const [name, one] of all) {
    let begun = ''
    one.spawn(['python3', '-c', LISTEN], (text) => {
      const lines = (begun + text).split('\n')
      begun = lines.pop() ?? ''
      for (const line of lines)
        if (line === 'ready') ready += 1
        else heard.push(`${name} heard ${line}`)
    })
  }
  await eventually('all listen', () => ready === all.length, DEADLINE_MS)
})
afterAll(() => testbed?.destroy())

/** What was heard of these, which `from` sends: each has a source and a destination. */
async function sent(
  from: GuestSpec,
  packets: readonly (readonly [source: string, to: string])[],
): Promise<readonly string[]> {
  const before = heard.length
  const others = GUEST_SPECS.filter(({ vpc, number }) => vpc === from.vpc && number !== from.number)
  const neighbour = others.find(({ isRouter }) => isRouter !== true) ?? others[0] ?? from
  const [own, near] = [from, neighbour].map(addressOf) as [string, string]
  const send = (some: typeof packets, mark: string) =>
    testbed
      .guest(from)
      .must([
        ...['python3', '-c', SEND],
        ...some.flatMap(([source, to]) => [source, to, `${mark} ${source} to ${to}`]),
      ])
  await send(packets, 'forged')
  // What was sent before has arrived when this has.
  await eventually(
    'an honest one arrives',
    async () => {
      await send([[own, near]], 'honest')
      return heard.slice(before).some((line) => line.includes('honest'))
    },
    DEADLINE_MS,
  )
  // Its own kernel delivers to itself what is for all.
  const self = `${from.vpc}-${from.number} heard`
  return heard.slice(before).filter((line) => line.includes('forged') && !line.startsWith(self))
}

/** Sources that are nobody's in the VPC, and that no instance may claim. */
const NOBODY = [
  ...['169.254.169.254', '169.254.169.253', '127.0.0.1', '0.0.0.1', '224.0.0.1'],
  ...['255.255.255.255', '240.0.0.7', '100.64.0.2', '100.64.0.3'],
]

describe('a router with raw sockets', () => {
  it('is not taken for a gateway, a service, a host or a peer', async () => {
    const claimed = ['10.0.0.1', '10.0.1.1', addressOf(GREEN), '10.8.0.1', ...NOBODY]
    const to = [addressOf(NEAR), addressOf(FAR)]
    const packets = claimed.flatMap((source) => to.map((there) => [source, there] as const))
    expect(await sent(ROUTER, packets)).toEqual([])
  })

  it('in the network of the hosts it is not taken for one of these, either', async () => {
    const claimed = [
      ...['172.31.0.1', '172.31.16.1', HOST.fabric, HOST.uplink, HOST.peer, addressOf(GREEN)],
      ...NOBODY,
    ]
    const packets = claimed.map((source) => [source, addressOf(PLAIN)] as const)
    expect(await sent(PLAIN_ROUTER, packets)).toEqual([])
  })

  it('sends nothing out of its VPC as somebody else, and nothing to the host or to all', async () => {
    const others = ['203.0.113.9', OUTSIDE]
    const to = [
      ...[OUTSIDE, HOST.uplink, HOST.fabric, '10.0.1.1', '169.254.169.254'],
      ...['255.255.255.255', '224.0.0.1', '10.0.0.255'],
    ]
    for (const [from, more] of [
      [ROUTER, [addressOf(NEAR), addressOf(GREEN)]],
      [PLAIN_ROUTER, [addressOf(PLAIN)]],
    ] as const) {
      const packets = [...others, ...more].flatMap((source) =>
        to.map((there) => [source, there] as const),
      )
      expect(await sent(from, packets)).toEqual([])
    }
  })

  it('reaches no other VPC, whoever it says that it is', async () => {
    const claimed = ['203.0.113.9', addressOf(NEAR), addressOf(GREEN), '10.9.0.30']
    const to = [addressOf(GREEN), addressOf(PLAIN)]
    const packets = claimed.flatMap((source) => to.map((there) => [source, there] as const))
    expect(await sent(ROUTER, packets)).toEqual([])
  })

  it('has no effect on ARP: neither its answers for others nor its claims', async () => {
    const near = addressOf(NEAR)
    const before = await testbed.inVpc(0, 1, 'ip neigh | sort')
    await testbed.guest(ROUTER).must([
      ...['python3', '-c'],
      `
import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
mine = wire.getsockname()[4]
for ip in ("${near}", "10.0.0.1", "10.0.1.1", "${addressOf(FAR)}"):
    claim = socket.inet_aton(ip)
    for to in (b"\\xff" * 6, bytes.fromhex("0261746f6c6c")):
        for operation in (b"\\0\\1", b"\\0\\2"):
            wire.send(to + mine + b"\\x08\\x06\\0\\1\\x08\\0\\6\\4" + operation + mine + claim + to + claim)
`,
    ])
    expect(await sent(FAR, [])).toEqual([])
    expect(await testbed.inVpc(0, 1, 'ip neigh | sort')).toBe(before)
  })
})

describe('routes to a router', () => {
  it('lead nobody into it but those whose subnet has one', async () => {
    const behind = '203.0.113.7'
    await testbed.guest(ROUTER).must(['ip', 'addr', 'add', `${behind}/32`, 'dev', 'lo'])
    const of = (spec: GuestSpec) => sent(spec, [[addressOf(spec), behind]])
    expect(await of(NEAR)).toEqual([`red-20 heard forged ${addressOf(NEAR)} to ${behind}`])
    expect(await of(FAR)).toEqual([`red-20 heard forged ${addressOf(FAR)} to ${behind}`])
    // Blue has the address of near.
    for (const spec of [BLUE, GREEN, PLAIN, PLAIN_ROUTER]) expect(await of(spec)).toEqual([])
    // Nor with the address of one.
    expect(await sent(FAR, [[addressOf(NEAR), behind]])).toEqual([])
  })

  it('that lead back to it make no circle', async () => {
    await testbed.pass({
      ...RECORDS,
      edgeRoutes: { red: [{ destination: cidr('0.0.0.0/0'), to: toRouter }], plain: [out] },
    })
    const guest = testbed.guest(ROUTER)
    await guest.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
    const received = async () =>
      Number(await guest.must(['cat', '/sys/class/net/eth0/statistics/rx_packets']))
    const before = await received()
    await sent(ROUTER, [
      [addressOf(ROUTER), '198.18.0.1'],
      [addressOf(NEAR), '198.18.0.2'],
      ['203.0.113.9', '198.18.0.3'],
    ])
    // Each would come back 60 times.
    expect((await received()) - before).toBeLessThan(30)
    await guest.must(['sysctl', '-qw', 'net.ipv4.ip_forward=0'])
    await testbed.pass(RECORDS)
  })

  it('lead nowhere when its rules are newer than the routing tables', async () => {
    await testbed.pass(RECORDS)
    const behind = '203.0.113.7'
    const table = /lookup (\d+)/.exec(await testbed.inVpc(0, 1, 'ip rule | grep 10.0.0.0/24'))?.[1]
    const [, device] = /dev (at-h\w+)/.exec(
      await testbed.inVpc(0, 1, `ip route show table ${table}`),
    ) ?? ['', '']
    await testbed.pass({ ...RECORDS, routes: { red: [out], plain: [out] } })
    // As if the tables had stayed behind.
    await testbed.inVpc(
      0,
      1,
      `ip route add 203.0.113.0/24 via ${addressOf(ROUTER)} dev ${device} onlink table 4242; ip rule add from 10.0.0.0/24 lookup 4242 priority 5`,
    )
    expect(await sent(NEAR, [[addressOf(NEAR), behind]])).toEqual([])
    await testbed.inVpc(0, 1, 'ip rule del priority 5; ip route flush table 4242')
    await testbed.pass(RECORDS)
  })

  it('lead nowhere when the record of its interface is gone', async () => {
    const without = GUEST_SPECS.filter((spec) => spec !== ROUTER)
    await testbed.pass({ ...RECORDS, guestSpecs: without })
    expect(await sent(NEAR, [[addressOf(NEAR), '203.0.113.7']])).toEqual([])
    expect(await sent(FAR, [[addressOf(FAR), '203.0.113.7']])).toEqual([])
    expect(await testbed.inVpc(0, 1, 'ip route show table all')).not.toMatch(/^203\.0\.113\S* via/m)
  })
})

describe('clients at once', () => {
  const order = { InstanceType: 't3.small', MinCount: 1, MaxCount: 1 }
  async function launch(cloud: Cloud): Promise<InstanceId> {
    const { Instances } = await cloud.run(runInstances, { ...order, ImageId: cloud.image })
    const id = (Instances as Instance[])[0]?.InstanceId as InstanceId
    await cloud.store.change((tx) => tx.updateInstance(id, { state: 'running' }))
    return id
  }
  async function make(cloud: Cloud): Promise<NicId> {
    const asked = { SubnetId: cloud.subnet.id }
    const { NetworkInterface: made } = await cloud.run(createNetworkInterface, asked)
    return (made as NetworkInterface).NetworkInterfaceId as NicId
  }
  const nicsOf = (cloud: Cloud, ids: readonly NicId[]) => cloud.store.read((tx) => tx.nics({ ids }))
  /** The codes of those that were refused. */
  async function refusals(...work: readonly Promise<unknown>[]): Promise<readonly string[]> {
    return (await Promise.allSettled(work)).flatMap((one) =>
      one.status === 'rejected' && one.reason instanceof AtollError ? String(one.reason.code) : [],
    )
  }
  const attach = (cloud: Cloud, NetworkInterfaceId: NicId, InstanceId: InstanceId, index = 1) =>
    cloud.run(attachNetworkInterface, { NetworkInterfaceId, InstanceId, DeviceIndex: index })
  const terminate = async (cloud: Cloud, id: InstanceId) => {
    await cloud.run(terminateInstances, { InstanceIds: [id] })
    await cloud.store.change(async (tx) => {
      const [instance] = await tx.instances({ ids: [id] })
      if (instance !== undefined) await releaseInstance(tx, instance)
      await tx.updateInstance(id, { state: 'terminated' })
    })
  }

  it('attach one interface, or several at one place: one of them wins', async () => {
    await using cloud = await openCloud()
    const [a, b, one, two] = [
      ...[await launch(cloud), await launch(cloud)],
      ...[await make(cloud), await make(cloud)],
    ] as [InstanceId, InstanceId, NicId, NicId]
    expect(await refusals(attach(cloud, one, a), attach(cloud, one, b))).toEqual([
      'InvalidNetworkInterface.InUse',
    ])
    const [{ instance } = { instance: null }] = await nicsOf(cloud, [one])
    const other = instance === a ? b : a
    const third = await make(cloud)
    expect(await refusals(attach(cloud, two, other), attach(cloud, third, other))).toEqual([
      'InvalidParameterValue',
    ])
  })

  it('attach while the instance is terminated, and change what becomes of it', async () => {
    await using cloud = await openCloud()
    for (const later of [false, true]) {
      const [id, nic] = [await launch(cloud), await make(cloud)]
      if (later) await attach(cloud, nic, id)
      const [known] = await nicsOf(cloud, [nic])
      const Attachment = { AttachmentId: known?.attachment?.id, DeleteOnTermination: true }
      await refusals(
        later
          ? cloud.run(modifyNetworkInterfaceAttribute, { NetworkInterfaceId: nic, Attachment })
          : attach(cloud, nic, id),
        terminate(cloud, id),
      )
      // Nothing is attached to what is no more, and no row is left of half a NIC.
      const [found] = await nicsOf(cloud, [nic])
      expect(found?.instance ?? null).toBeNull()
      expect(found?.attachment).toBeUndefined()
      if (found === undefined) expect(later).toBe(true)
    }
  })

  it('delete what others attach, and the subnet of what others make', async () => {
    await using cloud = await openCloud()
    const [id, nic] = [await launch(cloud), await make(cloud)]
    const NetworkInterfaceId = nic
    const lost = await refusals(
      attach(cloud, nic, id),
      cloud.run(deleteNetworkInterface, { NetworkInterfaceId }),
    )
    expect(lost).toHaveLength(1)
    const [left] = await nicsOf(cloud, [nic])
    expect(left?.instance ?? id).toBe(id)
    const { Subnet } = await cloud.run(createSubnet, {
      ...{ VpcId: cloud.vpc.id, CidrBlock: '172.31.64.0/20' },
    })
    const { SubnetId } = Subnet as { SubnetId: string }
    await refusals(
      cloud.run(createNetworkInterface, { SubnetId }),
      cloud.run(deleteSubnet, { SubnetId }),
    )
    const subnets = await cloud.store.read((tx) => tx.subnets({}))
    const all = await cloud.store.read((tx) => tx.nics({}))
    expect(all.every(({ subnet }) => subnets.some((one) => one.id === subnet))).toBe(true)
  })

  it('ask for more interfaces and addresses than the type has', async () => {
    await using cloud = await openCloud()
    const [id, nic] = [await launch(cloud), await make(cloud)]
    expect(await refusals(attach(cloud, nic, id, 15))).toEqual(['AttachmentLimitExceeded'])
    await attach(cloud, nic, id)
    const more = { NetworkInterfaceId: nic, SecondaryPrivateIpAddressCount: 16 }
    expect(await refusals(cloud.run(assignPrivateIpAddresses, more))).toEqual([
      'PrivateIpAddressLimitExceeded',
    ])
    const one = { NetworkInterfaceId: nic, SecondaryPrivateIpAddressCount: 1 }
    const results = await refusals(
      ...Array.from({ length: 8 }, () => cloud.run(assignPrivateIpAddresses, one)),
    )
    const [found] = await nicsOf(cloud, [nic])
    expect((found?.secondaryIps ?? []).length + results.length).toBe(8)
    expect(addressesOfNic(found as Nic).length).toBeLessThanOrEqual(4)
  })
})
