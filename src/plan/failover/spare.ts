/**
 * Whether a cloud can bear the loss of a host now: enough other hosts answer, and they have room
 * for what has to be started again. Pure.
 */
import type { HostName } from '../../model/ids.ts'
import type { Host } from '../../model/records.ts'
import { type Demand, isAlive, placeableHosts } from '../placement.ts'

/** An instance that others may start again, and what it needs. */
export interface Recoverable {
  readonly host: HostName
  readonly demand: Demand
}

/** What the loss of a host would mean. */
export interface LossOutlook {
  readonly host: HostName
  /** Its instances that others may start again. */
  readonly instances: number
  /** Those that would find no room. */
  readonly homeless: number
  /** Whether a majority of the members would be left, without which nobody starts anything. */
  readonly hasMajority: boolean
}

/** The hosts that may run what was another one's: its own host only after it is back. */
export function takersOf(hosts: readonly Host[], lost: HostName): readonly Host[] {
  return placeableHosts(hosts).filter((host) => host.name !== lost && isPermitted(host))
}

/** The outlook for each host that has such instances, in the order of `hosts`. */
export function lossOutlooks(
  hosts: readonly Host[],
  members: readonly HostName[],
  recoverable: readonly Recoverable[],
): readonly LossOutlook[] {
  const byHost = Map.groupBy(recoverable, ({ host }) => host)
  return hosts.flatMap((host) => {
    const own = byHost.get(host.name) ?? []
    if (own.length === 0) return []
    const sameZone = takersOf(hosts, host.name).filter(({ zone }) => zone === host.zone)
    const left = hosts.filter(
      (one) =>
        one.name !== host.name && members.includes(one.name) && isAlive(one) && isPermitted(one),
    )
    return [
      {
        host: host.name,
        instances: own.length,
        homeless: homelessOf(
          own.map(({ demand }) => demand),
          sameZone,
        ),
        hasMajority: 2 * left.length > members.length,
      },
    ]
  })
}

function isPermitted({ fenceLevel }: Host): boolean {
  return (fenceLevel ?? null) !== null
}

/** How many of these find no room: the largest first, each on the first host that has it. */
function homelessOf(demands: readonly Demand[], hosts: readonly Host[]): number {
  const free = hosts.map((host) => ({
    vcpus: host.vcpus - host.usedVcpus,
    memoryMiB: host.memoryMiB - host.usedMemoryMiB,
    diskGiB: (host.diskGiB ?? Number.POSITIVE_INFINITY) - host.usedDiskGiB,
  }))
  const largestFirst = demands.toSorted((a, b) => b.memoryMiB - a.memoryMiB || b.vcpus - a.vcpus)
  return largestFirst.filter((demand) => {
    const room = free.find(
      (one) =>
        one.vcpus >= demand.vcpus &&
        one.memoryMiB >= demand.memoryMiB &&
        one.diskGiB >= demand.diskGiB,
    )
    if (room === undefined) return true
    room.vcpus -= demand.vcpus
    room.memoryMiB -= demand.memoryMiB
    room.diskGiB -= demand.diskGiB
    return false
  }).length
}

/** In words, for the operator. Empty: nothing is to be started again anywhere. */
export function outlookLines(outlooks: readonly LossOutlook[]): readonly string[] {
  if (outlooks.length === 0) return []
  const bad = outlooks.flatMap(({ host, instances, homeless, hasMajority }) => {
    const which = `${instances === 1 ? 'its instance' : `its ${instances} instances`} with the tag atoll:recover`
    if (!hasMajority)
      return [
        `${host}: if it were lost now, nobody could start ${which} again: too few of the hosts with fence.enabled would be left`,
      ]
    if (homeless === 0) return []
    const some = homeless === instances ? 'none' : `only ${instances - homeless}`
    return [`${host}: if it were lost now, of ${which} ${some} would find room on another host`]
  })
  if (bad.length > 0) return bad
  return ['if one host were lost now, its instances with the tag atoll:recover would find room']
}
