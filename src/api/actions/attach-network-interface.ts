/** AttachNetworkInterface. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Instance, Nic } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { type Changing, changeAction } from '../change.ts'
import { driverOfInstance } from '../instances/drivers.ts'
import { requireInstance } from '../instances/instances.ts'
import { refuseOtherPlace } from '../launch/nics.ts'
import {
  deviceIndexTaken,
  nicIdSchema,
  nicInUse,
  refuseAddressesOf,
  refuseDeviceIndex,
  refuseNicsForOlderHosts,
  requireNic,
} from '../networks/network-interfaces.ts'
import { idSchema, onlySchema } from '../schemas.ts'

const schema = z.strictObject({
  NetworkInterfaceId: nicIdSchema,
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
  DeviceIndex: z.int().min(0),
  NetworkCardIndex: onlySchema(0, 'NetworkCardIndex: there is one card, 0'),
  EnaSrdSpecification: z
    .strictObject({ EnaSrdEnabled: onlySchema(false, 'EnaSrdSpecification: no ENA') })
    .optional(),
})
type Asked = z.output<typeof schema>

/**
 * Attaches a NIC to a running or a stopped instance of its VPC and zone. It stays when the instance
 * is terminated.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachNetworkInterface.html
 */
export const attachNetworkInterface = changeAction({
  name: 'AttachNetworkInterface',
  input: schema,
  change: attach,
  view: (AttachmentId) => ({ AttachmentId, NetworkCardIndex: 0 }),
})

async function attach(tx: Tx, asked: Asked, { account, newId, now, settings }: Changing) {
  await refuseNicsForOlderHosts(tx, settings)
  const { NetworkInterfaceId, InstanceId, DeviceIndex: deviceIndex } = asked
  const nic = await requireNic(tx, account, NetworkInterfaceId)
  const instance = await requireInstance(tx, account, InstanceId)
  const isLiving = instance.state === 'running' || instance.state === 'stopped'
  if (!isLiving || instance.wanted === 'terminate')
    throw refused('IncorrectState', `Instance '${InstanceId}' is not 'running' or 'stopped'.`)
  if (nic.instance !== null) throw nicInUse(nic.id)
  const others = await tx.nics({ account, instances: [instance.id] })
  if (others.some((other) => other.deviceIndex === deviceIndex))
    throw deviceIndexTaken(instance.id, deviceIndex)
  refuseDeviceIndex(deviceIndex, instance.type, settings)
  refuseAddressesOf(nic, instance.type, settings)
  await refuseElsewhere(tx, nic, others)
  const isRunning = instance.state === 'running'
  if (isRunning) await refuseFixedNics(tx, instance, settings)
  const id = newId('eni-attach')
  const attachment = {
    ...{ id, attachedAt: now, deleteOnTermination: false },
    ...(isRunning ? { isBeginning: true as const } : {}),
  }
  const result = await tx.attachNic(nic, { instance: instance.id, deviceIndex, attachment })
  if (result === 'taken') throw deviceIndexTaken(instance.id, deviceIndex)
  if (result === 'in-use') throw nicInUse(nic.id)
  return id
}

/** The instance is where its first NIC is. */
async function refuseElsewhere(tx: ReadTx, nic: Nic, others: readonly Nic[]): Promise<void> {
  const first = others.find(({ deviceIndex }) => deviceIndex === 0)
  if (first === undefined) return
  const subnets = await tx.subnets({ ids: [first.subnet, nic.subnet] })
  const [own, its] = [first, nic].map(({ subnet }) => subnets.find(({ id }) => id === subnet))
  if (own !== undefined && its !== undefined) refuseOtherPlace(own, its)
}

/** Refuses a running instance that can get no NIC before its next start. */
async function refuseFixedNics(
  tx: ReadTx,
  instance: Instance,
  { drivers }: Pick<ApiSettings, 'drivers'>,
): Promise<void> {
  const [image] = await tx.images({ ids: [instance.image] })
  const driver = driverOfInstance(instance, image, drivers)
  const location = image === undefined || image.location === '' ? null : image.location
  if (driver?.attachesTo?.(location) === true) return
  throw refused(
    'UnsupportedOperation',
    `'${instance.id}' cannot get a network interface while it runs (its machine has no PCI, or its driver cannot do it): stop it first`,
  )
}
