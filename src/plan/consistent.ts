/**
 * Leaves out records that are valid by themselves but contradict each other. Pure.
 *
 * Examples are two networks that overlap, an address outside its subnet, and two hosts with one
 * address. The database's keys and our own checks prevent most of them, but somebody can write to
 * the tables by hand. One such record in a ruleset or a routing table would make the kernel refuse
 * the whole of it.
 */
import {
  type Cidr,
  cidrContains,
  cidrHolds,
  gatewayOf,
  type Ipv4,
  ipv4ToNumber,
  RESERVED_AT_START,
} from '../model/addr.ts'
import type { HostName } from '../model/ids.ts'
import { nicLinkName } from '../model/names.ts'
import { createNetworkSet } from '../model/network-set.ts'
import { addressesOfNic } from '../model/nics.ts'
import type { Group, GroupRule, PeerHost, PlacedNic, Subnet, Vpc } from '../model/records.ts'
import type { UnreadableRow } from '../model/unreadable-row.ts'
import type { VpcRouting } from '../model/vpc-routing.ts'
import type { Snapshot } from './want.ts'

/**
 * The records without the contradicting ones, which are listed in `unreadable` instead. Returns the
 * same object when there are none. Of two records that contradict each other, the one with the
 * lower id stays; a default network stays rather than another; the row of host `self` always stays.
 */
export function consistentRecords(self: HostName, records: Snapshot): Snapshot {
  const bad: UnreadableRow[] = []
  const vpcs = consistentVpcs(records, bad)
  const subnets = consistentSubnets(records.subnets, vpcs, bad)
  const hosts = consistentHosts(self, records.hosts, vpcs, bad)
  const whole = consistentNics(self, { ...records, subnets, vpcs }, bad)
  const nics = consistentFloatingIps(whole, vpcs, hosts, bad)
  const routing = consistentGateways(records.routing, vpcs, hosts, bad)
  const groupRules = readableRules(records, bad)
  if (bad.length === 0) return records
  const unreadable = [...records.unreadable, ...bad]
  return { ...records, vpcs, subnets, hosts, nics, routing, groupRules, unreadable }
}

function inconsistency(
  table: string,
  key: string,
  problem: string,
  of: Partial<Pick<UnreadableRow, 'instance' | 'host' | 'ip'>> = {},
): UnreadableRow {
  return { table, key, problem, instance: null, host: null, ip: null, vpc: null, ...of }
}

/**
 * Those in the root namespace must not overlap, nor hold a host's address, which every host needs;
 * of the others each has a number of its own.
 */
function consistentVpcs(
  { vpcs, hosts }: Pick<Snapshot, 'vpcs' | 'hosts'>,
  bad: UnreadableRow[],
): readonly Vpc[] {
  const fabric = hosts.flatMap(({ fabricAddress }) => fabricAddress ?? [])
  const isFree = ({ cidr, isDefault }: Vpc) =>
    isDefault || !fabric.some((address) => cidrContains(cidr, address))
  const inRoot = vpcs.filter(({ network }) => network === null)
  const apart = new Set(withoutOverlaps(inRoot.filter(isFree)))
  const numbers = new Set<number>()
  const kept = vpcs.filter((vpc) => {
    const { id, network } = vpc
    const problem =
      network !== null
        ? numbers.has(network) && `network ${network} belongs to another VPC, too`
        : apart.has(vpc)
          ? false
          : isFree(vpc)
            ? 'cidr overlaps that of another VPC'
            : 'cidr has the address of a host'
    if (network !== null) numbers.add(network)
    if (problem !== false) bad.push(inconsistency('vpcs', id, problem))
    return problem === false
  })
  return kept.length === vpcs.length ? vpcs : kept
}

function consistentSubnets(
  subnets: readonly Subnet[],
  vpcs: readonly Vpc[],
  bad: UnreadableRow[],
): readonly Subnet[] {
  const networks = new Map(vpcs.map(({ id, cidr }) => [id, cidr]))
  const inside = subnets.filter(({ id, vpc, cidr }) => {
    const net = networks.get(vpc)
    const fits = net !== undefined && cidrHolds(net, cidr)
    if (!fits) bad.push(inconsistency('subnets', id, 'cidr is not inside that of its VPC'))
    return fits
  })
  const apart = new Set(
    [...Map.groupBy(inside, ({ vpc }) => vpc).values()].flatMap((some) => withoutOverlaps(some)),
  )
  const kept = inside.filter((subnet) => {
    if (!apart.has(subnet))
      bad.push(inconsistency('subnets', subnet.id, 'cidr overlaps that of another subnet'))
    return apart.has(subnet)
  })
  return kept.length === subnets.length ? subnets : kept
}

/** Those that overlap none that stays. */
function withoutOverlaps<
  Net extends { readonly id: string; readonly cidr: Cidr; readonly isDefault: boolean },
>(all: readonly Net[]): readonly Net[] {
  const rank = ({ isDefault, id }: Net) => `${isDefault ? 0 : 1} ${id}`
  const taken = createNetworkSet()
  return all
    .toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .filter(({ cidr }) => {
      if (taken.overlaps(cidr)) return false
      taken.add(cidr)
      return true
    })
}

function consistentHosts(
  self: HostName,
  hosts: readonly PeerHost[],
  vpcs: readonly Vpc[],
  bad: UnreadableRow[],
): readonly PeerHost[] {
  const taken = new Set(
    hosts.flatMap((one) => (one.name === self ? (one.fabricAddress ?? []) : [])),
  )
  const instances = createNetworkSet()
  for (const { cidr, network } of vpcs) if (network === null) instances.add(cidr)
  const kept = hosts.filter(({ name, fabricAddress: address }) => {
    if (name === self || address === null) return true
    const problem = taken.has(address)
      ? 'fabricAddress belongs to another host, too'
      : instances.contains(address)
        ? 'fabricAddress is inside a VPC'
        : null
    if (problem !== null) bad.push(inconsistency('peers', name, problem, { host: name }))
    taken.add(address)
    return problem === null
  })
  return kept.length === hosts.length ? hosts : kept
}

function consistentNics(
  self: HostName,
  { nics, subnets, vpcs, groups }: Pick<Snapshot, 'nics' | 'subnets' | 'vpcs' | 'groups'>,
  bad: UnreadableRow[],
): readonly PlacedNic[] {
  const vpcsOfGroups = new Map(groups.map(({ id, vpc }) => [id, vpc]))
  const isElsewhere = (vpc: Vpc['id']) => (group: Group['id']) =>
    (vpcsOfGroups.get(group) ?? vpc) !== vpc
  const spaces = new Map(vpcs.map(({ id, network }) => [id, network]))
  const ranges = new Map(
    subnets.map(({ id, vpc, cidr }) => {
      const first = ipv4ToNumber(gatewayOf(cidr)) - 1
      const size = 2 ** (32 - cidr.prefix)
      return [id, { vpc, from: first + RESERVED_AT_START, to: first + size - 2 }]
    }),
  )
  const taken = new Set<string>()
  const kept = nics.filter((nic) => {
    const values = uniqueValuesOf(self, nic, spaces.get(nic.vpc) ?? null)
    const problem = nic.groups.some(isElsewhere(nic.vpc))
      ? 'group is one of another VPC'
      : problemOf(nic, ranges.get(nic.subnet), values, taken)
    if (problem === null) for (const one of values) taken.add(one)
    else {
      const { instance, host, ip } = nic
      bad.push(inconsistency('placedNics', nic.id, problem, { instance, host, ip }))
    }
    return problem === null
  })
  return kept.length === nics.length ? nics : kept
}

/**
 * What no two NICs may share: the address in its VPC's network, the MAC, and on one host the link
 * name, which is cut from the id.
 */
function uniqueValuesOf(
  self: HostName,
  nic: PlacedNic,
  network: Vpc['network'],
): readonly string[] {
  const { mac, id, host } = nic
  const addresses = addressesOfNic(nic).map((ip) =>
    network === null ? ip : `${ip} in network ${network}`,
  )
  return host === self ? [...addresses, mac, nicLinkName(id)] : [...addresses, mac]
}

function problemOf(
  nic: PlacedNic,
  range: { readonly vpc: string; readonly from: number; readonly to: number } | undefined,
  values: readonly string[],
  taken: ReadonlySet<string>,
): string | null {
  if (range === undefined) return 'subnet is missing or unreadable'
  if (range.vpc !== nic.vpc) return 'vpc differs from that of its subnet'
  const isInside = (ip: Ipv4) => {
    const value = ipv4ToNumber(ip)
    return value >= range.from && value <= range.to
  }
  if (!addressesOfNic(nic).every(isInside)) return 'ip is not an assignable address of its subnet'
  const duplicate = values.find((one) => taken.has(one))
  return duplicate === undefined ? null : `${duplicate} belongs to another NIC, too`
}

/** An address that instances or hosts have themselves leads nowhere else. */
function consistentFloatingIps(
  nics: readonly PlacedNic[],
  vpcs: readonly Vpc[],
  hosts: readonly PeerHost[],
  bad: UnreadableRow[],
): readonly PlacedNic[] {
  if (nics.every(({ publicIp, secondaryPublicIps }) => !publicIp && !secondaryPublicIps))
    return nics
  const taken = addressesInUse(vpcs, hosts)
  const known = new Set<string>()
  const isBad = (publicIp: Ipv4): boolean => {
    const isTaken = taken.contains(publicIp) || known.has(publicIp)
    known.add(publicIp)
    // Of no instance: the NIC itself is as it should be.
    if (isTaken) bad.push(inconsistency('addresses', publicIp, 'ip belongs to something else, too'))
    return isTaken
  }
  const checked = nics.map((nic) => {
    const { publicIp, secondaryPublicIps } = nic
    const whole = publicIp && isBad(publicIp) ? { ...nic, publicIp: null } : nic
    if (secondaryPublicIps === undefined) return whole
    const leading = Object.entries(secondaryPublicIps) as [Ipv4, Ipv4][]
    const good = leading.filter(([, one]) => !isBad(one))
    return good.length === leading.length
      ? whole
      : { ...whole, secondaryPublicIps: Object.fromEntries(good) }
  })
  return checked.some((nic, at) => nic !== nics[at]) ? checked : nics
}

/** A rule whose prefix list has an unreadable entry is as unreadable: it stays as it was. */
function readableRules(
  { groupRules, unreadable }: Pick<Snapshot, 'groupRules' | 'unreadable'>,
  bad: UnreadableRow[],
): readonly GroupRule[] {
  // The key of an entry begins with its list.
  const lost = new Set(
    unreadable.flatMap(({ table, key }) =>
      table === 'prefixListEntries' ? (key.split('/')[0] ?? []) : [],
    ),
  )
  if (lost.size === 0) return groupRules
  return groupRules.filter(({ id, peer }) => {
    const isLost = peer.kind === 'list' && lost.has(peer.list)
    if (isLost)
      bad.push(inconsistency('securityGroupRules', id, 'its prefix list has an unreadable entry'))
    return !isLost
  })
}

/** What no floating IP may be. */
function addressesInUse(vpcs: readonly Vpc[], hosts: readonly PeerHost[]) {
  const taken = createNetworkSet()
  // A VPC with a network of its own may have any addresses.
  for (const { cidr, network } of vpcs) if (network === null) taken.add(cidr)
  for (const { fabricAddress } of hosts)
    if (fabricAddress !== null) taken.add({ network: fabricAddress, prefix: 32 })
  return taken
}

/** A NAT gateway goes out with no address that instances or hosts have themselves. */
function consistentGateways(
  routing: readonly VpcRouting[],
  vpcs: readonly Vpc[],
  hosts: readonly PeerHost[],
  bad: UnreadableRow[],
): readonly VpcRouting[] {
  const addressed = routing.flatMap(({ natGateways }) =>
    natGateways.flatMap(({ id, address }) => (address?.ip ? [{ id, ip: address.ip }] : [])),
  )
  if (addressed.length === 0) return routing
  const taken = addressesInUse(vpcs, hosts)
  const wrong = new Set(addressed.flatMap(({ id, ip }) => (taken.contains(ip) ? [id] : [])))
  if (wrong.size === 0) return routing
  for (const { id, ip } of addressed)
    if (wrong.has(id)) bad.push(inconsistency('addresses', ip, 'ip belongs to something else, too'))
  return routing.map((one) => ({
    ...one,
    natGateways: one.natGateways.map((gateway) =>
      gateway.address !== undefined && wrong.has(gateway.id)
        ? { ...gateway, address: { ...gateway.address, ip: null } }
        : gateway,
    ),
  }))
}
