/** Where instances of a host can go, and which moves even out the load of hosts. Pure. */
import type { HostName, InstanceId } from '../model/ids.ts'
import type { Host } from '../model/records.ts'
import { afterTaking, chooseHost, type Demand, placeableHosts } from './placement.ts'
import type { HostChoice } from './placement-group.ts'

/** An instance that may be moved. */
export interface Movable {
  readonly instance: InstanceId
  readonly from: HostName
  readonly demand: Demand
  /** The storage that has its disk. Null: its host does. */
  readonly storage: string | null
  /** Why it cannot be moved. Null: it can, if there is a place. */
  readonly obstacle: string | null
  /** The hosts of these among which it may be put, best first. */
  readonly among: (hosts: readonly Host[]) => readonly HostChoice[]
}

/** A move that can be made, or why there is none. */
export interface PlannedMove {
  readonly instance: InstanceId
  readonly from: HostName
  readonly to: HostName | null
  readonly partition: number | null
  readonly obstacle: string | null
}

/** The best place for an instance; null: there is none. `only`: the host that is asked for. */
export function placeFor(
  { instance, from, demand, among }: Movable,
  hosts: readonly Host[],
  only: HostName | null = null,
): { readonly to: HostName; readonly partition: number | null } | null {
  const zone = hosts.find(({ name }) => name === from)?.zone
  const others = placeableHosts(hosts).filter(
    (host) => host.name !== from && host.zone === zone && (only === null || host.name === only),
  )
  // All hosts choose alike, and the instances of one host are spread.
  const random = Number.parseInt(instance.slice(-6), 16)
  for (const { hosts: some, partition } of among(others)) {
    const to = chooseHost(some, demand, random)?.name
    if (to !== undefined) return { to, partition }
  }
  return null
}

/** Where each of these instances would go, one after the other. */
export function planEvacuation(
  movables: readonly Movable[],
  hosts: readonly Host[],
): readonly PlannedMove[] {
  let rest = hosts
  return movables.map((one): PlannedMove => {
    const { instance, from, demand, obstacle } = one
    const place = obstacle === null ? placeFor(one, rest) : null
    if (place === null) {
      const why = obstacle ?? noPlace(demand)
      return { instance, from, to: null, partition: null, obstacle: why }
    }
    rest = afterTaking(rest, place.to, demand)
    return { instance, from, ...place, obstacle: null }
  })
}

/** Why an instance of this size cannot be put anywhere. */
export function noPlace({ vcpus, memoryMiB, diskGiB }: Demand): string {
  const disk = diskGiB === 0 ? '' : `, ${diskGiB} GiB of disk`
  return `no other host of its zone may take it and has room: ${vcpus} vCPUs, ${memoryMiB} MiB${disk}`
}

/** Hosts count as even when their loads differ by less than this share. */
const EVEN_SHARE = 0.1
/** Most moves of one plan. */
const MOVES_MAX = 100

/**
 * Few moves that make the loads of hosts even: each takes an instance from the fullest host of a
 * zone to the emptiest, the one that leaves these two closest to each other, as long as that is
 * worth it.
 */
export function planRebalance(
  movables: readonly Movable[],
  hosts: readonly Host[],
): readonly PlannedMove[] {
  const moves: PlannedMove[] = []
  let now = placeableHosts(hosts)
  let left = movables.filter(({ obstacle }) => obstacle === null)
  while (moves.length < MOVES_MAX) {
    const next = bestMove(left, now)
    if (next === null) return moves
    const { movable, to } = next
    moves.push({ instance: movable.instance, from: movable.from, ...to, obstacle: null })
    left = left.filter((one) => one !== movable)
    now = afterMove(now, movable, to.to)
  }
  return moves
}

function afterMove(hosts: readonly Host[], { from, demand }: Movable, to: HostName) {
  const { vcpus, memoryMiB, diskGiB } = demand
  const less = { vcpus: -vcpus, memoryMiB: -memoryMiB, diskGiB: -diskGiB }
  return afterTaking(afterTaking(hosts, to, demand), from, less)
}

/** The part of a host that is allocated, of its scarcest resource. */
function loadOf({ vcpus, memoryMiB, usedVcpus, usedMemoryMiB }: Host): number {
  return Math.max(share(usedVcpus, vcpus), share(usedMemoryMiB, memoryMiB))
}

function share(used: number, all: number): number {
  return all === 0 ? 1 : used / all
}

function bestMove(movables: readonly Movable[], hosts: readonly Host[]) {
  const zones = Map.groupBy(hosts, ({ zone }) => zone)
  for (const some of zones.values()) {
    const sorted = some.toSorted((a, b) => loadOf(a) - loadOf(b) || (a.name < b.name ? -1 : 1))
    const [emptiest] = sorted
    const fullest = sorted.at(-1)
    if (emptiest === undefined || fullest === undefined) continue
    const gap = loadOf(fullest) - loadOf(emptiest)
    if (gap <= EVEN_SHARE) continue
    const found = movables
      .filter(({ from }) => from === fullest.name)
      .flatMap((movable) => {
        const to = placeFor(movable, hosts, emptiest.name)
        if (to === null) return []
        const after = afterMove(some, movable, to.to)
        const [a, b] = [fullest, emptiest].map(({ name }) => after.find((one) => one.name === name))
        const left = a === undefined || b === undefined ? gap : Math.abs(loadOf(a) - loadOf(b))
        return [{ movable, to, left }]
      })
      .toSorted((a, b) => a.left - b.left)
    const [best] = found
    // A move that leaves them almost as they were costs more than it brings.
    if (best !== undefined && best.left <= gap - EVEN_SHARE / 2) return best
  }
  return null
}
