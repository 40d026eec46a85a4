/** What goes back to the pool when an instance is no more. */

import type { VolumeId } from '../model/ids.ts'
import { outlives } from '../model/lifecycle.ts'
import type { Instance } from '../model/records.ts'
import type { Tx } from './store.ts'

/**
 * Gives back what a terminated instance had: its addresses, its share of its host, and the disks that go with it. Those that outlive it
 * are volumes of their own from now on.
 */
export async function releaseInstance(tx: Tx, instance: Instance): Promise<void> {
  await tx.deleteNics(instance.id)
  for (const volume of await tx.volumes({ instances: [instance.id] }))
    if (outlives(volume, instance))
      await tx.updateVolume(volume.id, { state: 'available', instance: null, host: instance.host })
    else await removeVolume(tx, volume.id)
  const type = (await tx.instanceTypes()).find((one) => one.name === instance.type)
  if (type !== undefined) await tx.returnCapacity(instance.host, type.vcpus, type.memoryMiB)
}

/** Forgets a volume of which nothing is left, with its tags. */
export async function removeVolume(tx: Tx, id: VolumeId): Promise<void> {
  await tx.deleteTagsOf(id)
  await tx.deleteVolume(id)
}
