/** Returns to the pool what an instance or a volume had, once it is gone. */

import type { VolumeId } from '../model/ids.ts'
import { outlives } from '../model/lifecycle.ts'
import { attachmentOf } from '../model/nics.ts'
import type { Instance, Volume } from '../model/records.ts'
import { endMoveOf } from './moves.ts'
import type { Tx } from './store.ts'

/**
 * Returns what a terminated instance had: its NICs with their addresses and tags, its share of its
 * host, its place in a placement group, and the disks that are deleted with it. Other NICs are
 * detached, and other disks become volumes of their own.
 */
export async function releaseInstance(tx: Tx, instance: Instance): Promise<void> {
  for (const nic of await tx.nics({ instances: [instance.id] })) {
    const { deleteOnTermination = true, isEnding = false } = attachmentOf(nic) ?? {}
    // What the client has detached is to stay, though its host had no time to report it.
    if (deleteOnTermination && !isEnding) await tx.deleteTagsOf(nic.id)
    else await tx.detachNic(nic)
  }
  // Also those whose rows cannot be read.
  await tx.deleteNics(instance.id)
  const volumes = await tx.volumes({ instances: [instance.id] })
  const ending = volumes.filter((volume) => !outlives(volume, instance))
  const left = { instance: null, host: instance.host }
  for (const { id } of volumes.filter((volume) => !ending.includes(volume)))
    await tx.updateVolume(id, { ...left, state: 'available' })
  // What is left of an instance on its host goes with it; on a storage, that is done later.
  for (const { id, storage = null } of ending)
    if (storage === null) await forgetVolume(tx, id)
    else await tx.updateVolume(id, { ...left, state: 'deleting' })
  await endMoveOf(tx, instance)
  const group = instance.options?.placementGroup?.id
  if (group !== undefined) await tx.leavePlacementGroup(group, instance.host)
  const type = (await tx.instanceTypes()).find((one) => one.name === instance.type)
  const { vcpus, memoryMiB } = type ?? { vcpus: 0, memoryMiB: 0 }
  await tx.returnCapacity(instance.host, vcpus, memoryMiB, sizeOf(ending))
}

/** Deletes a removed volume with its tags, and returns its share of its host. */
export async function releaseVolume(tx: Tx, volume: Volume): Promise<void> {
  await forgetVolume(tx, volume.id)
  await tx.returnCapacity(volume.host, 0, 0, sizeOf([volume]))
}

/** What these volumes take of their host's own disks, in GiB. */
export function sizeOf(volumes: readonly Pick<Volume, 'sizeGiB' | 'storage'>[]): number {
  const local = volumes.filter(({ storage = null }) => storage === null)
  return local.reduce((sum, { sizeGiB }) => sum + sizeGiB, 0)
}

async function forgetVolume(tx: Tx, id: VolumeId): Promise<void> {
  await tx.deleteTagsOf(id)
  await tx.deleteVolume(id)
}
