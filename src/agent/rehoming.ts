/**
 * Another host for an instance whose own is lost: capacity, and a place in its placement group.
 * What is taken here goes with the transaction, or is given back.
 */
import type { HostName } from '../model/ids.ts'
import type { PlacementMembership } from '../model/placement-group.ts'
import type { Host, Instance } from '../model/records.ts'
import { reachesStorage, storageOf } from '../model/storage.ts'
import { chooseHost, type Demand } from '../plan/placement.ts'
import { choicesInGroup } from '../plan/placement-group.ts'
import { sizeOf } from '../store/release.ts'
import type { Tx } from '../store/store.ts'

/** What an instance needs of its host. */
export interface Place {
  readonly demand: Demand
  readonly zone: string
  readonly group: PlacementMembership | null
  /** The storage that has its disk. Null: none. */
  readonly storage: string | null
  /**
   * For the choice: it depends on the id, so all hosts choose alike, and the instances of one host
   * are spread.
   */
  readonly random: number
}

/** What the instance needs; null when its records are incomplete. */
export async function placeOf(tx: Tx, instance: Instance): Promise<Place | null> {
  const { id } = instance
  const [nic] = await tx.nics({ instances: [id] })
  const subnet = (await tx.subnets({})).find((one) => one.id === nic?.subnet)
  const type = (await tx.instanceTypes()).find((one) => one.name === instance.type)
  if (subnet === undefined || type === undefined) return null
  const { vcpus, memoryMiB } = type
  const volumes = await tx.volumes({ instances: [id] })
  return {
    demand: { vcpus, memoryMiB, diskGiB: sizeOf(volumes) },
    storage: storageOf(volumes),
    zone: subnet.zone,
    group: instance.options?.placementGroup ?? null,
    random: Number.parseInt(id.slice(-6), 16),
  }
}

/** Takes a place on the best of these hosts; null when there is none, or another was faster. */
export async function takePlace(
  tx: Tx,
  { demand, zone, group, storage, random }: Place,
  hosts: readonly Host[],
): Promise<HostName | null> {
  const able = hosts.filter((host) => host.zone === zone && reachesStorage(host, storage))
  const choices = await choicesFor(tx, group, able)
  const [to] = choices.flatMap((some) => chooseHost(some, demand, random)?.name ?? [])
  if (to === undefined) return null
  const { vcpus, memoryMiB, diskGiB } = demand
  if ((await tx.takeCapacity(to, vcpus, memoryMiB, diskGiB)) === 'full') return null
  if (group === null || (await takeSlot(tx, group, to)) === 'done') return to
  await tx.returnCapacity(to, vcpus, memoryMiB, diskGiB)
  return null
}

/** Gives back a place on a host. */
export async function leavePlace(
  tx: Tx,
  { demand: { vcpus, memoryMiB, diskGiB }, group }: Place,
  host: HostName,
): Promise<void> {
  await tx.returnCapacity(host, vcpus, memoryMiB, diskGiB)
  if (group !== null) await tx.freePlacementSlot(group.id, host)
}

/** The hosts that may take it, best first: in its placement group, those that the group allows. */
async function choicesFor(
  tx: Tx,
  membership: PlacementMembership | null,
  hosts: readonly Host[],
): Promise<readonly (readonly Host[])[]> {
  if (membership === null) return [hosts]
  const [group] = await tx.placementGroups({ ids: [membership.id] })
  if (group === undefined) return [hosts]
  const members = { group, slots: await tx.placementSlots(group.id) }
  return choicesInGroup(members, hosts, membership.partition).map((choice) => choice.hosts)
}

/** Takes the member's place in its group on a host. `taken`: another launch was faster. */
async function takeSlot(
  tx: Tx,
  { id: placementGroup, partition }: PlacementMembership,
  host: HostName,
): Promise<'done' | 'taken'> {
  const [group] = await tx.placementGroups({ ids: [placementGroup] })
  const slot = { placementGroup, host, partitionNumber: partition ?? 0 }
  return await tx.takePlacementSlot(slot, group?.strategy === 'spread')
}
