/**
 * How unreadable records change a host's want: as little as possible. Pure.
 *
 * An unreadable row must not stop or remove anything. An instance with an unreadable row keeps its
 * last want, with its addresses and rules. Networks, hosts and instances of other hosts stay as
 * they were last read. What was never read is neither started nor removed.
 */
import { formatCidr, type Ipv4, ipv4ToNumber } from '../model/addr.ts'
import { byId, type HostName, type VpcId } from '../model/ids.ts'
import type { ActivePeering } from '../model/peering.ts'
import type { Instance } from '../model/records.ts'
import type { UnreadableRow } from '../model/unreadable-row.ts'
import {
  addressesOf,
  type GroupWant,
  type HostWant,
  type InstanceWant,
  type SharedWant,
  type UnreadableInstances,
} from '../model/want.ts'
import type { WayOut } from '../model/ways-out.ts'

/** Tables that an instance's want depends on, and the instance's field that names the row. */
const NEEDED: Readonly<Record<string, 'image' | 'type'>> = {
  images: 'image',
  instanceTypes: 'type',
}
/** Tables whose rows belong to an instance. Tags and keys are left out: missing ones do no harm. */
const PARTS: ReadonlySet<string> = new Set(['instances', 'nics', 'placedNics', 'volumes'])

/** Tables that say how packets enter and leave subnets. */
const ROUTING: ReadonlySet<string> = new Set([
  'internetGateways',
  'natGateways',
  'routeTables',
  'routes',
  'routeTableAssociations',
  'networkAcls',
  'networkAclEntries',
  'networkAclAssociations',
])

/** A function that tells whether an instance depends on one of these unreadable rows. */
export function unreadablePart(
  rows: readonly UnreadableRow[],
): (instance: Pick<Instance, 'id' | 'image' | 'type'>) => boolean {
  if (rows.length === 0) return () => false
  const instances = new Set(
    rows.flatMap(({ table, instance }) => (PARTS.has(table) && instance !== null ? instance : [])),
  )
  const needed = new Set(
    rows.flatMap(({ table, key }) => (table in NEEDED ? `${NEEDED[table]} ${key}` : [])),
  )
  return ({ id, image, type }) =>
    instances.has(id) || needed.has(`image ${image}`) || needed.has(`type ${type}`)
}

/** The unreadable instances of the host. */
export function unreadableInstances(
  host: HostName,
  records: {
    readonly instances: readonly Instance[]
    readonly unreadable: readonly UnreadableRow[]
  },
  lacks: (instance: Instance) => boolean,
): UnreadableInstances {
  const rows = records.unreadable.filter(({ table }) => table === 'instances')
  const own = records.instances.filter((one) => one.host === host && lacks(one))
  const ids = [...rows.flatMap(({ instance }) => instance ?? []), ...own.map(({ id }) => id)]
  return {
    ids: [...new Set(ids)].sort(),
    any: rows.some(({ instance }) => instance === null),
  }
}

/** The want that was read, completed from `known` where rows were unreadable. */
export function withUnreadable(
  read: HostWant,
  rows: readonly UnreadableRow[],
  known: HostWant | null,
): HostWant {
  if (known === null || known.local.host !== read.local.host) return read
  const { ids, any } = read.local.unreadable
  const isThere = new Set(read.local.instances.map(({ id }) => id))
  const isMissing = new Set(ids)
  const kept = known.local.instances.filter(
    ({ id }) => !isThere.has(id) && (any || isMissing.has(id)),
  )
  const keptIds = new Set(kept.map(({ id }) => id))
  return {
    local: {
      ...read.local,
      instances: [...read.local.instances, ...kept].sort((a, b) => (a.id < b.id ? -1 : 1)),
      unreadable: { ids: ids.filter((id) => !keptIds.has(id)), any },
    },
    shared: withKnownShared(read.shared, rows, known.shared, kept),
  }
}

function withKnownShared(
  read: SharedWant,
  rows: readonly UnreadableRow[],
  known: SharedWant,
  kept: readonly InstanceWant[],
): SharedWant {
  const keysOf = (table: string) =>
    new Set(rows.flatMap((row) => (row.table === table ? row.key : [])))
  const lostHosts = keysOf('peers')
  const hosts = new Set(read.peers.map(({ host }) => host))
  const peers = known.peers.filter(({ host }) => lostHosts.has(host) && !hosts.has(host))
  const isLost = lostAddresses(rows, { read, known, peers, kept })
  const lostVpcs = keysOf('vpcs')
  const peerings = lostPeerings(read.peerings, known.peerings, {
    peerings: keysOf('vpcPeerings'),
    vpcs: lostVpcs,
  })
  const isUnread = unreadVpcs(read.groups, peerings)
  const isRoutingLost = lostRouting(rows)
  const lostGroups = [
    ...lostOf(read.groups, known.groups, keysOf('securityGroups')),
    ...known.groups.filter(isUnread),
  ]
  const lostRules = keysOf('securityGroupRules')
  const knownGroups = new Map(known.groups.map((group) => [group.id, group]))
  const named = new Set(read.names.map(({ name, ip }) => `${name} ${ip}`))
  return {
    subnets: [
      ...withKnownRouting(
        withKnownEnds(read.subnets, known.subnets, rows),
        known.subnets,
        (one) => isUnread(one) || isRoutingLost(one),
      ),
      ...lostOf(read.subnets, known.subnets, keysOf('subnets')),
    ],
    vpcs: [...read.vpcs, ...lostOf(read.vpcs, known.vpcs, lostVpcs)],
    ...withPeerings(read, peerings),
    groups: [...read.groups, ...lostGroups].map((group) => {
      const before = knownGroups.get(group.id)
      return before === undefined ? group : withKnownGroup(group, before, isLost, lostRules)
    }),
    names: [
      ...read.names,
      ...known.names.filter(
        (one) => isUnread(one) || (isLost(one) && !named.has(`${one.name} ${one.ip}`)),
      ),
    ],
    peers: [...read.peers, ...peers].sort((a, b) => (a.host < b.host ? -1 : 1)),
    routes: [...read.routes, ...known.routes.filter((one) => isUnread(one) || isLost(one))].sort(
      (a, b) => ipv4ToNumber(a.ip) - ipv4ToNumber(b.ip),
    ),
  }
}

/** The known peerings whose own row, or that of one of their VPCs, cannot be read. */
function lostPeerings(
  read: readonly ActivePeering[] = [],
  known: readonly ActivePeering[] = [],
  lost: { readonly peerings: ReadonlySet<string>; readonly vpcs: ReadonlySet<string> },
): readonly ActivePeering[] {
  const there = new Set(read.map(({ id }) => id))
  return known.filter(
    ({ id, vpcs }) =>
      !there.has(id) && (lost.peerings.has(id) || vpcs.some((vpc) => lost.vpcs.has(vpc))),
  )
}

/**
 * A function that tells whether something is of a VPC that is known by a lost peering only. A host
 * reads what is in the VPCs of its instances and in their peers, so nothing of it was read.
 */
function unreadVpcs(
  read: SharedWant['groups'],
  lost: readonly ActivePeering[],
): (one: { readonly vpc?: VpcId | undefined }) => boolean {
  // Each VPC has a group at least.
  const there = new Set(read.map(({ vpc }) => vpc))
  const unread = new Set(lost.flatMap(({ vpcs }) => vpcs.filter((vpc) => !there.has(vpc))))
  return ({ vpc }) => vpc !== undefined && unread.has(vpc)
}

/** Nothing where there are none. */
function withPeerings(
  { peerings = [] }: Pick<SharedWant, 'peerings'>,
  lost: readonly ActivePeering[],
): Pick<SharedWant, 'peerings'> {
  return peerings.length + lost.length === 0 ? {} : { peerings: byId([...peerings, ...lost]) }
}

/** A function that tells whether a VPC has unreadable rows of routing. */
function lostRouting(
  rows: readonly UnreadableRow[],
): (of: { readonly vpc?: VpcId | undefined }) => boolean {
  // Null: the row may be of any VPC.
  const vpcs = new Set(rows.flatMap(({ table, vpc }) => (ROUTING.has(table) ? [vpc] : [])))
  return ({ vpc = null }) => vpcs.has(null) || vpcs.has(vpc)
}

/**
 * The subnets, of which the lost ones have the routes and ACLs that they had: a rule that is
 * missing now may restrict.
 */
function withKnownRouting(
  read: SharedWant['subnets'],
  known: SharedWant['subnets'],
  isLost: (subnet: SharedWant['subnets'][number]) => boolean,
): SharedWant['subnets'] {
  const before = new Map(known.map((subnet) => [subnet.id, subnet]))
  return read.map((subnet) => {
    const { routes: _routes, acl: _acl, ...rest } = subnet
    const was = isLost(subnet) ? before.get(subnet.id) : undefined
    if (was?.routes === undefined) return subnet
    return { ...rest, routes: was.routes, ...(was.acl === undefined ? {} : { acl: was.acl }) }
  })
}

/** Tables whose rows are the ends of routes, and the kinds of these routes. */
const ENDS: Readonly<Record<string, readonly WayOut['kind'][]>> = {
  placedNics: ['nic'],
  instances: ['nic'],
  peers: ['nic', 'nat-address'],
  vpcPeerings: ['peering'],
  vpcs: ['peering'],
}

/** The subnets, with routes whose ends may be there and cannot be read. */
function withKnownEnds(
  read: SharedWant['subnets'],
  known: SharedWant['subnets'],
  rows: readonly UnreadableRow[],
): SharedWant['subnets'] {
  const kinds = new Set(rows.flatMap(({ table }) => ENDS[table] ?? []))
  if (kinds.size === 0) return read
  const led = new Map(
    known.flatMap(({ id, routes = [] }) =>
      routes.flatMap(({ destination, to }) =>
        kinds.has(to.kind) ? [[`${id} ${formatCidr(destination)}`, to] as const] : [],
      ),
    ),
  )
  return read.map((subnet) => {
    if (subnet.routes === undefined) return subnet
    const routes = subnet.routes.map(({ destination, to }) => ({
      destination,
      to: to.kind === 'blackhole' ? (led.get(`${subnet.id} ${formatCidr(destination)}`) ?? to) : to,
    }))
    return { ...subnet, routes }
  })
}

/** The group with the members and rules that cannot be read and are known. */
function withKnownGroup(
  read: GroupWant,
  known: GroupWant,
  isLost: IsLost,
  lostRules: ReadonlySet<string>,
): GroupWant {
  const now = new Set(read.members)
  // Keep the known order, so that an unchanged group compares as equal.
  const isLostMember = (ip: Ipv4) => isLost({ vpc: read.vpc, ip })
  const still = known.members.filter((ip) => now.has(ip) || isLostMember(ip))
  return {
    ...read,
    members: known.members.some(isLostMember) ? [...new Set([...still, ...now])] : read.members,
    rules: byId([...read.rules, ...lostOf(read.rules, known.rules, lostRules)]),
  }
}

/** An address of a VPC. What older daemons wrote does not say of which. */
interface VpcAddress {
  readonly vpc?: VpcId | undefined
  readonly ip: Ipv4
}

type IsLost = (address: VpcAddress) => boolean

/**
 * Whether an address is of an unreadable instance: one of this host, one of an unreadable host, or
 * that of a single unreadable row. An address in a readable record belongs to that record now.
 */
function lostAddresses(
  rows: readonly UnreadableRow[],
  {
    read,
    known,
    peers,
    kept,
  }: {
    readonly read: SharedWant
    readonly known: SharedWant
    readonly peers: SharedWant['peers']
    readonly kept: readonly InstanceWant[]
  },
): IsLost {
  const via = new Set(peers.map(({ address }) => address))
  const keyOf = ({ vpc, ip }: VpcAddress) => (vpc === undefined ? ip : `${vpc} ${ip}`)
  const keysOf = (addresses: readonly VpcAddress[]) =>
    new Set(addresses.flatMap((one) => [keyOf(one), one.ip]))
  const lost = keysOf([
    ...kept.flatMap(({ nics }) =>
      nics.flatMap((nic) => addressesOf(nic).map((ip) => ({ vpc: nic.vpc, ip }))),
    ),
    ...known.routes.filter((route) => via.has(route.via)),
  ])
  const inRows = new Set(rows.flatMap(({ table, ip }) => (table === 'placedNics' ? ip : [])))
  const readable = keysOf(read.routes)
  return (one) => !readable.has(keyOf(one)) && (lost.has(keyOf(one)) || inRows.has(one.ip))
}

function lostOf<Item extends { readonly id: string }>(
  read: readonly Item[],
  known: readonly Item[],
  lost: ReadonlySet<string>,
): readonly Item[] {
  const there = new Set(read.map(({ id }) => id))
  return known.filter(({ id }) => lost.has(id) && !there.has(id))
}
