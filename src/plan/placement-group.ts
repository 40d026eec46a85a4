/**
 * Which hosts an instance of a placement group may be put on. Pure.
 *
 * This proposes. The group's slots (`store/records/placement-group.ts`) decide, so of two launches
 * that choose the same host at once only one gets it.
 */
import type { HostName } from '../model/ids.ts'
import type { PlacementGroup, PlacementSlot } from '../model/placement-group.ts'
import type { Host } from '../model/records.ts'

/** What is known of a group's members. */
export interface GroupMembers {
  readonly group: Pick<PlacementGroup, 'strategy' | 'partitionCount'>
  readonly slots: readonly Pick<PlacementSlot, 'host' | 'partitionNumber' | 'members'>[]
}

/** Hosts among which an instance may be put, and the partition that it is in there. */
export interface HostChoice {
  /** Null unless the group has partitions. */
  readonly partition: number | null
  readonly hosts: readonly Host[]
}

/**
 * The choices in the order in which they should be tried. `partition` is the wanted one; null: the
 * one with the fewest members.
 */
export function choicesInGroup(
  { group, slots }: GroupMembers,
  hosts: readonly Host[],
  partition: number | null,
): readonly HostChoice[] {
  const used = new Map(slots.map((slot) => [slot.host, slot]))
  const free = hosts.filter(({ name }) => !used.has(name))
  switch (group.strategy) {
    case 'spread':
      return [{ partition: null, hosts: free }]
    case 'cluster': {
      const shared = byMembers(slots).flatMap(({ host }) => hostsNamed(hosts, host))
      return [...shared.map((host) => [host]), free].map((some) => ({
        partition: null,
        hosts: some,
      }))
    }
    case 'partition':
      return partitionsToTry(group, slots, partition).flatMap((number) => {
        const own = hosts.filter(({ name }) => used.get(name)?.partitionNumber === number)
        // A partition keeps to the hosts that it has, so that hosts are left for the others.
        return [own, free].map((some) => ({ partition: number, hosts: some }))
      })
  }
}

function partitionsToTry(
  { partitionCount }: GroupMembers['group'],
  slots: GroupMembers['slots'],
  wanted: number | null,
): readonly number[] {
  if (wanted !== null) return [wanted]
  const members = (partition: number) =>
    slots.reduce((sum, slot) => sum + (slot.partitionNumber === partition ? slot.members : 0), 0)
  return Array.from({ length: partitionCount ?? 1 }, (_, index) => index + 1).toSorted(
    (a, b) => members(a) - members(b),
  )
}

/** The fullest first. */
function byMembers(slots: GroupMembers['slots']): GroupMembers['slots'] {
  return slots.toSorted((a, b) => b.members - a.members)
}

function hostsNamed(hosts: readonly Host[], wanted: HostName): readonly Host[] {
  return hosts.filter(({ name }) => name === wanted)
}
