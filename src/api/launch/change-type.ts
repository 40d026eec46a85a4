/** Changes the type of a stopped instance. */
import { refused } from '../../model/errors.ts'
import type { InstanceChange } from '../../model/lifecycle.ts'
import type { Instance, InstanceType } from '../../model/records.ts'
import { storageOf } from '../../model/storage.ts'
import { afterPlacing } from '../../plan/failover/reserve.ts'
import { afterTaking } from '../../plan/placement.ts'
import { sizeOf } from '../../store/release.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { driverOfInstance } from '../instances/drivers.ts'
import { RESERVED, readReserve } from '../instances/reserve.ts'
import { refuseAddressesOf, refuseDeviceIndex } from '../networks/network-interfaces.ts'
import { refuseMore } from '../quotas.ts'

/**
 * Takes what the type needs of the instance's host, and returns what it had. Its disk keeps its
 * size. Refuses a type that does not exist, an instance whose driver cannot change it, and a type
 * that may not have its NICs, does not fit on the host, or is more than the account may have.
 */
export async function changeType(
  tx: Tx,
  instance: Instance,
  name: string,
  settings: Pick<ApiSettings, 'drivers' | 'nicLimits' | 'quotas' | 'reserve'>,
): Promise<InstanceChange | undefined> {
  const { id, account, host, image, type: had } = instance
  if (name === had) return undefined
  const types = await tx.instanceTypes()
  const type = types.find((one) => one.name === name)
  if (type === undefined)
    throw refused('InvalidParameterValue', `Invalid value '${name}' for InstanceType.`)
  // It may be another account's.
  const [origin] = await tx.images({ ids: [image] })
  const driver = driverOfInstance(instance, origin, settings.drivers)
  if (driver?.changesType !== true)
    throw refused(
      'UnsupportedOperation',
      `InstanceType: '${id}' keeps the type that it was launched with: its driver (${driver?.name ?? 'unknown'}) cannot change it`,
    )
  for (const nic of await tx.nics({ account, instances: [id] })) {
    refuseDeviceIndex(nic.deviceIndex, name, settings)
    refuseAddressesOf(nic, name, settings)
  }
  const before = types.find((one) => one.name === had)
  await refuseMore(tx, account, settings.quotas, {
    vcpus: type.vcpus - (before?.vcpus ?? 0),
    memoryMiB: type.memoryMiB - (before?.memoryMiB ?? 0),
  })
  if (!(await isLeftFree(tx, instance, before, type, settings.reserve)))
    throw refused(
      'InsufficientInstanceCapacity',
      `The host of '${id}' has no room for ${name}. ${RESERVED}`,
    )
  await tx.returnCapacity(host, before?.vcpus ?? 0, before?.memoryMiB ?? 0)
  if ((await tx.takeCapacity(host, type.vcpus, type.memoryMiB)) === 'done') return { type: name }
  throw refused(
    'InsufficientInstanceCapacity',
    `The host of '${id}' has no room for ${name}, or takes no instances now; \`atoll hosts\` shows the room of each`,
  )
}

/** Whether what is to be left free stays free. A smaller type takes nothing of it. */
async function isLeftFree(
  tx: ReadTx,
  { id, host, recovery }: Instance,
  from: InstanceType | undefined,
  to: InstanceType,
  setting: ApiSettings['reserve'],
): Promise<boolean> {
  const [vcpus, memoryMiB] = [from?.vcpus ?? 0, from?.memoryMiB ?? 0]
  if (setting === 'none' || (to.vcpus <= vcpus && to.memoryMiB <= memoryMiB)) return true
  const volumes = await tx.volumes({ instances: [id] })
  const diskGiB = sizeOf(volumes)
  const had = { vcpus: -vcpus, memoryMiB: -memoryMiB, diskGiB: -diskGiB }
  const reserve = await readReserve(tx, afterTaking(await tx.hosts(), host, had), setting, id)
  if (reserve === null) return true
  const demand = { vcpus: to.vcpus, memoryMiB: to.memoryMiB, diskGiB }
  const recovers = recovery?.wanted === 'recover'
  return afterPlacing(reserve, { host, demand, storage: storageOf(volumes), recovers }) !== null
}
