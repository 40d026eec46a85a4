import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { cidr, ipv4, ipv4FromNumber } from '../../../src/model/addr.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import type { HostName } from '../../../src/model/ids.ts'
import { keptLocation } from '../../../src/model/image-location.ts'
import type { Image, Instance, Nic, PlacedNic, Volume } from '../../../src/model/records.ts'
import type { HostWant } from '../../../src/model/want.ts'
import { type Snapshot, wantFor } from '../../../src/plan/want.ts'
import { keyOf, TYPE } from '../../../src/services/dns/packet.ts'
import { reverseName } from '../../../src/services/dns/reverse-names.ts'
import { recordsOf } from '../../../src/services/dns/zone.ts'
import {
  account,
  defaultRules,
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  numbered,
  volumeRecord,
} from '../../kit/records.ts'
import { newPlanner, reversed, STATES } from '../../kit/states.ts'
import { zoneOf } from '../services/dns/arbitraries.ts'

const here = hostName('here')
const there = hostName('there')

function snapshot(
  instances: readonly Instance[],
  nics: readonly (Nic & Pick<PlacedNic, 'instance'>)[],
  more: Partial<Snapshot> = {},
): Snapshot {
  return {
    hosts: [
      hostRecord(here, { fabricAddress: ipv4('192.0.2.1') }),
      hostRecord(there, { fabricAddress: ipv4('192.0.2.2') }),
    ],
    instances,
    nics: nics.map((nic) => ({
      ...nic,
      host: instances.find(({ id }) => id === nic.instance)?.host ?? here,
      nameTag: more.tags?.find((tag) => tag.resource === nic.instance)?.value ?? null,
    })),
    vpcs: [network.vpc],
    subnets: [network.subnet],
    groups: [network.group],
    groupRules: defaultRules(network.group),
    vpcDns: [],
    routing: [],
    flowLogs: [],
    peerings: [],
    images: [image],
    types: [{ name: 't3.micro', vcpus: 2, memoryMiB: 1024, diskGiB: 8 }],
    keyPairs: [],
    tags: [],
    volumes: [],
    profiles: [],
    unreadable: [],
    ...more,
  }
}

/** `count` instances on alternating hosts, each with one NIC. */
function cloudOf(count: number): {
  readonly instances: readonly Instance[]
  readonly nics: readonly ReturnType<typeof nicRecord>[]
} {
  const instances = Array.from({ length: count }, (_, index) =>
    instanceRecord(instanceId(index + 1), index % 2 === 0 ? here : there),
  )
  return { instances, nics: instances.map((instance, index) => nicRecord(instance.id, index + 1)) }
}

describe('wantFor', () => {
  it('knows nothing of a host without a record', () => {
    expect(wantFor(hostName('elsewhere'), snapshot([], []))).toBeNull()
  })

  it('does not depend on the order in which records were read', () => {
    const { instances, nics } = cloudOf(6)
    const sorted = wantFor(here, snapshot(instances, nics))
    fc.assert(
      fc.property(fc.shuffledSubarray([...instances], { minLength: 6 }), (shuffled) => {
        expect(wantFor(here, snapshot(shuffled, nics))).toEqual(sorted)
      }),
    )
  })

  it('gives each instance to one host, and the others a route to it', () => {
    const { instances, nics } = cloudOf(5)
    const wants = [here, there].map((host) => wantFor(host, snapshot(instances, nics)))
    const homes = wants.flatMap(
      (want) => want?.local.instances.map((instance) => instance.id) ?? [],
    )
    expect(homes.toSorted()).toEqual(instances.map((instance) => instance.id))
    expect(wants[0]?.shared.routes.map((route) => route.via)).toEqual(['192.0.2.2', '192.0.2.2'])
    expect(wants[1]?.shared.routes).toHaveLength(3)
  })

  it('names the other hosts on the fabric, whatever runs there, and no others', () => {
    const hosts = [
      hostRecord(there, { fabricAddress: ipv4('192.0.2.2') }),
      hostRecord(here, { fabricAddress: ipv4('192.0.2.1') }),
      hostRecord(hostName('alone')),
      hostRecord(hostName('afar'), { fabricAddress: ipv4('192.0.2.3') }),
    ]
    const { instances, nics } = cloudOf(2)
    for (const running of [[], instances])
      expect(wantFor(here, snapshot(running, nics, { hosts }))?.shared.peers).toEqual([
        { host: 'afar', address: '192.0.2.3' },
        { host: 'there', address: '192.0.2.2' },
      ])
  })

  it('sends packets only to peers', () => {
    const { instances, nics } = cloudOf(8)
    const shared = wantFor(here, snapshot(instances, nics))?.shared
    const peers = shared?.peers.map((peer) => peer.address)
    for (const { via } of shared?.routes ?? []) expect(peers).toContain(via)
  })

  it('keeps a terminating instance with its NIC until its records are gone', () => {
    const { instances, nics } = cloudOf(1)
    const leaving = instances.map((instance) => ({
      ...instance,
      wanted: 'terminate' as const,
      state: 'shutting-down' as const,
    }))
    const want = wantFor(here, snapshot(leaving, nics))
    expect(want?.local.instances.map(({ run, nics }) => [run, nics.length])).toEqual([
      ['terminate', 1],
    ])
  })

  it.each([
    ['goes with it', true, 1, false],
    ['outlives it', false, 1, true],
    ['would outlive it, had it ever run', false, 0, false],
  ])(
    'says how large its disk is, and whether it is kept: one that %s',
    (_name, goes, bootSeen, keep) => {
      const { instances, nics } = cloudOf(1)
      const seen = instances.map((instance) => ({ ...instance, bootSeen }))
      const volumes = seen.map((instance) =>
        volumeRecord(7, instance, { deleteOnTermination: goes, sizeGiB: 5 }),
      )
      expect(wantFor(here, snapshot(seen, nics, { volumes }))?.local).toMatchObject({
        instances: [{ disk: { volume: volumes[0]?.id, sizeGiB: 5, keep } }],
        volumes: [],
      })
      expect(wantFor(here, snapshot(seen, nics))?.local.instances[0]?.disk).toBeNull()
    },
  )

  it('keeps volumes that have no instance, and deletes those that are to be deleted, each on its host', () => {
    const of = (number: number, host: HostName, state: Volume['state']) =>
      volumeRecord(number, { id: instanceId(1), host }, { instance: null, state })
    const volumes = [of(3, here, 'deleting'), of(2, there, 'deleting'), of(1, here, 'available')]
    expect(wantFor(here, snapshot([], [], { volumes }))?.local.volumes).toEqual([
      { id: volumes[2]?.id, run: 'keep' },
      { id: volumes[0]?.id, run: 'delete' },
    ])
  })

  it('makes no half NIC when a subnet is missing', () => {
    const { instances, nics } = cloudOf(1)
    const want = wantFor(here, snapshot(instances, nics, { subnets: [] }))
    expect(want?.local.instances[0]?.nics).toEqual([])
  })

  it('goes on with an image that was deregistered', () => {
    const { instances, nics } = cloudOf(1)
    const want = wantFor(here, snapshot(instances, nics, { images: [] }))
    expect(want?.local.instances[0]?.image).toEqual({
      id: image.id,
      location: '',
      digest: null,
      driver: FIRST_DRIVERS.container,
    })
  })

  it('asks for images of its instances, and knows which of its own are to be kept', () => {
    const { instances, nics } = cloudOf(1)
    const [source] = instances
    if (source === undefined) throw new Error('a cloud without instances')
    const made = (n: number, change: Partial<Image>): Image => ({
      ...image,
      id: numbered('ami', n),
      location: keptLocation(FIRST_DRIVERS.machine, here, numbered('ami', n)),
      host: here,
      state: 'pending',
      digest: null,
      sourceInstance: source.id,
      capture: 'reboot',
      ...change,
    })
    const images = [
      image,
      made(2, {}),
      made(3, { sourceInstance: instanceId(99), capture: 'no-reboot' }),
      made(4, { state: 'available' }),
      made(5, { state: 'deregistered' }),
      made(6, { host: hostName('there'), location: 'atoll://there/machine/ami-00000006' }),
      // Copies of one that is there, and of one that is gone.
      made(4, { id: numbered('ami', 14), state: 'available', sourceImage: numbered('ami', 4) }),
      made(7, { id: numbered('ami', 17), state: 'available', sourceImage: numbered('ami', 7) }),
    ]
    const local = wantFor(here, snapshot(instances, nics, { images }))?.local
    expect(local?.images).toEqual([])
    expect(local?.captures).toMatchObject([
      { id: images[1]?.id, instance: source.id, origin: image.location, reboot: true },
      { id: images[2]?.id, origin: '', reboot: false },
    ])
    const kept = (...numbers: readonly number[]) => numbers.map((n) => numbered('ami', n))
    expect(local?.keptImages).toEqual(kept(2, 3, 4, 7))
    // One that was deregistered stays for those that are made of it, or may be.
    const user = { ...source, image: numbered('ami', 5) }
    const ofUser = snapshot([user, ...instances.slice(1)], nics, { images })
    expect(wantFor(here, ofUser)?.local.keptImages).toEqual(kept(2, 3, 4, 5, 7))
    const row = { table: 'instances', key: instanceId(98), problem: 'image: none' }
    const of = { instance: instanceId(98), host: here, ip: null, vpc: null }
    const unread = snapshot(instances, nics, { images, unreadable: [{ ...row, ...of }] })
    expect(wantFor(here, unread)?.local.keptImages).toEqual(kept(2, 3, 4, 5, 7))
  })

  it.each([
    ['web', true],
    ['Web', true],
    ['two words', false],
    ['a.b', false],
    ['i-0123456789abcdef0', false],
    ['ip-172-31-0-5', false],
    ['', false],
  ])('serves the Name tag %j: %s', (value, served) => {
    const { instances, nics } = cloudOf(1)
    const tags = [
      { account, resource: instanceId(1), resourceType: 'instance', key: 'Name', value },
    ]
    const names = wantFor(here, snapshot(instances, nics, { tags }))?.shared.names ?? []
    const named = { ip: nics[0]?.ip, vpc: network.vpc.id }
    expect(names.slice(0, 2)).toEqual([
      { ...named, name: instanceId(1), primary: true },
      { ...named, name: `ip-${nics[0]?.ip.replaceAll('.', '-')}`, primary: false },
    ])
    expect(names.slice(2).map((one) => one.name)).toEqual(served ? [value.toLowerCase()] : [])
  })

  it('lists pending images of this host only', () => {
    const pending = { ...image, state: 'pending' as const }
    expect(
      wantFor(here, snapshot([], [], { images: [{ ...pending, host: here }] }))?.local.images,
    ).toHaveLength(1)
    expect(
      wantFor(here, snapshot([], [], { images: [{ ...pending, host: there }] }))?.local.images,
    ).toEqual([])
    expect(wantFor(here, snapshot([], [], { images: [image] }))?.local.images).toEqual([])
  })

  it('puts the gateway of every subnet on every host', () => {
    expect(wantFor(there, snapshot([], []))?.shared.subnets).toEqual([
      {
        id: network.subnet.id,
        cidr: cidr('172.31.0.0/20'),
        gateway: '172.31.0.1',
        vpc: network.vpc.id,
      },
    ])
  })
})

const ZONE_SETTINGS = {
  zone: 'atoll.internal',
  ttlSeconds: 30,
  negativeTtlSeconds: 5,
  forwardLocal: true,
}

/** Lists that mean a set, in one order. */
function inOneOrder(want: HostWant): HostWant {
  const sorted = <T>(list: readonly T[]) =>
    list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  const { shared } = want
  return {
    ...want,
    shared: {
      subnets: sorted(shared.subnets),
      vpcs: sorted(shared.vpcs),
      groups: sorted(
        shared.groups.map(({ members, rules, ...one }) => ({
          ...one,
          members: sorted(members),
          rules: sorted(rules),
        })),
      ),
      names: sorted(shared.names),
      peers: shared.peers,
      routes: sorted(shared.routes),
    },
  }
}

/** Names and record bytes. */
function zoneContents(want: HostWant) {
  const zone = zoneOf(want.shared, ZONE_SETTINGS)
  const { names, nodes, authorities } = zone
  const reversed = [...names.named()].map((address) => reverseName(ipv4FromNumber(address)))
  const labels = [...names.labels()].map((label) => `${label}.${ZONE_SETTINGS.zone}`)
  const entries = [...nodes.keys(), ...[...labels, ...reversed].map(keyOf)].map((key) => {
    const sets = [TYPE.A, TYPE.AAAA, TYPE.PTR, TYPE.SOA, TYPE.NS].map((type) =>
      recordsOf(zone, key, type)?.bytes.toString('hex'),
    )
    return `${key}: ${sets.join('; ')}`
  })
  const unusable = names.unusable.toSorted()
  return { names: entries.toSorted(), authorities: new Set(authorities.keys()), unusable }
}

describe.each(STATES)('records of: $name', ({ records }) => {
  test('read in another order, want the same', () => {
    const [want, turned] = [newPlanner()(records), newPlanner()(reversed(records))]
    expect(inOneOrder(turned)).toEqual(inOneOrder(want))
    expect(zoneContents(turned)).toEqual(zoneContents(want))
  })
})
