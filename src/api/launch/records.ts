/**
 * Writes one launch: a host, an address and records for each instance, as far as there is room.
 *
 * It runs inside the launch's transaction. Choices are made from its snapshot, and the store's
 * conditional statements decide. A choice that lost is made again without the loser.
 */
import type { Ipv4 } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId, HostName, ReservationId } from '../../model/ids.ts'
import { keptBy } from '../../model/image-location.ts'
import { launchMetadata } from '../../model/metadata-options.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import type { Address, Host, Instance, Nic, Volume } from '../../model/records.ts'
import { afterTaking, chooseHost } from '../../plan/placement.ts'
import type { Tx } from '../../store/store.ts'
import type { AddressSource } from '../addresses.ts'
import { type Budget, writeOne } from '../budget.ts'
import type { InstanceDetails } from '../instance-details.ts'
import { notFound, specifiedTags } from '../schemas.ts'
import { addressInUse, type LaunchChoices } from './choices.ts'
import { type FreeAddresses, freeAddresses } from './free-addresses.ts'
import type { RandomIds } from './random-ids.ts'
import type { LaunchRequest } from './request.ts'

/** What to write. */
interface LaunchPlan {
  readonly order: LaunchRequest
  readonly choices: LaunchChoices
  /** The launch is refused with fewer instances. */
  readonly least: number
  readonly account: AccountId
  readonly reservation: ReservationId
  /** ISO 8601. */
  readonly now: string
  readonly draw: RandomIds
  /** Where public addresses come from; null: none is wanted. */
  readonly publicAddresses: AddressSource | null
  readonly budget: Budget
}

/** A launch under way. */
interface Launch extends LaunchPlan {
  readonly tx: Tx
  /**
   * What is left to choose from, as far as this transaction knows. It shrinks with every instance.
   */
  readonly room: { hosts: readonly Host[]; readonly addresses: FreeAddresses }
}

/** An instance that was written. */
interface Launched {
  readonly instance: Instance
  readonly nic: Nic
  /** The public address, if one was wanted. */
  readonly addresses: readonly Address[]
  readonly host: Host
  /** Empty if its root is not a volume. */
  readonly volumes: readonly Volume[]
}

type Shortage = 'capacity' | 'addresses' | 'public addresses'
type Outcome = { readonly launched: Launched } | { readonly short: Shortage }

/**
 * Writes at most `maxCount` pending instances, and returns them in launch order. Refuses when there
 * is no room for `least` of them (`InsufficientInstanceCapacity`,
 * `InsufficientFreeAddressesInSubnet`, `InsufficientAddressCapacity`), or when the requested
 * address is in use. Then the caller's transaction is rolled back.
 */
export async function writeLaunch(tx: Tx, plan: LaunchPlan): Promise<readonly InstanceDetails[]> {
  const { order, choices, least, account, draw, budget } = plan
  const addresses = freeAddresses(tx, choices.subnet, order.maxCount, draw.number)
  const launch: Launch = { ...plan, tx, room: { hosts: choices.hosts, addresses } }
  const launched: Launched[] = []
  while (launched.length < order.maxCount) {
    await writeOne(budget)
    const outcome = await launchOne(launch, launched.length)
    if ('launched' in outcome) launched.push(outcome.launched)
    else if (launched.length >= (outcome.short === 'capacity' ? least : order.minCount)) break
    else throw shortageOf(outcome.short, plan)
  }
  // What was written is not read again, because the next launch waits for the host's row.
  const { image, type } = choices
  const groups = new Map(choices.groups.map((group) => [group.id, group]))
  const details = launched.map(({ instance, nic, addresses, host, volumes }) => {
    const tags = [
      { account, resource: instance.id, resourceType: 'instance' },
      { account, resource: nic.id, resourceType: 'network-interface' },
    ]
      .flatMap((resource) => specifiedTags(order.tags, resource))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    return { instance, nics: [nic], addresses, tags, groups, host, image, type, volumes }
  })
  await tx.putTags(details.flatMap(({ tags }) => tags))
  const volumes = details.flatMap((one) => one.volumes)
  await tx.putTags(
    volumes.flatMap(({ id: resource }) =>
      specifiedTags(order.tags, { account, resource, resourceType: 'volume' }),
    ),
  )
  return details
}

/** One instance with its NIC. If there is no room, nothing of it is left. */
async function launchOne(launch: Launch, launchIndex: number): Promise<Outcome> {
  const { tx, choices } = launch
  const ip = await chooseIp(launch)
  if (ip === undefined) return { short: 'addresses' }
  const host = await takeHost(launch)
  if (host === undefined) return { short: 'capacity' }
  const instance = newInstance(launch, host.name, launchIndex)
  await tx.insertInstance(instance)
  const nic = await plug(launch, instance, ip)
  const addresses = nic === undefined ? [] : await publish(launch, nic)
  if (nic !== undefined && addresses !== null) {
    const volumes = newVolumes(launch, instance)
    for (const volume of volumes) await tx.insertVolume(volume)
    return { launched: { instance, nic, addresses, host, volumes } }
  }
  if (nic !== undefined) await tx.deleteNics(instance.id)
  await tx.deleteInstance(instance.id)
  const { vcpus, memoryMiB, diskGiB } = choices.demand
  await tx.returnCapacity(host.name, vcpus, memoryMiB, diskGiB)
  return { short: nic === undefined ? 'addresses' : 'public addresses' }
}

/** Gives the NIC a public address if one is wanted; null when there is none. */
async function publish(
  { tx, draw, publicAddresses, account, now }: Launch,
  { id: nic, ip: privateIp }: Nic,
): Promise<readonly Address[] | null> {
  if (publicAddresses === null) return []
  const association = { id: draw.id('eipassoc'), nic, privateIp }
  const wanted = { account, now, association, isAutomatic: true }
  const address = await publicAddresses.take(tx, wanted)
  return address === undefined ? null : [address]
}

function shortageOf(short: Shortage, plan: LaunchPlan): Error {
  const { order, publicAddresses } = plan
  const { subnet, image } = plan.choices
  if (short === 'public addresses' && publicAddresses !== null) return publicAddresses.shortage()
  const only = keptBy(image.location)
  const place =
    only === null ? `in the zone '${subnet.zone}'` : `on '${only}', which alone has the image,`
  return short === 'capacity'
    ? refused(
        'InsufficientInstanceCapacity',
        `There is not enough ${order.type} capacity ${place} for ${order.minCount} instance(s). ` +
          'Ask for fewer or smaller ones, or terminate others; `atoll hosts` shows what each host has',
      )
    : refused(
        'InsufficientFreeAddressesInSubnet',
        `The subnet '${subnet.id}' has not enough free addresses for ${order.minCount} instance(s)`,
      )
}

/** The best host that has the capacity. A host that turned out to be full is not tried again. */
async function takeHost({ tx, draw, choices, room }: Launch): Promise<Host | undefined> {
  const { demand } = choices
  const { vcpus, memoryMiB, diskGiB } = demand
  for (;;) {
    const chosen = chooseHost(room.hosts, demand, draw.number())
    if (chosen === undefined) return undefined
    if ((await tx.takeCapacity(chosen.name, vcpus, memoryMiB, diskGiB)) === 'done') {
      room.hosts = afterTaking(room.hosts, chosen.name, demand)
      return chosen
    }
    room.hosts = room.hosts.filter((host) => host !== chosen)
  }
}

async function chooseIp({ order, room }: Launch): Promise<Ipv4 | undefined> {
  return order.network.ip ?? (await room.addresses.next())
}

/**
 * Gives the instance its NIC at `first` or, if that was taken meanwhile, at the next free address.
 * Undefined when the subnet is full.
 */
async function plug(launch: Launch, instance: Instance, first: Ipv4): Promise<Nic | undefined> {
  const { tx, order } = launch
  let ip: Ipv4 | undefined = first
  while (ip !== undefined) {
    const nic = newNic(launch, instance, ip)
    const result = await tx.insertNic(nic)
    if (result === 'done') return nic
    // It went with a DeleteSubnet after it was read.
    if (result === 'no-subnet')
      throw notFound('InvalidSubnetID.NotFound', 'subnet ID', [launch.choices.subnet.id])
    if (order.network.ip !== undefined) throw addressInUse(ip)
    ip = await chooseIp(launch)
  }
  return undefined
}

function newInstance(
  { account, now, draw, order, choices, reservation }: Launch,
  host: HostName,
  launchIndex: number,
): Instance {
  return {
    id: draw.id('i'),
    account,
    reservation,
    launchIndex,
    image: order.image,
    type: order.type,
    driver: choices.driver.name,
    host,
    keyName: order.keyName,
    userData: order.userData,
    state: 'pending',
    wanted: 'run',
    claimed: false,
    bootCount: 1,
    bootSeen: 0,
    transitionReason: '',
    stateReason: null,
    clientToken: order.clientToken,
    launchedAt: now,
    terminatedAt: null,
    metadata: launchMetadata(order.metadata, choices.metadata),
    options: order.options,
  }
}

function newNic({ draw, choices }: Launch, instance: Instance, ip: Ipv4): Nic {
  return {
    id: draw.id('eni'),
    instance: instance.id,
    account: instance.account,
    vpc: choices.subnet.vpc,
    subnet: choices.subnet.id,
    deviceIndex: 0,
    ip,
    mac: draw.mac(),
    groups: choices.groups.map(({ id }) => id),
    createdAt: instance.launchedAt,
  }
}

function newVolumes({ draw, choices }: Launch, instance: Instance): readonly Volume[] {
  if (choices.disk === null) return []
  return [
    {
      id: draw.id('vol'),
      account: instance.account,
      host: instance.host,
      zone: choices.subnet.zone,
      instance: instance.id,
      device: ROOT_DEVICE_NAME,
      ...choices.disk,
      state: 'in-use',
      createdAt: instance.launchedAt,
    },
  ]
}
