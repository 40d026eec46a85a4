/**
 * The ports that each NIC of a host goes out with. Pure.
 *
 * A connection to the outside takes a port of the host's address, which no other connection to the
 * same destination can have. There are some 49,000. A limit of open connections would not keep them
 * apart: ended connections and UDP hold ports, too, and all instances together can be within their
 * limits and still use up every port. So each NIC has ports of its own, in proportion to the memory
 * of its instance, as with other tables of the kernel (`model/limits.ts`).
 *
 * The ports of the host are divided into as many units as the smallest instances that its memory
 * has room for. A NIC gets a block of units, which depends on its id and on older instances only. A
 * new instance moves nobody; if an older one goes, seldom one other moves. That ends no connection:
 * the kernel translates by what it tracks.
 */
import { cidrContains, type Ipv4, ipv4ToNumber } from '../model/addr.ts'
import type { TrackedFlow } from '../model/flow.ts'
import { PROTOCOLS } from '../model/group-rule.ts'
import { type NatShare, type PortRange, SHARED_PORTS } from '../model/nat.ts'
import { STAND_IN_RANGE } from '../model/transit.ts'
import type { HostWant, InstanceWant } from '../model/want.ts'
import type { VpcWants } from './vpc-wants.ts'

/** Memory of the smallest instance type, which has one unit. */
const UNIT_MIB = 64
/** Then a unit has three ports. */
const UNITS_MAX = 16_384
const HASH_DIGITS = 8

/** The parts of this want, each with the shares of its NICs. */
export function withNatShares(
  { own, vpcs }: VpcWants,
  { local }: HostWant,
  instanceMemoryMiB: number,
): VpcWants {
  const all = natShares(local.instances, instanceMemoryMiB)
  const shared = (part: HostWant): HostWant => {
    const nics = new Set(part.local.instances.flatMap((one) => one.nics.map(({ id }) => id)))
    return { ...part, natShares: all.filter(({ nic }) => nics.has(nic)) }
  }
  return {
    own: shared(own),
    vpcs: new Map(
      [...vpcs].map(([network, part]) => [network, { ...part, want: shared(part.want) }]),
    ),
  }
}

/** The share of each NIC, on a host that hands out this much memory. */
export function natShares(
  instances: readonly InstanceWant[],
  instanceMemoryMiB: number,
): readonly NatShare[] {
  const nics = instances
    .flatMap(({ launchedAt, type, nics }) =>
      nics.map(({ id }) => ({ id, launchedAt, most: unitsFor(type.memoryMiB / nics.length) })),
    )
    .toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
  // More than the host has room for may be there, if its memory has been reduced.
  const needed = nics.reduce((sum, { most }) => sum + most, 0)
  const units = Math.min(
    UNITS_MAX,
    2 ** Math.ceil(Math.log2(Math.max(1, instanceMemoryMiB / UNIT_MIB, needed))),
  )
  const isTaken = new Uint8Array(units)
  return nics.flatMap(({ id, most }) => {
    const block = freeBlock(isTaken, Number.parseInt(id.slice(-HASH_DIGITS), 16), most)
    if (block === undefined) return []
    isTaken.fill(1, block.first, block.last + 1)
    return [{ nic: id, ...portsOf(block, units) }]
  })
}

/** A power of two, at least one. */
function unitsFor(memoryMiB: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, memoryMiB / UNIT_MIB)))
}

/** Older ones first. The id decides between those that were launched together. */
function orderOf({ launchedAt, id }: { readonly launchedAt: string; readonly id: string }): string {
  return `${launchedAt} ${id}`
}

/**
 * A block of `most` units that is free, or of as many as there are, from the place that `hash` says
 * on. Undefined when no unit is free.
 */
function freeBlock(isTaken: Uint8Array, hash: number, most: number): PortRange | undefined {
  for (let size = Math.min(most, isTaken.length); size >= 1; size /= 2) {
    const blocks = isTaken.length / size
    for (let step = 0; step < blocks; step += 1) {
      const first = ((hash + step) % blocks) * size
      const last = first + size - 1
      if (!isTaken.subarray(first, last + 1).includes(1)) return { first, last }
    }
  }
  return undefined
}

function portsOf(block: PortRange, units: number, { first, last } = SHARED_PORTS): PortRange {
  const edge = (unit: number) => first + Math.floor(((last + 1 - first) * unit) / units)
  return { first: edge(block.first), last: edge(block.last + 1) - 1 }
}

/** Ports of a NAT gateway's address. Those below belong to whatever else is well known. */
const GATEWAY_PORTS: PortRange = { first: 2048, last: 65_535 }
/** Of what is from an address that no instance has: a router sends it. */
export const ANY_OTHER_ADDRESS: PortRange = { first: 1024, last: 2047 }
/** An instance has no more ports than these, however few there are. */
const GATEWAY_UNITS = 64

/**
 * The ports that each of these addresses has at a NAT gateway: 992 to each destination or, from 65
 * addresses on, half of that with each doubling. Here the hosts do not know each other's types, so
 * all have as many. What an address has depends on all of them only where two want the same ports.
 */
export function gatewayShares(addresses: readonly Ipv4[]): ReadonlyMap<Ipv4, PortRange> {
  const all = [...new Set(addresses)].toSorted()
  const units = Math.min(UNITS_MAX, 2 ** Math.ceil(Math.log2(Math.max(GATEWAY_UNITS, all.length))))
  const isTaken = new Uint8Array(units)
  return new Map(
    all.slice(0, units).map((ip) => {
      let unit = ipv4ToNumber(ip) % units
      while (isTaken[unit] === 1) unit = (unit + 1) % units
      isTaken[unit] = 1
      return [ip, portsOf({ first: unit, last: unit }, units, GATEWAY_PORTS)]
    }),
  )
}

/** Counts connections by whose they are and where they go. */
export interface PortUse {
  /** Counts a connection if it takes a port of a share. Returns false: it is not over. */
  count(flow: TrackedFlow): false
  /** The destination to which a NIC with these addresses has most, and how many. */
  of(addresses: readonly Ipv4[]): { readonly ports: number; readonly destination: string }
}

/**
 * Counts from nothing. What goes out with one of the floating IPs, or with its own address, takes
 * no port that others could miss.
 */
export function portUse(floatingIps: ReadonlySet<Ipv4>): PortUse {
  const counts = new Map<Ipv4, Map<string, number>>()
  const add = (uses: Map<string, number>, destination: string, more: number) =>
    uses.set(destination, (uses.get(destination) ?? 0) + more)
  return {
    count({ source, destination, protocol, port, answerTo }) {
      if (answerTo === source || floatingIps.has(answerTo)) return false
      if (cidrContains(STAND_IN_RANGE, answerTo)) return false
      const to = protocol === PROTOCOLS.icmp ? destination : `${destination}:${port}`
      const ofSource = counts.get(source) ?? new Map<string, number>()
      counts.set(source, ofSource)
      add(ofSource, `${to} by protocol ${protocol}`, 1)
      return false
    },
    of(addresses) {
      const all = new Map<string, number>()
      for (const ip of addresses)
        for (const [destination, ports] of counts.get(ip) ?? []) add(all, destination, ports)
      const sorted = [...all].toSorted(([, a], [, b]) => b - a)
      const [destination, ports] = sorted[0] ?? ['', 0]
      return { ports, destination }
    },
  }
}
