/**
 * Placement: which host takes an instance, and which address it gets. Pure.
 *
 * Both choose from a snapshot of the records; the store then takes the choice with a conditional
 * statement, and a choice that lost a race is made again without the loser.
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

/** What one instance takes of a host. */
export interface Demand {
  readonly vcpus: number
  readonly memoryMiB: number
  /** For volumes; none for a container. */
  readonly diskGiB: number
}

/** The broadcast address, at the end of a subnet. */
const RESERVED_AT_END = 1

/**
 * The hosts that may take instances now: active, short of nothing, with a live lease. A host that
 * answers while it asks is plainly alive.
 */
export function placeableHosts(hosts: readonly Host[], answering?: HostName): readonly Host[] {
  return hosts.filter(
    (host) => host.state === 'active' && host.shortOf === null && isAlive(host, answering),
  )
}

/**
 * Whether a host can be reckoned with, whatever the operator wants of it. The host that is
 * answering plainly is.
 */
export function isAlive(host: Host, answering?: HostName): boolean {
  return host.live || host.name === answering
}

/** Hosts with at least this part of the roomiest one's room are as good as that. */
const NEARLY = 0.75

/**
 * One of the roomiest hosts for the demand: of those that could hold nearly as many instances of
 * its kind as the one that could hold most (the scarcer of its resources counts), `random` (any
 * non-negative integer) picks two, and the roomier of these is it. Every host that answers the API
 * chooses by itself: were the choice always the very roomiest, all requests of one moment would
 * stand in line for it; and chance with one pick would leave hosts empty while others have several
 * (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001). Undefined when the
 * demand fits nowhere.
 */
export function chooseHost(
  hosts: readonly Host[],
  demand: Demand,
  random: number,
): Host | undefined {
  const rooms = hosts.map((host) => ({ host, room: capacityFor(host, demand) }))
  const most = rooms.reduce((roomiest, { room }) => Math.max(roomiest, room), 1)
  const good = rooms.filter(({ room }) => room >= Math.max(1, most * NEARLY))
  const at = random % good.length
  const further = 1 + (Math.floor(random / good.length) % Math.max(1, good.length - 1))
  const first = good[at]
  const second = good[(at + further) % good.length]
  return (second !== undefined && second.room > (first?.room ?? 0) ? second : first)?.host
}

/**
 * The hosts as they are once `name` has taken the demand: for placing several instances from one
 * snapshot.
 */
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

/**
 * How many instances of this kind the host still has room for; not rounded, so that nearly full
 * hosts compare too.
 */
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

/** How many addresses of the subnet instances may have. */
export function assignableCount(subnet: Cidr): number {
  return Math.max(0, cidrSize(subnet) - RESERVED_AT_START - RESERVED_AT_END)
}

/**
 * Whether an instance may have this address of the subnet: it lies inside and is not one of the
 * five reserved ones.
 */
export function isAssignable(subnet: Cidr, ip: Ipv4): boolean {
  if (!cidrContains(subnet, ip)) return false
  const index = ipv4ToNumber(ip) - ipv4ToNumber(subnet.network)
  return index >= RESERVED_AT_START && index < cidrSize(subnet) - RESERVED_AT_END
}

/**
 * At most `count` different addresses that instances may have, drawn by chance; `random` gives any
 * non-negative integer.
 */
export function drawAddresses(subnet: Cidr, count: number, random: () => number): readonly Ipv4[] {
  const size = assignableCount(subnet)
  if (size === 0) return []
  const drawn = Array.from({ length: count }, () => random() % size)
  return [...new Set(drawn)].map((index) => cidrAddress(subnet, RESERVED_AT_START + index))
}

/**
 * A free address: the first that is not taken, from a random start (`random` is any non-negative
 * integer) and round the subnet. The random start keeps a freed address from going straight to
 * another instance, and two hosts that choose at the same time from choosing the same. Undefined
 * when the subnet is full.
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
