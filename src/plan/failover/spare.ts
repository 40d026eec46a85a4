/**
 * Whether a cloud can bear the loss of a host now: enough other hosts answer, and they have room
 * for what has to be started again. Pure.
 */
import type { HostName } from '../../model/ids.ts'
import type { Host } from '../../model/records.ts'
import { isOfKind, reachesStorage } from '../../model/storage.ts'
import { type Demand, fitsBeside, isAlive, placeableHosts } from '../placement.ts'

/** What an instance needs of the host that starts it again. */
export interface Need {
  readonly demand: Demand
  /** The storage that has its disk. Null: any host can start it. */
  readonly storage: string | null
}

/** An instance that others may start again, and what it needs. */
export interface Recoverable extends Need {
  readonly host: HostName
}

/** What the loss of a host would mean. */
export interface LossOutlook {
  readonly host: HostName
  /** Its instances that others may start again. */
  readonly instances: number
  /** Those that would find no room, or whose storage could not be told to refuse the host. */
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
  const counted = new Set(members)
  const answering = new Set(
    hosts.flatMap((one) =>
      counted.has(one.name) && isAlive(one) && isPermitted(one) ? [one.name] : [],
    ),
  )
  return hosts.flatMap((host) => {
    const own = byHost.get(host.name) ?? []
    if (own.length === 0) return []
    const left = answering.size - (answering.has(host.name) ? 1 : 0)
    return [
      {
        host: host.name,
        instances: own.length,
        homeless: homesOf(hosts, host.name, own).homeless,
        hasMajority: 2 * left > members.length,
      },
    ]
  })
}

function isPermitted({ fenceLevel }: Host): boolean {
  return (fenceLevel ?? null) !== null
}

/** Where the instances of a lost host find room. */
export interface Homes {
  /** How many find none. */
  readonly homeless: number
  /** What they use of each host that has some of them. */
  readonly used: ReadonlyMap<HostName, Demand>
}

/**
 * Finds room for these on the other hosts of the zone: the largest first, each on the first host
 * that has it. None for those whose storage could not be told to refuse the lost host.
 */
export function homesOf(hosts: readonly Host[], lost: HostName, needs: readonly Need[]): Homes {
  const from = hosts.find(({ name }) => name === lost)
  const zone = from?.zone
  const takers = takersOf(hosts, lost).filter((host) => host.zone === zone)
  const largestFirst = needs.toSorted(
    ({ demand: a }, { demand: b }) => b.memoryMiB - a.memoryMiB || b.vcpus - a.vcpus,
  )
  const used = new Map<HostName, Demand>()
  let homeless = 0
  for (const { demand, storage } of largestFirst) {
    const fits = (host: Host) =>
      reachesStorage(host, storage) && fitsBeside(host, demand, used.get(host.name))
    const home = canBeRefused(from, storage) ? takers.find(fits) : undefined
    if (home === undefined) homeless += 1
    else used.set(home.name, sumOf(demand, used.get(home.name)))
  }
  return { homeless, used }
}

/**
 * Whether the storage can be told to refuse the host when it is lost. One that refuses by address
 * has to know the host's, or nothing is started elsewhere (`agent/takeover.ts`).
 */
function canBeRefused(host: Host | undefined, storage: string | null): boolean {
  if (storage === null || !isOfKind(storage, 'ceph')) return true
  return (host?.storageAddress ?? null) !== null
}

function sumOf(one: Demand, other: Demand | undefined): Demand {
  if (other === undefined) return one
  return {
    vcpus: one.vcpus + other.vcpus,
    memoryMiB: one.memoryMiB + other.memoryMiB,
    diskGiB: one.diskGiB + other.diskGiB,
  }
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
