/**
 * Hosts with a fabric between them (`fabric.ts`) and VPCs with the same addresses on them: the
 * default VPC in each host's own network namespace, and `red` and `blue`, which have the same
 * range, subnet and instance addresses; `green` is peered with `red`, `white` and the default VPC.
 * Routers are in subnets of their own. All services of a host run, the real ones on the real
 * kernel.
 */
import { randomBytes } from 'node:crypto'
import { configSchema } from '../../src/config.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import { createHostServices, createHostVpcs } from '../../src/host-services.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createRoom } from '../../src/lib/room.ts'
import {
  type Cidr,
  cidr,
  cidrAddress,
  formatCidr,
  gatewayOf,
  type Ipv4,
  ipv4,
  macFromRandom,
} from '../../src/model/addr.ts'
import type { FabricSettings } from '../../src/model/fabric.ts'
import type { FlowLogWant } from '../../src/model/flow-log.ts'
import { ANY_PROTOCOL, PROTOCOLS } from '../../src/model/group-rule.ts'
import { publicHostLabel } from '../../src/model/hostname.ts'
import { formatId } from '../../src/model/ids.ts'
import { namespaceName } from '../../src/model/names.ts'
import {
  type AclWant,
  addressesOf,
  type HostWant,
  type InstanceWant,
  type RuleWant,
} from '../../src/model/want.ts'
import type { RouteWant } from '../../src/model/ways-out.ts'
import { createHostMonitors } from '../../src/preconditions.ts'
import { counterRooms } from '../../src/services/firewall/counters.ts'
import type { Batch } from '../../src/services/flow-logs/sinks.ts'
import { serveHere } from '../../src/serving.ts'
import { instance } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import {
  type BuildServices,
  createFabricTestbed,
  type FabricHost,
  type FabricTestbed,
  FLOATING_IPS,
  OPEN_PORT,
} from './fabric-testbed.ts'
import { withFlowLogs } from './flow-logs.ts'
import { defaultRuleWants, hostName, numbered } from './records.ts'

/** So that few ports are a whole share. */
const INSTANCE_MEMORY_MIB = 65_536
export const DNS_ZONE = 'atoll.internal'

/** A VPC of the testbed. */
interface TestVpc {
  /** Absent: it is the default VPC, in the hosts' own namespace. */
  readonly network?: number
  readonly number: number
  readonly cidr: Cidr
  readonly subnet: Cidr
  /** Of routers. */
  readonly edge?: Cidr
  /** Its further range, which is a subnet of its own. */
  readonly more?: Cidr
}

const SAME = {
  ...{ cidr: cidr('10.0.0.0/16'), subnet: cidr('10.0.0.0/24'), edge: cidr('10.0.1.0/24') },
}
const VPCS = {
  plain: {
    ...{ number: 9, cidr: cidr('172.31.0.0/16'), subnet: cidr('172.31.0.0/20') },
    edge: cidr('172.31.16.0/20'),
  },
  red: { network: 1, number: 1, ...SAME },
  blue: { network: 2, number: 2, ...SAME },
  green: { network: 3, number: 3, cidr: cidr('10.8.0.0/16'), subnet: cidr('10.8.0.0/24') },
  white: {
    network: 4,
    number: 4,
    cidr: cidr('10.9.0.0/16'),
    subnet: cidr('10.9.0.0/24'),
    more: cidr('10.19.0.0/24'),
  },
} as const satisfies Record<string, TestVpc>
type VpcName = keyof typeof VPCS
/** The ways out of VPCs; one that is left out has one. */
type RoutesOfVpcs = Partial<Readonly<Record<VpcName, readonly RouteWant[]>>>
type Pair = readonly [VpcName, VpcName]
/** Those that are peered while both have instances. */
const PEERED: readonly Pair[] = [
  ['red', 'green'],
  ['green', 'white'],
  ['plain', 'green'],
]

/** A guest: its VPC, its host, and its number, which is also that of its address in the subnet. */
export interface GuestSpec {
  readonly vpc: VpcName
  readonly at: number
  readonly number: number
  /** Everybody may then connect to TCP port 7003 of everybody in the VPC. */
  readonly publicIp?: Ipv4
  /** Further addresses, by their numbers in the subnet. */
  readonly secondary?: readonly number[]
  /** The host that its NIC was made on; absent: its own. */
  readonly nicOf?: number
  /** It is in the subnet of routers, and its source and destination are not checked. */
  readonly isRouter?: true
  /** It is in the further range of its VPC. */
  readonly inMore?: true
}

/** `count` bytes that differ for each of two small numbers. */
function bytes(...numbers: readonly number[]): Uint8Array {
  return Uint8Array.from({ length: 9 }, (_, at) => numbers[at] ?? 7)
}

/** In the ids of subnets of routers, and of those in further ranges. */
const [EDGE, MORE] = [9, 8]

function edgeOf({ edge, subnet }: TestVpc): Cidr {
  return edge ?? subnet
}

/** The instance of a spec. Its name tag is `name`, alike in all VPCs. */
export function vpcInstance(spec: GuestSpec): InstanceWant {
  const { vpc: name, at, number, publicIp, secondary, nicOf = at, isRouter = false, inMore } = spec
  const vpc: TestVpc = VPCS[name]
  const base = instance(1)
  const more = inMore === true ? vpc.more : undefined
  const subnet = isRouter ? edgeOf(vpc) : (more ?? vpc.subnet)
  const place = more === undefined ? [] : [MORE]
  return {
    ...base,
    id: formatId('i', bytes(vpc.number, at, number)),
    tags: [{ key: 'Name', value: `web-${number}` }],
    type: { ...base.type, memoryMiB: 64 },
    nics: [
      {
        id: formatId('eni', bytes(vpc.number, nicOf, number)),
        deviceIndex: 0,
        ip: cidrAddress(subnet, number),
        ...(isRouter ? { sourceDestCheck: false as const } : {}),
        // The same address has the same Ethernet address, too.
        mac: macFromRandom(Uint8Array.of(1, 2, 3, 4, number)),
        vpc: formatId('vpc', bytes(vpc.number)),
        vpcCidr: vpc.cidr,
        ...(more === undefined ? {} : { moreVpcCidrs: [more] }),
        ...(vpc.network === undefined ? {} : { network: vpc.network }),
        subnet: formatId(
          'subnet',
          isRouter ? bytes(vpc.number, EDGE) : bytes(vpc.number, ...place),
        ),
        subnetCidr: subnet,
        gateway: gatewayOf(subnet),
        ...(publicIp === undefined ? {} : { publicIp }),
        ...(secondary === undefined
          ? {}
          : { secondary: secondary.map((one) => ({ ip: cidrAddress(vpc.subnet, one) })) }),
        groups: [{ id: formatId('sg', bytes(vpc.number)), name: 'default' }],
      },
    ],
  }
}

/** Lets everybody connect. */
const TO_ALL: RuleWant = {
  id: numbered('sgr', 77),
  egress: false,
  protocol: PROTOCOLS.tcp,
  fromPort: 7003,
  toPort: 7003,
  peer: { kind: 'ipv4', cidr: cidr('0.0.0.0/0') },
}

/** Lets in everything from where VPCs are: more than those that are peered. */
const FROM_VPCS: RuleWant = {
  ...{ id: numbered('sgr', 78), egress: false, protocol: ANY_PROTOCOL, fromPort: -1, toPort: -1 },
  peer: { kind: 'ipv4', cidr: cidr('10.0.0.0/8') },
}

/** Lets in everything from members of red's group, which is peered with green only. */
const FROM_RED: RuleWant = {
  ...{ id: numbered('sgr', 79), egress: false, protocol: ANY_PROTOCOL, fromPort: -1, toPort: -1 },
  peer: { kind: 'group', group: formatId('sg', bytes(1)) },
}

/** The want of each host, when the records say that these instances are. */
function wantsOf(
  hosts: readonly FabricHost[],
  guestSpecs: readonly GuestSpec[],
  {
    routes,
    edgeRoutes,
    isPeered,
    peered = PEERED,
    isChecked,
    letsIn,
    showPrivate = [],
    carrier = 0,
    rules,
    acls,
  }: Required<Pick<RecordsOfVpcs, 'routes' | 'edgeRoutes' | 'isPeered' | 'isChecked' | 'letsIn'>> &
    RecordsOfVpcs,
): readonly HostWant[] {
  const names = [...new Set(guestSpecs.map(({ vpc }) => vpc))]
  const placed = guestSpecs.map((spec) => {
    const want = vpcInstance(spec)
    if (!isChecked) return { ...spec, want }
    const nics = want.nics.map(({ sourceDestCheck: _, ...nic }) => nic)
    return { ...spec, want: { ...want, nics } }
  })
  const routers = placed.filter(({ isRouter }) => isRouter === true)
  const hostOfNic = new Map(placed.flatMap(({ at, want }) => want.nics.map(({ id }) => [id, at])))
  /** Routes as a host has them. */
  const seenBy = (index: number, some: readonly RouteWant[] | undefined) =>
    some === undefined
      ? {}
      : {
          routes: some.map(({ destination, to }) => {
            const at =
              to.kind === 'nic'
                ? hostOfNic.get(to.nic)
                : to.kind === 'nat-address'
                  ? carrier
                  : index
            const via = at === index ? undefined : hosts[at ?? -1]?.address
            return { destination, to: via === undefined ? to : { ...to, via } }
          }),
        }
  const nicsOf = (some: typeof placed) => some.flatMap(({ want }) => want.nics)
  const vpcs = names.map((name) => {
    const vpc: TestVpc = VPCS[name]
    return { name, ...vpc, id: formatId('vpc', bytes(vpc.number)) }
  })
  const idOf = (name: VpcName) => formatId('vpc', bytes(VPCS[name].number))
  const peerings = peered.filter((pair) => isPeered && pair.every((name) => names.includes(name)))
  return hosts.map(({ address: own }, index) => ({
    local: {
      host: hostNameOf(index),
      generation: 1,
      instances: placed.flatMap(({ at, want }) => (at === index ? [want] : [])),
      ...{ images: [], volumes: [], captures: [], keptImages: null },
      unreadable: { ids: [], any: false },
    },
    shared: {
      vpcs: vpcs.flatMap(({ id, name, cidr, more, network }) =>
        [cidr, ...(more === undefined ? [] : [more])].map((range) => ({
          ...{ id, cidr: range },
          ...(network === undefined ? {} : { network }),
          ...(!isChecked && routers.some(({ vpc, at }) => vpc === name && at !== index)
            ? { hasRouters: true as const }
            : {}),
        })),
      ),
      peerings: peerings.map(([a, b], at) => ({
        id: numbered('pcx', at),
        vpcs: [idOf(a), idOf(b)] as const,
        showPrivate: [a, b].filter((one) => showPrivate.includes(one)).map(idOf),
      })),
      subnets: vpcs.flatMap((vpc) => [
        {
          id: formatId('subnet', bytes(vpc.number)),
          ...{ cidr: vpc.subnet, gateway: gatewayOf(vpc.subnet), vpc: vpc.id },
          ...seenBy(index, routes[vpc.name]),
          ...(acls?.own === undefined ? {} : { acl: acls.own }),
        },
        ...(vpc.more === undefined
          ? []
          : [
              {
                id: formatId('subnet', bytes(vpc.number, MORE)),
                ...{ cidr: vpc.more, gateway: gatewayOf(vpc.more), vpc: vpc.id },
                ...seenBy(index, routes[vpc.name]),
              },
            ]),
        ...(routers.some((one) => one.vpc === vpc.name)
          ? [
              {
                id: formatId('subnet', bytes(vpc.number, EDGE)),
                ...{ cidr: edgeOf(vpc), gateway: gatewayOf(edgeOf(vpc)), vpc: vpc.id },
                ...seenBy(index, edgeRoutes[vpc.name]),
                ...(acls?.edge === undefined ? {} : { acl: acls.edge }),
              },
            ]
          : []),
      ]),
      groups: vpcs.map(({ id, name, number }) => ({
        id: formatId('sg', bytes(number)),
        members: nicsOf(placed.filter(({ vpc }) => vpc === name)).flatMap(addressesOf),
        rules: rules ?? [
          ...defaultRuleWants(formatId('sg', bytes(number))),
          ...(placed.some((one) => one.vpc === name && one.publicIp !== undefined) ? [TO_ALL] : []),
          ...(names.includes('green') ? [letsIn === 'red' ? FROM_RED : FROM_VPCS] : []),
        ],
        vpc: id,
      })),
      names: placed.flatMap(({ want, number }) =>
        want.nics.flatMap(({ ip, vpc, publicIp }) => [
          { name: want.id, ip, primary: true, vpc },
          { name: `web-${number}`, ip, primary: false, vpc },
          ...(publicIp ? [{ name: publicHostLabel(publicIp), ip, primary: false, vpc }] : []),
        ]),
      ),
      peers: hosts.flatMap(({ address }, at) =>
        address === own ? [] : [{ host: hostNameOf(at), address }],
      ),
      routes: placed.flatMap(({ at, want }) => {
        const via = hosts[at]?.address
        if (at === index || via === undefined) return []
        return want.nics.flatMap((nic) => addressesOf(nic).map((ip) => ({ ip, via, vpc: nic.vpc })))
      }),
    },
  }))
}

function hostNameOf(index: number) {
  return hostName(`host-${index + 1}`)
}

/** The lines of the flow logs of all hosts of this process. */
export const flowRecords: string[] = []
const FLOWS = 1000

/** All services of a daemon that runs no instances. */
export const buildServices: BuildServices = (host, fabric, mtu) => {
  const config = configSchema.parse({
    stateDir: '/nowhere',
    fabric,
    network: {
      ...{ mtu, rates: [], instanceToHostPorts: [OPEN_PORT] },
      nat: { exceptions: [SEES_PRIVATE] },
      pools: [
        { name: 'public', ranges: [formatCidr(FLOATING_IPS)] },
        { name: 'routed', ranges: ['203.0.113.201-203.0.113.210'], gateway: GATEWAY },
      ],
    },
    dns: {
      ...{ zone: DNS_ZONE, forwarders: [] },
      ...{ timeoutMs: 300, cacheEntries: 10, maxOutstanding: 10 },
    },
  })
  const parts = {
    ...{ config, host, clock: systemClock, log: silentLog, metrics: createMetrics() },
    serving: serveHere({ config, clock: systemClock, log: silentLog, metadataKey: KEY }),
    instanceMemoryMiB: INSTANCE_MEMORY_MIB,
    monitors: { ...createHostMonitors(config, host, systemClock), services: [] },
    // The thread leaves the host's namespace after a pass.
    vpcWaitMs: WHOLE_PASS_MS,
    rooms: counterRooms(config.metrics),
    networks: new Map(),
    flowLogs: {
      take: ({ nics }: Batch) => void flowRecords.push(...nics.flatMap(({ lines }) => lines)),
      room: createRoom(FLOWS),
    },
    drivers: { declarations: [DOCKER], services: () => [], foundLoose: () => undefined },
    shared: null,
  }
  const hasLease = () => true
  return createHostServices(parts, createHostVpcs(parts), () => undefined, hasLease)
}

/** It sees the private addresses of instances. */
const SEES_PRIVATE = '192.0.2.32/28'
/** A router on the network of the hosts, by which addresses of the pool `routed` leave. */
export const GATEWAY = ipv4('198.51.100.99')
const KEY = randomBytes(32)
const WHOLE_PASS_MS = 60_000

/** What the records say beside who is where. */
export interface RecordsOfVpcs {
  readonly routes?: RoutesOfVpcs
  /** Of the subnets of routers. */
  readonly edgeRoutes?: RoutesOfVpcs
  /** Whether VPCs are peered; they are by default. */
  readonly isPeered?: boolean
  /** Those that are while both have instances, numbered in this order. Absent: the usual ones. */
  readonly peered?: readonly Pair[]
  /** Whom groups let in where VPCs are peered: all VPCs by address, or the group of red. */
  readonly letsIn?: 'all' | 'red'
  /** Whose public names lead their peers to private addresses. */
  readonly showPrivate?: readonly VpcName[]
  /** Whether source and destination of routers are checked; they are not by default. */
  readonly isChecked?: boolean
  /** The host that carries NAT gateways; the first one by default. */
  readonly carrier?: number
  /** Of every security group, in place of the usual ones. */
  readonly rules?: readonly RuleWant[]
  /** Of the usual subnets, and those of routers. */
  readonly acls?: { readonly own?: AclWant; readonly edge?: AclWant }
  /** Of every NIC. */
  readonly flowLogs?: readonly FlowLogWant[]
}

export interface VpcTestbed {
  readonly fabric: FabricTestbed
  host(index: number): FabricHost
  /** The guest of a spec, plugged in. */
  guest(spec: GuestSpec): Netns
  /** A pass of every host; `restart` with services that remember nothing. */
  pass(
    options?: RecordsOfVpcs & {
      readonly restart?: boolean
      readonly guestSpecs?: readonly GuestSpec[]
    },
  ): Promise<void>
  /** Runs a program inside the namespace of a VPC on a host. */
  inVpc(index: number, network: number, command: string): Promise<string>
  destroy(): Promise<void>
}

/** `count` hosts, with every guest plugged in. */
export async function createVpcTestbed(
  mode: FabricSettings['mode'],
  count: number,
  guestSpecs: readonly GuestSpec[],
): Promise<VpcTestbed> {
  const fabric = await createFabricTestbed(mode, count, buildServices)
  const guests = new Map<string, Netns>()
  const keyOf = ({ vpc, at, number }: GuestSpec) => `${vpc} ${at} ${number}`
  const host = (index: number) => {
    const found = fabric.hosts[index]
    if (found === undefined) throw new Error(`there is no host ${index}`)
    return found
  }
  const pass: VpcTestbed['pass'] = async (options = {}) => {
    const { restart = false, guestSpecs: now = guestSpecs, ...asked } = options
    const usual = { routes: {}, edgeRoutes: {}, isPeered: true, isChecked: false }
    const said = { ...usual, letsIn: 'all' as const, ...asked }
    for (const [index, want] of wantsOf(fabric.hosts, now, said).entries())
      await host(index).pass(withFlowLogs(want, asked.flowLogs ?? []), { restart })
  }
  await pass()
  for (const spec of guestSpecs)
    guests.set(keyOf(spec), await host(spec.at).plug(vpcInstance(spec)))
  return {
    fabric,
    host,
    pass,
    guest(spec) {
      const found = guests.get(keyOf(spec))
      if (found === undefined) throw new Error(`${keyOf(spec)} is not plugged in`)
      return found
    },
    inVpc: (index, network, command) =>
      host(index).netns.must([
        'nsenter',
        `--net=${host(index).namespaceDirectory}/${namespaceName(network)}`,
        ...['sh', '-ec', command],
      ]),
    destroy: fabric.destroy,
  }
}
