/**
 * AssociateAddress: lets a floating IP lead to a private address of a NIC. Unless
 * AllowReassociation is false, it leaves what it led to, and takes the place of another that leads
 * there.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
 */
import { z } from 'zod'
import type { Ipv4 } from '../../model/addr.ts'
import { refused, unavailable } from '../../model/errors.ts'
import type { AccountId, NicId } from '../../model/ids.ts'
import { addressesOfNic } from '../../model/nics.ts'
import { poolWith } from '../../model/pools.ts'
import type { Address, Nic } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { type Changing, changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import { addressShape, clearAddresses, requireAllocated, serves } from '../networks/addresses.ts'
import { refuseOfNatGateway } from '../networks/nat-gateways.ts'
import { nicIdSchema, requireNic } from '../networks/network-interfaces.ts'
import { routingOf } from '../networks/routing.ts'
import { idSchema, ipv4Schema } from '../schemas.ts'

const schema = z.strictObject({
  ...addressShape,
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed').optional(),
  NetworkInterfaceId: nicIdSchema.optional(),
  PrivateIpAddress: ipv4Schema.optional(),
  AllowReassociation: z.boolean().default(true),
})
type Asked = z.output<typeof schema>

/** Answers the association that is there already, if it is the one that is asked for. */
export const associateAddress = changeAction({
  name: 'AssociateAddress',
  input: schema,
  change: associate,
  view: (AssociationId) => ({ AssociationId }),
})

async function associate(tx: Tx, asked: Asked, { account, newId, settings }: Changing) {
  const address = await requireAllocated(tx, account, asked)
  await refuseOfNatGateway(tx, address, 'Resource.AlreadyAssociated')
  const nic = await requireTarget(tx, account, asked)
  const privateIp = asked.PrivateIpAddress ?? nic.ip
  if (!addressesOfNic(nic).includes(privateIp))
    throw refused(
      'InvalidParameterValue',
      `The address ${privateIp} does not belong to the network interface '${nic.id}'`,
    )
  const { association } = address
  if (association?.nic === nic.id && association.privateIp === privateIp) return association.id
  const [subnet] = await tx.subnets({ ids: [nic.subnet] })
  const zone = subnet?.zone ?? ''
  const pool = poolWith(settings.pools, address.ip)
  if (pool !== undefined && !serves(pool, zone))
    throw refused(
      'InvalidParameterCombination',
      `The address '${address.id}' is of the pool '${pool.name}', which is not for the zone '${zone}' of '${nic.instance ?? nic.id}'`,
    )
  const routing = await routingOf(tx, nic)
  // In a VPC that an older daemon made there is always a way out.
  if (routing.tables.length > 0 && routing.internetGateways.length === 0)
    throw refused(
      'Gateway.NotAttached',
      `Network ${nic.vpc} is not attached to any internet gateway`,
    )
  if (!asked.AllowReassociation) await refuseReassociation(tx, address, nic.id, privateIp)
  if (association !== null) await tx.associateAddress(address.id, null)
  await clearAddresses(tx, { nic: nic.id, privateIp })
  const id = newId('eipassoc')
  if ((await tx.associateAddress(address.id, { id, nic: nic.id, privateIp })) === 'taken')
    throw unavailable('Another address is being associated with the same network interface')
  return id
}

/** The NIC that is named by itself or by its instance, whose first one is meant. */
async function requireTarget(
  tx: ReadTx,
  account: AccountId,
  { InstanceId, NetworkInterfaceId }: Asked,
): Promise<Nic> {
  if (InstanceId !== undefined && NetworkInterfaceId !== undefined)
    throw refused(
      'InvalidParameterCombination',
      'You may specify either instance ID or network interface ID, but not both',
    )
  if (NetworkInterfaceId !== undefined) return await requireNic(tx, account, NetworkInterfaceId)
  if (InstanceId === undefined)
    throw refused(
      'MissingParameter',
      'Either instance ID or network interface ID must be specified',
    )
  const { id, state } = await requireInstance(tx, account, InstanceId)
  const [nic] = (await tx.nics({ account, instances: [id] })).toSorted(
    (a, b) => a.deviceIndex - b.deviceIndex,
  )
  if (nic !== undefined && state !== 'shutting-down' && state !== 'terminated') return nic
  throw refused('InvalidInstanceID', `The instance '${id}' is not in a valid state: it is ${state}`)
}

/** `Resource.AlreadyAssociated` when the address leads somewhere, or another leads to the NIC. */
async function refuseReassociation(
  tx: ReadTx,
  address: Address,
  nic: NicId,
  privateIp: Ipv4,
): Promise<void> {
  const [other] = (await tx.addresses({ nics: [nic] })).filter(
    ({ isAutomatic, association }) => !isAutomatic && association?.privateIp === privateIp,
  )
  const [resource, association] =
    address.association === null ? [nic, other?.association] : [address.id, address.association]
  if (association === undefined || association === null) return
  throw refused(
    'Resource.AlreadyAssociated',
    `resource ${resource} is already associated with associate-id ${association.id}`,
  )
}
