/** The NICs that a launch asks for: new ones, and such as there are. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { AccountId, GroupId, NicId, SubnetId } from '../../model/ids.ts'
import type { Group, Nic, Subnet } from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import {
  chooseGroups,
  nicIdSchema,
  nicInUse,
  refuseAddressesOf,
  refuseDeviceIndex,
  refuseTooManyAddresses,
  requireNic,
} from '../networks/network-interfaces.ts'
import {
  type AskedAddresses,
  addressCount,
  askedAddresses,
  namedAddresses,
  nicAddressShape,
  requireAddresses,
} from '../networks/nic-addresses.ts'
import { refuseTooManyGroups } from '../networks/security-groups.ts'
import { idListSchema, idSchema, notFound, onlySchema, textSchema } from '../schemas.ts'

/** One NIC of each instance of a launch. */
export interface NicOrder extends AskedAddresses {
  readonly deviceIndex: number
  /** One that there is. Undefined: a new one. */
  readonly existing: NicId | undefined
  readonly subnet: SubnetId | undefined
  readonly groupIds: readonly GroupId[]
  readonly groupNames: readonly string[]
  readonly description: string | undefined
  /** Undefined: a new one is deleted with its instance, and another stays. */
  readonly deleteOnTermination: boolean | undefined
}

/** What an order names. */
export interface NicChoice {
  readonly order: NicOrder
  readonly subnet: Subnet
  readonly groups: readonly Group[]
  readonly existing: Nic | null
}

const NIC = 'NetworkInterfaces.N.'

/** An entry of `NetworkInterfaces`. */
export const launchNicSchema = z.strictObject({
  DeviceIndex: z.int().min(0).optional(),
  NetworkInterfaceId: nicIdSchema.optional(),
  SubnetId: idSchema('subnet', 'InvalidSubnetID.Malformed').optional(),
  Groups: idListSchema('sg', 'InvalidGroupId.Malformed').default([]),
  Description: textSchema.optional(),
  DeleteOnTermination: z.boolean().optional(),
  AssociatePublicIpAddress: z.boolean().optional(),
  InterfaceType: onlySchema('interface', `${NIC}InterfaceType: only interface`),
  NetworkCardIndex: onlySchema(0, `${NIC}NetworkCardIndex: there is one card, 0`),
  ...nicAddressShape(NIC),
  PrimaryIpv6: onlySchema(false, `${NIC}PrimaryIpv6: no IPv6`),
  AssociateCarrierIpAddress: onlySchema(
    false,
    `${NIC}AssociateCarrierIpAddress: there is no carrier`,
  ),
  EnaSrdSpecification: z
    .strictObject({ EnaSrdEnabled: onlySchema(false, `${NIC}EnaSrdSpecification: no ENA`) })
    .optional(),
})
type Given = z.output<typeof launchNicSchema>

/**
 * The orders, by device index. Errors: `InvalidParameterCombination`, `InvalidParameterValue`,
 * `MissingParameter`.
 */
export function nicOrders(given: readonly Given[]): readonly NicOrder[] {
  const orders = given.map(nicOrder).toSorted((a, b) => a.deviceIndex - b.deviceIndex)
  const indexes = orders.map(({ deviceIndex }) => deviceIndex)
  if (new Set(indexes).size < indexes.length)
    throw refused('InvalidParameterValue', 'Each network interface requires a unique device index.')
  if (orders.length > 0 && indexes[0] !== 0)
    throw refused(
      'InvalidParameterCombination',
      'When specifying network interfaces, you must include a device at index 0.',
    )
  if (orders.length > 1 && given.some((one) => one.AssociatePublicIpAddress !== undefined))
    throw refused(
      'InvalidParameterCombination',
      'The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.',
    )
  const named = orders.flatMap(({ existing }) => existing ?? [])
  const [twice] = named.filter((id, at) => named.indexOf(id) !== at)
  if (twice !== undefined) throw nicInUse(twice)
  return orders
}

function nicOrder(given: Given, _at: number, all: readonly Given[]): NicOrder {
  const { DeviceIndex, NetworkInterfaceId: existing } = given
  if (DeviceIndex === undefined && all.length > 1)
    throw refused(
      'InvalidParameterValue',
      'Each network interface requires a device index: NetworkInterfaces.N.DeviceIndex',
    )
  const addresses = askedAddresses(given)
  const settles =
    given.SubnetId !== undefined ||
    given.Groups.length > 0 ||
    addressCount(addresses) > 1 ||
    addresses.ip !== undefined ||
    given.Description !== undefined ||
    given.AssociatePublicIpAddress !== undefined
  if (existing !== undefined && settles)
    throw refused(
      'InvalidParameterCombination',
      `The network interface '${existing}' exists: its subnet, groups, addresses and description may not be given`,
    )
  if (existing !== undefined && given.DeleteOnTermination === true)
    throw refused(
      'InvalidParameterCombination',
      'A network interface may not specify a network interface ID and delete on termination as true',
    )
  return {
    ...addresses,
    deviceIndex: DeviceIndex ?? 0,
    existing,
    subnet: given.SubnetId,
    groupIds: given.Groups,
    groupNames: [],
    description: given.Description,
    deleteOnTermination: given.DeleteOnTermination,
  }
}

/**
 * The NIC that an order names, if it is one that there is. Errors: `InvalidNetworkInterface.InUse`.
 */
export async function existingNic(
  tx: ReadTx,
  account: AccountId,
  { existing: id }: NicOrder,
): Promise<Nic | null> {
  if (id === undefined) return null
  const nic = await requireNic(tx, account, id)
  if (nic.instance !== null) throw nicInUse(id)
  return nic
}

/**
 * What the orders beside the first name, in the VPC and the zone of the first one's subnet. Errors:
 * EC2's codes of whatever does not exist or fit.
 */
export async function furtherNics(
  tx: ReadTx,
  account: AccountId,
  orders: readonly NicOrder[],
  first: Subnet,
): Promise<readonly NicChoice[]> {
  const choices: NicChoice[] = []
  for (const order of orders) {
    const existing = await existingNic(tx, account, order)
    const id = existing?.subnet ?? order.subnet ?? first.id
    const [subnet] = id === first.id ? [first] : await tx.subnets({ account, ids: [id] })
    if (subnet === undefined) throw notFound('InvalidSubnetID.NotFound', 'subnet ID', [id])
    refuseOtherPlace(first, subnet)
    choices.push(await nicChoice(tx, order, subnet, existing))
  }
  return choices
}

/** An order with what it names. The addresses that it names must be free. */
export async function nicChoice(
  tx: ReadTx,
  order: NicOrder,
  subnet: Subnet,
  existing: Nic | null,
): Promise<NicChoice> {
  if (existing !== null) {
    const all = await tx.groups({ account: existing.account, vpcs: [existing.vpc] })
    const groups = existing.groups.flatMap((id) => all.find((group) => group.id === id) ?? [])
    return { order, subnet, groups, existing }
  }
  await requireAddresses(tx, subnet, namedAddresses(order))
  return { order, subnet, groups: await chooseGroups(tx, subnet, order), existing }
}

/** All NICs of an instance are in one VPC and one zone. */
export function refuseOtherPlace(first: Subnet, { id, vpc, zone }: Subnet): void {
  if (zone !== first.zone)
    throw refused(
      'InvalidParameterCombination',
      `You may not attach a network interface to an instance if they are not in the same availability zone: the subnet '${id}' is in '${zone}', not in '${first.zone}'`,
    )
  if (vpc !== first.vpc)
    throw refused(
      'InvalidParameterCombination',
      `Network interface and instance are in different VPCs: the subnet '${id}' is in '${vpc}', not in '${first.vpc}'`,
    )
}

/** Refuses more NICs, addresses and groups than an instance of this type may have. */
export function refuseTooMuch(
  nics: readonly NicChoice[],
  type: string,
  settings: Pick<ApiSettings, 'nicLimits' | 'quotas'>,
): void {
  for (const { order, groups, existing } of nics) {
    refuseDeviceIndex(order.deviceIndex, type, settings)
    refuseTooManyGroups(groups.length, settings)
    if (existing === null) refuseTooManyAddresses(addressCount(order), type, settings)
    else refuseAddressesOf(existing, type, settings)
  }
}

/** Whether only hosts of this version do what is asked: the rest is as it ever was. */
export function needsNewHosts({ order, existing }: NicChoice): boolean {
  const { deviceIndex, deleteOnTermination = true } = order
  return existing !== null || deviceIndex > 0 || addressCount(order) > 1 || !deleteOnTermination
}
