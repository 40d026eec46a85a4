/** Changes the type of a stopped instance. */
import type { DriverDeclaration } from '../../model/driver.ts'
import { refused } from '../../model/errors.ts'
import type { InstanceChange } from '../../model/lifecycle.ts'
import type { Instance } from '../../model/records.ts'
import type { Tx } from '../../store/store.ts'
import { driverOfInstance } from '../drivers.ts'

/**
 * Takes what the type needs of the instance's host, and returns what it had. Its disk keeps its
 * size. Refuses a type that does not exist, an instance whose driver cannot change it, and a type
 * that does not fit on the host.
 */
export async function changeType(
  tx: Tx,
  instance: Instance,
  name: string,
  drivers: readonly DriverDeclaration[],
): Promise<InstanceChange | undefined> {
  const { id, account, host, image, type: had } = instance
  if (name === had) return undefined
  const types = await tx.instanceTypes()
  const type = types.find((one) => one.name === name)
  if (type === undefined)
    throw refused('InvalidParameterValue', `Invalid value '${name}' for InstanceType.`)
  const [origin] = await tx.images({ account, ids: [image] })
  const driver = driverOfInstance(instance, origin, drivers)
  if (driver?.changesType !== true)
    throw refused(
      'UnsupportedOperation',
      `InstanceType: '${id}' keeps the type that it was launched with: its driver (${driver?.name ?? 'unknown'}) cannot change it`,
    )
  const before = types.find((one) => one.name === had)
  await tx.returnCapacity(host, before?.vcpus ?? 0, before?.memoryMiB ?? 0)
  if ((await tx.takeCapacity(host, type.vcpus, type.memoryMiB)) === 'done') return { type: name }
  throw refused(
    'InsufficientInstanceCapacity',
    `The host of '${id}' has no room for ${name}, or takes no instances now; \`atoll hosts\` shows the room of each`,
  )
}
