/** What goes back to the pool when an instance is no more. */
import type { Instance } from '../model/records.ts'
import type { Tx } from './store.ts'

/** Gives back what a terminated instance had: its addresses, and its share of its host. */
export async function releaseInstance(tx: Tx, instance: Instance): Promise<void> {
  await tx.deleteNics(instance.id)
  const type = (await tx.instanceTypes()).find((one) => one.name === instance.type)
  if (type !== undefined) await tx.returnCapacity(instance.host, type.vcpus, type.memoryMiB)
}
