/**
 * Placement: which host runs an instance, and which address it gets. Pure.
 *
 * The choice is made from a snapshot of the records. The store then applies it with a conditional
 * statement. If another choice was faster, placement chooses again.
 */
import {
  type Cidr,
  cidrAddress,
  cidrContains,
  cidrSize,
  type Ipv4,
  ipv4ToNumber,
  RESERVED_AT_START,
} from '../model/addr.ts'
import type { HostName } from '../model/ids.ts'
import type { Host } from '../model/records.ts'

/** The capacity that one instance needs. */
export interface Demand {
  readonly vcpus: number
  readonly memoryMiB: number
  /** For volumes; 0 where the root is no volume. */
  readonly diskGiB: number
}

const NOTHING: Demand = { vcpus: 0, memoryMiB: 0, diskGiB: 0 }

/** The broadcast address, at the end of a subnet. */
const RESERVED_AT_END = 1

/** The hosts that may take instances: active, not short of anything, and alive. */
export function placeableHosts(hosts: readonly Host[], answering?: HostName): readonly Host[] {
  return hosts.filter(
    (host) => host.state === 'active' && host.shortOf === null && isAlive(host, answering),
  )
}

/** Whether a host has a live lease, or is the one that answers this request. */
export function isAlive(host: Host, answering?: HostName): boolean {
  return host.live || host.name === answering
}

/** A host is a candidate if it has at least this part of the largest free capacity. */
const CANDIDATE_SHARE = 0.75

/**
 * Chooses a host with much free capacity for the demand; undefined when the demand fits nowhere.
 *
 * Free capacity is the number of such instances that a host could still take, by its scarcest
 * resource. The candidates have at least `CANDIDATE_SHARE` of the largest free capacity. `random`
 * (any non-negative integer) picks two of them, and the one with more wins (Mitzenmacher, "The
 * Power of Two Choices in Randomized Load Balancing", 2001). Every host answers API requests and
 * chooses by itself. If all of them chose the emptiest host, requests of the same moment would
 * contend for it. With a single random pick, some hosts would stay empty while others get several
 * instances.
 */
export function chooseHost(
  hosts: readonly Host[],
  demand: Demand,
  random: number,
): Host | undefined {
  const all = hosts.map((host) => ({ host, free: capacityFor(host, demand) }))
  const most = all.reduce((largest, { free }) => Math.max(largest, free), 1)
  const candidates = all.filter(({ free }) => free >= Math.max(1, most * CANDIDATE_SHARE))
  const count = candidates.length
  const at = random % count
  const offset = 1 + (Math.floor(random / count) % Math.max(1, count - 1))
  const first = candidates[at]
  const second = candidates[(at + offset) % count]
  return (second !== undefined && second.free > (first?.free ?? 0) ? second : first)?.host
}

/** The hosts after `name` has taken the demand, for placing several instances from one snapshot. */
export function afterTaking(
  hosts: readonly Host[],
  name: HostName,
  demand: Demand,
): readonly Host[] {
  return hosts.map((host) =>
    host.name === name
      ? {
          ...host,
          usedVcpus: host.usedVcpus + demand.vcpus,
          usedMemoryMiB: host.usedMemoryMiB + demand.memoryMiB,
          usedDiskGiB: host.usedDiskGiB + demand.diskGiB,
        }
      : host,
  )
}

/** Whether a host has room for the demand beside what else is to be put there. */
export function fitsBeside(host: Host, demand: Demand, other: Demand = NOTHING): boolean {
  const { vcpus, memoryMiB, diskGiB } = demand
  return (
    host.vcpus - host.usedVcpus >= vcpus + other.vcpus &&
    host.memoryMiB - host.usedMemoryMiB >= memoryMiB + other.memoryMiB &&
    (host.diskGiB ?? Number.POSITIVE_INFINITY) - host.usedDiskGiB >= diskGiB + other.diskGiB
  )
}

/** The number of such instances that still fit. Not rounded, so that nearly full hosts compare. */
function capacityFor(host: Host, demand: Demand): number {
  return Math.min(
    ratio(host.vcpus - host.usedVcpus, demand.vcpus),
    ratio(host.memoryMiB - host.usedMemoryMiB, demand.memoryMiB),
    ratio((host.diskGiB ?? Number.POSITIVE_INFINITY) - host.usedDiskGiB, demand.diskGiB),
  )
}

function ratio(free: number, demand: number): number {
  return demand === 0 ? Number.POSITIVE_INFINITY : free / demand
}

/** The number of addresses that instances of the subnet may have. */
export function assignableCount(subnet: Cidr): number {
  return Math.max(0, cidrSize(subnet) - RESERVED_AT_START - RESERVED_AT_END)
}

/** Whether an address is in the subnet and not one of its five reserved addresses. */
export function isAssignable(subnet: Cidr, ip: Ipv4): boolean {
  if (!cidrContains(subnet, ip)) return false
  const index = ipv4ToNumber(ip) - ipv4ToNumber(subnet.network)
  return index >= RESERVED_AT_START && index < cidrSize(subnet) - RESERVED_AT_END
}

/**
 * At most `count` random, different, assignable addresses. `random` gives non-negative integers.
 */
export function drawAddresses(subnet: Cidr, count: number, random: () => number): readonly Ipv4[] {
  const size = assignableCount(subnet)
  if (size === 0) return []
  const drawn = Array.from({ length: count }, () => random() % size)
  return [...new Set(drawn)].map((index) => cidrAddress(subnet, RESERVED_AT_START + index))
}

/**
 * The first free address from a random start (`random` is any non-negative integer), wrapping
 * around at the end of the subnet; undefined when it is full. The random start keeps a freed
 * address from being reused at once, and two hosts from choosing the same address at the same time.
 */
export function chooseAddress(
  subnet: Cidr,
  taken: ReadonlySet<Ipv4>,
  random: number,
): Ipv4 | undefined {
  const count = assignableCount(subnet)
  for (let step = 0; step < count; step++) {
    const ip = cidrAddress(subnet, RESERVED_AT_START + ((random + step) % count))
    if (!taken.has(ip)) return ip
  }
  return undefined
}
