/**
 * Orphans: instances that were accepted for a host which is lost before it claimed them.
 *
 * Any host may give them to another, all of them may try at once: one conditional statement decides
 * whose move counts, and a claim by the lost host itself, should it only have been slow, decides
 * against all of them. What was claimed stays where its disk is.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import { keptBy } from '../model/image-location.ts'
import { applyFact } from '../model/lifecycle.ts'
import type { Instance } from '../model/records.ts'
import { chooseHost, placeableHosts } from '../plan/placement.ts'
import { releaseInstance, sizeOf } from '../store/release.ts'
import type { Store, Tx } from '../store/store.ts'

/** As many are looked at in one go; the rest at the next. */
const ORPHANS_LIMIT = 100

/** What became of an orphan: another host has it, or it was to be terminated and is (`to` null). */
export interface Adoption {
  readonly instance: InstanceId
  readonly from: HostName
  readonly to: HostName | null
}

/**
 * Settles every orphan there is room for, each in a transaction of its own. Those that fit nowhere
 * wait.
 */
export async function adoptOrphans(store: Store, clock: Clock): Promise<readonly Adoption[]> {
  const orphans = await store.read((tx) => tx.orphans(ORPHANS_LIMIT))
  const adopted: Adoption[] = []
  for (const { id } of orphans) {
    const adoption = await store.transaction((tx) => adopt(tx, id, isoTime(clock.now())))
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
  // Nobody else has the image.
  if (image !== undefined && keptBy(image.location) !== null) return null
  const choice = placeableHosts(hosts).filter((host) => host.zone === subnet.zone)
  // Whoever adopts it chooses alike, and orphans of one host go to several.
  const { vcpus, memoryMiB } = type
  const diskGiB = sizeOf(await tx.volumes({ instances: [id] }))
  const demand = { vcpus, memoryMiB, diskGiB }
  const to = chooseHost(choice, demand, Number.parseInt(id.slice(-6), 16))?.name
  if (to === undefined) return null
  if ((await tx.takeCapacity(to, vcpus, memoryMiB, diskGiB)) === 'full') return null
  if ((await tx.moveInstance(id, from, to)) === 'lost') {
    await tx.returnCapacity(to, vcpus, memoryMiB, diskGiB)
    return null
  }
  await tx.returnCapacity(from, vcpus, memoryMiB, diskGiB)
  return { instance: id, from, to }
}

/** Never started, and not to be any more: nothing of it is left anywhere. */
async function end(tx: Tx, instance: Instance, now: string): Promise<Adoption | null> {
  const change = applyFact(instance, { kind: 'gone', instance: instance.id }, now)
  if (change === null) return null
  await tx.updateInstance(instance.id, change)
  await releaseInstance(tx, instance)
  return { instance: instance.id, from: instance.host, to: null }
}
