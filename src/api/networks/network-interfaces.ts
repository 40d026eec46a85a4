/** What actions on NICs share. */
import type { Ipv4 } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId, AttachmentId, GroupId, NicId, SubnetId, VpcId } from '../../model/ids.ts'
import { type NicLimit, nicLimitOf } from '../../model/nic-limits.ts'
import { addressesOfNic } from '../../model/nics.ts'
import { QUOTAS } from '../../model/quotas.ts'
import type { Address, Group, Instance, Nic, Subnet, Tag } from '../../model/records.ts'
import { olderThan, type Version } from '../../model/version.ts'
import { DEFAULT_GROUP } from '../../store/new-vpc.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { refuseMissing } from '../describe.ts'
import { idSchema, notFound } from '../schemas.ts'

/** A NIC with everything that a response shows of it. */
export interface NicDetails {
  readonly nic: Nic
  /** Of its subnet. */
  readonly zone: string
  /** Absent for a NIC that is attached to nothing. */
  readonly instance?: Instance | undefined
  /** Whether it is part of a NAT gateway. */
  readonly isOfNatGateway?: boolean
  readonly groups: ReadonlyMap<GroupId, Group>
  /** Floating IPs that lead to it. */
  readonly addresses: readonly Address[]
  readonly tags: readonly Tag[]
}

/** The id of a NIC. */
export const nicIdSchema = idSchema('eni', 'InvalidNetworkInterfaceId.Malformed')

/** The id of an attachment. */
export const attachmentIdSchema = idSchema(
  'eni-attach',
  'InvalidNetworkInterfaceAttachmentId.Malformed',
)

/** `InvalidAttachmentID.NotFound`. */
export function missingAttachment(id: AttachmentId): Error {
  return notFound('InvalidAttachmentID.NotFound', 'interface attachment ID', [id])
}

/** Older daemons could not read a NIC without an instance, and would delete what is to stay. */
const OBJECTS_VERSION: Version = [0, 4]

/** Errors: `OperationNotPermitted` while a host would not understand such NICs. */
export async function refuseNicsForOlderHosts(
  tx: ReadTx,
  { host }: Pick<ApiSettings, 'host'>,
): Promise<void> {
  const [older] = olderThan(OBJECTS_VERSION, await tx.hosts(), host)
  if (older !== undefined)
    throw refused(
      'OperationNotPermitted',
      `The host ${older} has an older version, which knows network interfaces only as parts of instances: upgrade it, or forget it if it is gone`,
    )
}

/** `InvalidNetworkInterfaceID.NotFound`. */
export function missingNics(ids: readonly string[]): Error {
  return notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface ID', ids)
}

/**
 * One NIC of the account, which clients may use. Errors: `InvalidNetworkInterfaceID.NotFound`;
 * `OperationNotPermitted` for that of a NAT gateway.
 */
export async function requireNic(tx: ReadTx, account: AccountId, id: NicId): Promise<Nic> {
  const [nic] = await tx.nics({ account, ids: [id] })
  if (nic === undefined) throw missingNics([id])
  const [gateway] = nic.instance === null ? await tx.natGateways({ account, nics: [id] }) : []
  if (gateway !== undefined)
    throw refused(
      'OperationNotPermitted',
      `The network interface '${id}' is part of ${gateway.id}, and goes with it`,
    )
  return nic
}

/**
 * The account's NICs with these ids. Errors: `InvalidNetworkInterfaceID.NotFound` for one that does
 * not exist.
 */
export async function findNics(
  tx: ReadTx,
  account: AccountId,
  ids: readonly NicId[],
): Promise<readonly NicDetails[]> {
  const nics = await tx.nics({ account, ids })
  refuseMissing(ids, new Set(nics.map(({ id }) => id)), missingNics)
  return await detailsOfNics(tx, account, nics)
}

/** What a response shows of these NICs of the account. */
export async function detailsOfNics(
  tx: ReadTx,
  account: AccountId,
  nics: readonly Nic[],
): Promise<readonly NicDetails[]> {
  const resources = nics.map(({ id }) => id)
  // Only instances of older daemons have the descriptions of their NICs.
  const described = nics.flatMap(({ instance, description }) =>
    description === undefined && instance !== null ? instance : [],
  )
  const instances = described.length === 0 ? [] : await tx.instances({ account, ids: described })
  const instanceOf = new Map(instances.map((one) => [one.id, one]))
  const subnets = await tx.subnets({ account, ids: [...new Set(nics.map(({ subnet }) => subnet))] })
  const zones = new Map(subnets.map(({ id, zone }) => [id, zone]))
  const groupIds = [...new Set(nics.flatMap((nic) => nic.groups))]
  const found = await tx.groups({ account, ids: groupIds })
  const groups = new Map(found.map((group) => [group.id, group]))
  const addresses = await tx.addresses({ nics: resources })
  const addressesOf = Map.groupBy(addresses, ({ association }) => association?.nic)
  const tagsOf = Map.groupBy(await tx.tags({ account, resources }), ({ resource }) => resource)
  const ofGateways = nics.some(({ instance }) => instance === null)
    ? new Set((await tx.natGateways({ account })).map(({ address }) => address?.nic))
    : new Set()
  return nics.map((nic) => ({
    nic,
    ...(ofGateways.has(nic.id) ? { isOfNatGateway: true } : {}),
    zone: zones.get(nic.subnet) ?? '',
    instance: nic.instance === null ? undefined : instanceOf.get(nic.instance),
    groups,
    addresses: addressesOf.get(nic.id) ?? [],
    tags: tagsOf.get(nic.id) ?? [],
  }))
}

/**
 * How many more NICs the account may have. Errors: `NetworkInterfaceLimitExceeded` when that is
 * less than `least`. Of two requests at the same moment one counts what the other has made, if the
 * limit is below the default: above it, launches need not wait for each other.
 */
export async function roomForNics(
  tx: Tx,
  account: AccountId,
  least: number,
  { quotas }: Pick<ApiSettings, 'quotas'>,
): Promise<number> {
  const most = quotas.networkInterfaces
  if (most < QUOTAS.networkInterfaces.usual) await tx.takeTurn(account)
  const room = most - (await tx.countNics(account))
  if (room < least)
    throw refused(
      'NetworkInterfaceLimitExceeded',
      `The maximum number of network interfaces has been reached: ${most}`,
    )
  return room
}

/** What an instance of this type may have. */
function limitsOf(type: string, { nicLimits }: Pick<ApiSettings, 'nicLimits'>): NicLimit {
  return nicLimitOf(type, nicLimits)
}

/** Refuses a device index that an instance of this type does not have. */
export function refuseDeviceIndex(
  index: number,
  type: string,
  settings: Pick<ApiSettings, 'nicLimits'>,
): void {
  const { interfaces } = limitsOf(type, settings)
  if (index >= interfaces)
    throw refused(
      'AttachmentLimitExceeded',
      `Interface count ${index + 1} exceeds the limit for ${type}: an instance of it has at most ${interfaces} network interface(s), with device indexes from 0 to ${interfaces - 1}`,
    )
}

/**
 * Refuses more addresses than a NIC may have: that of an instance of this type or, of one that is
 * attached to nothing, of any.
 */
export function refuseTooManyAddresses(
  count: number,
  type: string | null,
  { nicLimits }: Pick<ApiSettings, 'nicLimits'>,
): void {
  const most =
    type === null
      ? Math.max(1, ...nicLimits.map(({ addresses }) => addresses))
      : nicLimitOf(type, nicLimits).addresses
  if (count > most)
    throw refused(
      'PrivateIpAddressLimitExceeded',
      `The number of private addresses would be ${count}; a network interface${type === null ? '' : ` of an instance of type ${type}`} may have ${most}`,
    )
}

/** Refuses a NIC with more addresses than it may have on an instance of this type. */
export function refuseAddressesOf(
  nic: Nic,
  type: string,
  settings: Pick<ApiSettings, 'nicLimits'>,
): void {
  refuseTooManyAddresses(addressesOfNic(nic).length, type, settings)
}

/** `InvalidNetworkInterface.InUse`. */
export function nicInUse(id: NicId): Error {
  return refused('InvalidNetworkInterface.InUse', `Interface: [${id}] in use.`)
}

/** `InvalidParameterValue`: the instance has a NIC with this device index. */
export function deviceIndexTaken(instance: string, index: number): Error {
  return refused(
    'InvalidParameterValue',
    `Instance '${instance}' already has an interface attached at device index '${index}'.`,
  )
}

/** `InsufficientFreeAddressesInSubnet`. */
export function subnetFull({ id }: Pick<Subnet, 'id'>, count: number): Error {
  return refused(
    'InsufficientFreeAddressesInSubnet',
    `The subnet '${id}' has not enough free addresses: ${count} wanted`,
  )
}

/** For an address that the request names. */
export function addressInUse(ip: Ipv4): Error {
  return refused('InvalidIPAddress.InUse', `Address ${ip} is in use.`)
}

/**
 * The groups that were named, by id or by name, all of the VPC; else its default group. They are
 * not in the catalogue of launches: groups come and go.
 */
export async function chooseGroups(
  tx: ReadTx,
  {
    id: subnet,
    vpc,
    account,
  }: { readonly id: SubnetId; readonly vpc: VpcId; readonly account: AccountId },
  {
    groupIds,
    groupNames,
  }: { readonly groupIds: readonly GroupId[]; readonly groupNames: readonly string[] },
): Promise<readonly Group[]> {
  const inVpc = await tx.groups({ account, vpcs: [vpc] })
  const missingIds = groupIds.filter((id) => !inVpc.some((group) => group.id === id))
  if (missingIds.length > 0) {
    const foreign = (await tx.groups({ account })).find(({ id }) => missingIds.includes(id))
    throw foreign === undefined
      ? notFound('InvalidGroup.NotFound', 'security group', missingIds)
      : refused(
          'InvalidParameter',
          `Security group ${foreign.id} and subnet ${subnet} belong to different networks.`,
        )
  }
  const missing = groupNames.filter((name) => !inVpc.some((group) => group.name === name))
  if (missing.length > 0) throw notFound('InvalidGroup.NotFound', 'security group', missing)
  const asked = groupIds.length + groupNames.length > 0
  return inVpc.filter((group) =>
    asked
      ? groupIds.includes(group.id) || groupNames.includes(group.name)
      : group.name === DEFAULT_GROUP,
  )
}
