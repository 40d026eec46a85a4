/**
 * Orphans: instances that were placed on a host which was lost before it claimed them.
 *
 * Any host may move them to a live host, and several may try at once: one conditional statement
 * decides which move counts. It fails if the lost host was only slow and has claimed the instance.
 * A claimed instance stays where its disk is.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import { keptBy } from '../model/image-location.ts'
import { applyFact } from '../model/lifecycle.ts'
import type { PlacementMembership } from '../model/placement-group.ts'
import type { Host, Instance } from '../model/records.ts'
import { chooseHost, placeableHosts } from '../plan/placement.ts'
import { choicesInGroup } from '../plan/placement-group.ts'
import { releaseInstance, sizeOf } from '../store/release.ts'
import type { Store, Tx } from '../store/store.ts'

/** Orphans per search; the rest waits for the next. */
const ORPHANS_LIMIT = 100

/** The outcome for an orphan: moved to another host, or terminated as requested (`to` null). */
export interface Adoption {
  readonly instance: InstanceId
  readonly from: HostName
  readonly to: HostName | null
}

/** Moves every orphan that fits on a live host, each in a transaction of its own. Others wait. */
export async function adoptOrphans(store: Store, clock: Clock): Promise<readonly Adoption[]> {
  const orphans = await store.read((tx) => tx.orphans(ORPHANS_LIMIT))
  const adopted: Adoption[] = []
  for (const { id } of orphans) {
    const adoption = await store.change((tx) => adopt(tx, id, isoTime(clock.now())))
    if (adoption !== null) adopted.push(adoption)
  }
  return adopted
}

async function adopt(tx: Tx, id: InstanceId, now: string): Promise<Adoption | null> {
  const hosts = await tx.hosts()
  const [instance] = await tx.instances({ ids: [id] })
  if (instance === undefined || instance.claimed) return null
  const from = instance.host
  if (hosts.some((host) => host.name === from && host.live)) return null
  if (instance.wanted === 'terminate') return await end(tx, instance, now)
  if (instance.wanted !== 'run') return null
  const [nic] = await tx.nics({ instances: [id] })
  const subnet = (await tx.subnets({})).find((one) => one.id === nic?.subnet)
  const type = (await tx.instanceTypes()).find((one) => one.name === instance.type)
  if (subnet === undefined || type === undefined) return null
  const [image] = await tx.images({ ids: [instance.image] })
  // Only the lost host has the image.
  if (image !== undefined && keptBy(image.location) !== null) return null
  const inZone = placeableHosts(hosts).filter((host) => host.zone === subnet.zone)
  const group = instance.options?.placementGroup ?? null
  const choices = await choicesFor(tx, group, inZone)
  // The choice depends on the id: all hosts choose alike, and the orphans of one host are spread.
  const { vcpus, memoryMiB } = type
  const diskGiB = sizeOf(await tx.volumes({ instances: [id] }))
  const demand = { vcpus, memoryMiB, diskGiB }
  const random = Number.parseInt(id.slice(-6), 16)
  const [to] = choices.flatMap((some) => chooseHost(some, demand, random)?.name ?? [])
  if (to === undefined) return null
  if ((await tx.takeCapacity(to, vcpus, memoryMiB, diskGiB)) === 'full') return null
  const isPlaced = group === null || (await takeSlot(tx, group, to)) === 'done'
  if (!isPlaced || (await tx.moveInstance(id, from, to)) === 'lost') {
    await tx.returnCapacity(to, vcpus, memoryMiB, diskGiB)
    if (isPlaced && group !== null) await tx.freePlacementSlot(group.id, to)
    return null
  }
  await tx.returnCapacity(from, vcpus, memoryMiB, diskGiB)
  if (group !== null) await tx.freePlacementSlot(group.id, from)
  return { instance: id, from, to }
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

/** Terminates an orphan. It was never started, so nothing has to be removed anywhere. */
async function end(tx: Tx, instance: Instance, now: string): Promise<Adoption | null> {
  const change = applyFact(instance, { kind: 'gone', instance: instance.id }, now)
  if (change === null) return null
  await tx.updateInstance(instance.id, change)
  await releaseInstance(tx, instance)
  return { instance: instance.id, from: instance.host, to: null }
}
