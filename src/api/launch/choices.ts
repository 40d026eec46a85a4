/**
 * Resolves a launch request to records: image, type, key, subnet, groups and hosts.
 *
 * Reads the catalogue and the launch's own transaction, and refuses with the EC2 code of whatever
 * does not exist.
 */
import type { DriverDeclaration } from '../../model/driver.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import { keptBy } from '../../model/image-location.ts'
import type { Host, Image, InstanceType, Subnet } from '../../model/records.ts'
import { chooseHost, type Demand } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'
import { driverOfImage } from '../instances/drivers.ts'
import { visibleImages } from '../instances/images.ts'
import { fencedHosts, isFenced, refuseLostDisk, unsaidDisk } from '../instances/recovery.ts'
import { hostsWithStorage } from '../instances/storage.ts'
import { missingImages, notFound } from '../schemas.ts'
import type { CatalogueReading } from './catalogue.ts'
import { type LaunchDisk, launchDisk } from './disk.ts'
import { existingNic, furtherNics, type NicChoice, nicChoice } from './nics.ts'
import { type GroupChoice, groupChoice, refuseOtherZone, zoneOf } from './placement-group.ts'
import type { LaunchNetwork, LaunchRequest } from './request.ts'

export interface LaunchChoices {
  readonly image: Image
  readonly type: InstanceType
  /** The driver of the instances. */
  readonly driver: DriverDeclaration
  /** Null if the root of the driver's instances is not a volume. */
  readonly disk: LaunchDisk | null
  /** What each instance needs of its host. */
  readonly demand: Demand
  /** Of the first NIC. */
  readonly subnet: Subnet
  /** The NICs of each instance, by device index. */
  readonly nics: readonly NicChoice[]
  /** Null: outside of any placement group. */
  readonly group: GroupChoice | null
  /** The hosts that may take the instances: those of the subnet's zone. */
  readonly hosts: readonly Host[]
}

/**
 * Everything that the order names. The catalogue's hosts are those that may take instances now, in
 * all zones.
 */
export async function launchChoices(
  tx: ReadTx,
  account: AccountId,
  order: LaunchRequest,
  catalogue: CatalogueReading & { readonly drivers: readonly DriverDeclaration[] },
  /** Any non-negative integer, to choose among equally good ones. */
  random: number,
): Promise<LaunchChoices> {
  const [image] = await visibleImages(tx, account, [order.image])
  if (image === undefined) throw missingImages([order.image])
  const able = hostsWith(image, catalogue.hosts)
  const type = catalogue.types.find((one) => one.name === order.type)
  if (type === undefined) {
    throw refused(
      'InvalidParameterValue',
      `Invalid value '${order.type}' for InstanceType. DescribeInstanceTypes lists the types there are`,
    )
  }
  if (order.cores !== null && order.cores !== type.vcpus)
    throw refused(
      'UnsupportedOperation',
      `CpuOptions.CoreCount: '${type.name}' has ${type.vcpus} core(s) of one thread each`,
    )
  const driver = requireDriver(image, catalogue.drivers)
  const disk = launchDisk(order, image, type, driver)
  const { storedOn = null } = disk ?? {}
  const hosts = hostsFor(
    order,
    storedOn === null ? able : hostsWithStorage(able, storedOn),
    image,
    disk,
  )
  const { vcpus, memoryMiB } = type
  const diskGiB = disk === null || storedOn !== null ? 0 : disk.sizeGiB
  const demand = { vcpus, memoryMiB, diskGiB }
  await requireKey(tx, account, order.keyName)
  const subnets = catalogue.subnets.filter((one) => one.account === account)
  const group = await groupChoice(tx, account, order.placementGroup)
  const network = inZoneOf(group, order.network)
  const existing = await existingNic(tx, account, network)
  const subnet =
    existing === null
      ? chooseSubnet(subnets, network, hosts, demand, random)
      : namedSubnet(subnets, existing.subnet, network.zone)
  refuseOtherZone(group, subnet.zone)
  const first = await nicChoice(tx, network, subnet, existing)
  return {
    image,
    type,
    driver,
    disk,
    demand,
    subnet,
    nics: [first, ...(await furtherNics(tx, account, network.further, subnet))],
    group,
    hosts: hosts.filter((host) => host.zone === subnet.zone),
  }
}

/**
 * The zone of a cluster's members is wanted, unless the request says where.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html
 */
function inZoneOf(group: GroupChoice | null, network: LaunchNetwork): LaunchNetwork {
  const zone = zoneOf(group)
  const isFree = network.zone === undefined && network.subnet === undefined
  return zone !== null && isFree && network.existing === undefined ? { ...network, zone } : network
}

/** The driver of the image. Errors: `refused` when no host of this version has it. */
function requireDriver(image: Image, drivers: readonly DriverDeclaration[]): DriverDeclaration {
  const driver = driverOfImage(image, drivers)
  if (driver !== undefined) return driver
  throw refused(
    'UnsupportedOperation',
    `The image '${image.id}' is for the driver '${image.driver}', which this version of Atoll does not have; ask a host of a newer one`,
  )
}

/** The hosts that may run them, by what becomes of them when their host is lost. */
function hostsFor(
  { recovery, keepsDisk }: Pick<LaunchRequest, 'recovery' | 'keepsDisk'>,
  hosts: readonly Host[],
  image: Image,
  disk: LaunchDisk | null,
): readonly Host[] {
  if (recovery === 'unsaid' && hosts.some(isFenced)) throw unsaidDisk()
  if (recovery !== 'recover') return hosts
  refuseLostDisk(image, disk && { ...disk, isShared: disk.storedOn !== null }, keepsDisk)
  return fencedHosts(hosts)
}

/** The hosts that can have the image: all, or the only one that has it. */
function hostsWith(image: Image, hosts: readonly Host[]): readonly Host[] {
  if (image.sourceInstance !== null && image.state !== 'available') {
    const why = image.stateReason === null ? '' : ` (${image.stateReason})`
    throw refused(
      'InvalidAMIID.Unavailable',
      `The image id '[${image.id}]' is ${image.state}${why}`,
    )
  }
  const only = keptBy(image.location)
  if (only === null) return hosts
  const holder = hosts.filter(({ name }) => name === only)
  if (holder.length > 0) return holder
  throw refused(
    'InsufficientInstanceCapacity',
    `The image '${image.id}' exists only on the host '${only}', which takes no instances now: it is lost, draining or full; ` +
      '`atoll hosts` shows which',
  )
}

async function requireKey(tx: ReadTx, account: AccountId, keyName: string | null): Promise<void> {
  if (keyName === null) return
  const keys = await tx.keyPairs({ account })
  if (!keys.some((key) => key.name === keyName))
    throw notFound('InvalidKeyPair.NotFound', 'key pair', [keyName])
}

/**
 * The named subnet, or a default one: that of the zone of a host with much free capacity
 * (`chooseHost`).
 */
function chooseSubnet(
  subnets: readonly Subnet[],
  { subnet: id, zone }: LaunchNetwork,
  hosts: readonly Host[],
  demand: Demand,
  random: number,
): Subnet {
  if (id !== undefined) return namedSubnet(subnets, id, zone)
  const known = new Set([...subnets, ...hosts].map((one) => one.zone))
  if (zone !== undefined && !known.has(zone))
    throw refused('InvalidParameterValue', `Invalid availability zone: [${zone}]`)
  const defaults = new Map(
    subnets
      .filter((subnet) => subnet.isDefault && (zone === undefined || subnet.zone === zone))
      .map((subnet) => [subnet.zone, subnet]),
  )
  const roomy = chooseHost(
    hosts.filter((host) => defaults.has(host.zone)),
    demand,
    random,
  )
  const chosen = defaults.get(roomy?.zone ?? '') ?? [...defaults.values()][0]
  if (chosen === undefined)
    throw refused('VPCIdNotSpecified', 'There is no default subnet to launch into; give a SubnetId')
  return chosen
}

function namedSubnet(
  subnets: readonly Subnet[],
  id: NonNullable<LaunchNetwork['subnet']>,
  zone: string | undefined,
): Subnet {
  const subnet = subnets.find((one) => one.id === id)
  if (subnet === undefined) throw notFound('InvalidSubnetID.NotFound', 'subnet ID', [id])
  if (zone !== undefined && zone !== subnet.zone) {
    throw refused(
      'InvalidParameterValue',
      `Placement.AvailabilityZone is '${zone}', but the subnet '${id}' is in '${subnet.zone}'`,
    )
  }
  return subnet
}
