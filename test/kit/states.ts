/**
 * Named states of one host, each as records and as settings of the host. The tests of state pairs
 * go through them in every order. They are chosen so that some pair removes, moves or changes
 * something of every kind.
 */
import { isDeepStrictEqual } from 'node:util'
import { createPlanner } from '../../src/agent/planner.ts'
import {
  type Cidr,
  cidr,
  cidrAddress,
  type Ipv4,
  ipv4,
  macFromRandom,
} from '../../src/model/addr.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import type { FabricSettings } from '../../src/model/fabric.ts'
import { formatId, type GroupId } from '../../src/model/ids.ts'
import type { MetadataOptions } from '../../src/model/metadata-options.ts'
import type { Group, Instance, PlacedNic, Subnet, Tag, Vpc } from '../../src/model/records.ts'
import type { HostWant } from '../../src/model/want.ts'
import type { Snapshot } from '../../src/plan/want.ts'
import { NO_FABRIC } from '../../tools/kit/instance.ts'
import {
  account,
  defaultRules,
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  network,
  numbered,
} from './records.ts'

const here = hostName('here')
const there = hostName('there')
const remote = hostName('remote')
/** The host's own fabric address, and those of the two others. */
export const FABRIC_ADDRESS = ipv4('192.0.2.1')
const THERE_ADDRESS = ipv4('192.0.2.2')
const REMOTE_ADDRESS = ipv4('192.0.2.3')

/** A state of the host. */
export interface State {
  readonly name: string
  readonly records: Snapshot
  /** What only a daemon that is restarted can have otherwise. */
  readonly settings: StateSettings
  /** Only the long mode goes through it. */
  readonly isLong: boolean
}

export interface StateSettings {
  readonly fabric: FabricSettings
  readonly mtu: number
  readonly instanceToHostPorts: readonly number[]
}

interface Guest {
  readonly number: number
  readonly at?: typeof here
  readonly driver?: keyof typeof FIRST_DRIVERS
  readonly groups?: readonly GroupId[]
  /** Which address of the subnet it has; its own number unless given. */
  readonly address?: number
  readonly subnet?: Subnet
  /** More NICs, each at the given address of its subnet. */
  readonly moreNics?: number
  readonly wanted?: Instance['wanted']
  readonly nameTag?: string
  readonly metadata?: Partial<MetadataOptions>
  readonly type?: string
}

const ALONE: StateSettings = { fabric: NO_FABRIC, mtu: 1500, instanceToHostPorts: [] }
const DIRECT: StateSettings = { ...ALONE, fabric: { ...NO_FABRIC, address: FABRIC_ADDRESS } }
const VXLAN: StateSettings = {
  ...DIRECT,
  mtu: 1450,
  fabric: { ...DIRECT.fabric, mode: 'vxlan' },
}

function group(number: number): Group {
  return { ...network.group, id: numbered('sg', number), name: `group-${number}` }
}

const GROUPS = [network.group, group(2), group(3)] as const
const [, SECOND, THIRD] = GROUPS

const OTHER_VPC: Vpc = { ...network.vpc, id: numbered('vpc', 2), cidr: cidr('10.20.0.0/16') }

function subnet(number: number, vpc: Vpc, network_: Cidr): Subnet {
  return { ...network.subnet, id: numbered('subnet', number), vpc: vpc.id, cidr: network_ }
}

const SUBNETS = [
  network.subnet,
  subnet(2, network.vpc, cidr('172.31.16.0/20')),
  subnet(3, OTHER_VPC, cidr('10.20.1.0/24')),
] as const

function nicsOf(guest: Guest): readonly PlacedNic[] {
  const { number, address = number, at = here, subnet: its = network.subnet } = guest
  return Array.from({ length: 1 + (guest.moreNics ?? 0) }, (_, deviceIndex) => ({
    id: formatId('eni', Uint8Array.of(number, deviceIndex, 1, 2, 3, 4, 5, 6, 7)),
    instance: instanceId(number),
    account,
    vpc: its.vpc,
    subnet: its.id,
    deviceIndex,
    ip: cidrAddress(its.cidr, 10 + address + deviceIndex * 100),
    mac: macFromRandom(Uint8Array.of(0, 0, deviceIndex, number >> 8, number & 255)),
    groups: guest.groups ?? [network.group.id],
    createdAt: '2026-11-22T08:00:00.000Z',
    host: at,
    nameTag: guest.wanted === 'stop' ? null : (guest.nameTag ?? null),
  }))
}

function instanceOf({ number, at = here, ...guest }: Guest): Instance {
  const record = instanceRecord(instanceId(number), at)
  const { metadata } = guest
  return {
    ...record,
    driver: FIRST_DRIVERS[guest.driver ?? 'container'],
    type: guest.type ?? record.type,
    wanted: guest.wanted ?? 'run',
    state: guest.wanted === 'stop' ? 'stopped' : 'running',
    ...(record.metadata === null || metadata === undefined
      ? {}
      : { metadata: { ...record.metadata, ...metadata } }),
  }
}

function tagsOf({ number, nameTag: value }: Guest): readonly Tag[] {
  if (value === undefined) return []
  const resource = instanceId(number)
  return [{ account, resource, resourceType: 'instance', key: 'Name', value }]
}

function state(
  name: string,
  guests: readonly Guest[],
  more: {
    readonly settings?: StateSettings
    readonly vpcs?: readonly Vpc[]
    readonly subnets?: readonly Subnet[]
    readonly groups?: readonly Group[]
    readonly isLong?: boolean
  } = {},
): State {
  const settings = more.settings ?? ALONE
  const { address } = settings.fabric
  const hosts =
    address === null
      ? [hostRecord(here)]
      : [
          hostRecord(here, { fabricAddress: address }),
          hostRecord(there, { fabricAddress: THERE_ADDRESS }),
          hostRecord(remote, { fabricAddress: REMOTE_ADDRESS }),
        ]
  const groups = more.groups ?? GROUPS
  const records: Snapshot = {
    hosts,
    instances: guests.filter(({ at = here }) => at === here).map(instanceOf),
    nics: guests.flatMap(nicsOf),
    vpcs: more.vpcs ?? [network.vpc],
    subnets: more.subnets ?? [network.subnet],
    groups,
    groupRules: groups.flatMap(defaultRules),
    vpcDns: [],
    routing: [],
    flowLogs: [],
    peerings: [],
    images: [image],
    types: [
      { name: 't3.micro', vcpus: 2, memoryMiB: 1024, diskGiB: 8 },
      { name: 't3.nano', vcpus: 1, memoryMiB: 32, diskGiB: 8 },
    ],
    keyPairs: [],
    tags: guests.flatMap(tagsOf),
    volumes: [],
    profiles: [],
    unreadable: [],
  }
  return { name, records, settings, isLong: more.isLong ?? false }
}

function many(count: number, guest: Omit<Guest, 'number'>, from = 1): readonly Guest[] {
  return Array.from({ length: count }, (_, index) => ({ ...guest, number: from + index }))
}

const REMOTE: readonly Guest[] = [
  { number: 1 },
  { number: 2, groups: [SECOND.id], at: there, nameTag: 'web' },
  { number: 3, at: remote },
]

/** Every state, in the order in which the walk meets them first. */
export const STATES: readonly State[] = [
  state('no network', [], { vpcs: [], subnets: [], groups: [] }),
  state('a container', [{ number: 1, nameTag: 'web' }]),
  state('two in different groups, a machine of two NICs in none', [
    { number: 1, groups: [SECOND.id] },
    { number: 2, groups: [THIRD.id, network.group.id], nameTag: 'web' },
    { number: 40, groups: [], driver: 'machine', moreNics: 1 },
  ]),
  state('addresses swapped', [
    { number: 1, address: 2, nameTag: 'web' },
    { number: 2, address: 1, nameTag: 'web' },
  ]),
  state('remote members, direct', REMOTE, { settings: DIRECT }),
  state(
    'remote members, vxlan, moved',
    [
      { number: 1, at: there, nameTag: 'web' },
      { number: 2, groups: [SECOND.id] },
      { number: 3, at: there },
    ],
    { settings: VXLAN },
  ),
  state(
    'more NICs than full service rates bear',
    many(17, { metadata: { hopLimit: 3, tokens: 'required' } }),
    { settings: { ...ALONE, instanceToHostPorts: [8773] }, isLong: true },
  ),
  state('a machine', [{ number: 40, driver: 'machine' }], { isLong: true }),
  state('empty', [], { isLong: true }),
  state('a stopped one', [{ number: 1, wanted: 'stop', nameTag: 'web' }], { isLong: true }),
  state('an address that another has now', [{ number: 5, address: 1 }], { isLong: true }),
  state(
    'a small one without metadata',
    [{ number: 1, type: 't3.nano', metadata: { endpoint: 'disabled', tags: 'disabled' } }],
    { isLong: true },
  ),
  state(
    'several subnets and VPCs',
    SUBNETS.map((its, index) => ({ number: 1 + index, subnet: its })),
    {
      vpcs: [network.vpc, OTHER_VPC],
      subnets: SUBNETS,
      isLong: true,
    },
  ),
  state('a full group elsewhere', [{ number: 2 }, ...many(80, { at: there }, 20)], {
    settings: DIRECT,
    isLong: true,
  }),
  state('remote members, vxlan, another network', REMOTE, {
    settings: { ...VXLAN, fabric: { ...VXLAN.fabric, vni: 77, port: 8472 } },
    isLong: true,
  }),
  state('remote members, vxlan, encrypted', REMOTE, {
    settings: { ...VXLAN, fabric: { ...VXLAN.fabric, encryption: 'ipsec' } },
    isLong: true,
  }),
]

/** The same records, read in the opposite order. */
export function reversed(records: Snapshot): Snapshot {
  const turned = Object.entries(records).map(([table, rows]) => [table, [...rows].reverse()])
  return { ...records, ...Object.fromEntries(turned) }
}

/** What plans the host's wants, with nothing planned before. */
export function newPlanner(): (records: Snapshot) => HostWant {
  const plan = createPlanner(here)
  let known: HostWant | null = null
  return (records) => {
    known = plan(records, known)
    if (known === null) throw new Error('the records do not know the host')
    return known
  }
}

/** As the host reads `after` when it had read `before`: what is the same is the very same. */
export function readAfter(before: Snapshot, after: Snapshot): Snapshot {
  const old = new Map<string, unknown>(Object.entries(before))
  const read = Object.entries(after).map(([table, rows]) => {
    const known = old.get(table)
    return [table, isDeepStrictEqual(known, rows) ? known : rows]
  })
  return { ...after, ...Object.fromEntries(read) }
}

/** Every address that an instance has in one of the states. */
export function everyAddress(states: readonly State[]): readonly Ipv4[] {
  return [...new Set(states.flatMap(({ records }) => records.nics.map(({ ip }) => ip)))]
}

/**
 * A walk over `count` states that goes each step from one to another, and from each to itself,
 * once: `count` squared steps, and the state that it begins with.
 */
export function walkOfPairs(count: number): readonly number[] {
  const walk = [0]
  for (let at = 0; at < count; at++) {
    walk.push(at)
    for (let other = at + 2; other < count; other++) walk.push(other, at)
    if (at + 1 < count) walk.push(at + 1)
  }
  for (let at = count - 2; at >= 0; at--) walk.push(at)
  return walk
}
