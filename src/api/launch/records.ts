/**
 * Writes one launch: a host, an address and records for each instance, as far as there is room.
 *
 * It runs inside the launch's transaction. Choices are made from its snapshot, and the store's
 * conditional statements decide. A choice that lost is made again without the loser.
 */
import { refused } from '../../model/errors.ts'
import type { AccountId, InstanceId, ReservationId, SubnetId } from '../../model/ids.ts'
import { keptBy } from '../../model/image-location.ts'
import { launchMetadata, type MetadataDefaults } from '../../model/metadata-options.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import type { Address, Host, Instance, Nic, Tag, Volume } from '../../model/records.ts'
import { KEEP } from '../../model/recovery.ts'
import { launchTemplateTags } from '../../model/reserved-tags.ts'
import type { OfferedInstance } from '../../model/warm-instance.ts'
import { afterPlacing, type Reserve } from '../../plan/failover/reserve.ts'
import { afterTaking, chooseHost } from '../../plan/placement.ts'
import type { Tx } from '../../store/store.ts'
import { type Budget, writeOne } from '../budget.ts'
import type { InstanceDetails } from '../instances/instance-details.ts'
import type { GivenProfile } from '../instances/instance-profiles.ts'
import { putLevers } from '../instances/levers.ts'
import { RESERVED } from '../instances/reserve.ts'
import type { AddressSource } from '../networks/addresses.ts'
import { nicInUse } from '../networks/network-interfaces.ts'
import { addressCount, insertNewNic, namedAddresses } from '../networks/nic-addresses.ts'
import { specifiedTags } from '../schemas.ts'
import type { LaunchChoices } from './choices.ts'
import { type FreeAddresses, freeAddresses } from './free-addresses.ts'
import type { NicChoice } from './nics.ts'
import { takeOffer } from './offers.ts'
import {
  type GroupRoom,
  hostChoices,
  joinGroup,
  membershipIn,
  returnSlot,
  takeSlot,
} from './placement-group.ts'
import type { RandomIds } from './random-ids.ts'
import type { LaunchRequest } from './request.ts'

/** What to write. */
interface LaunchPlan {
  readonly order: LaunchRequest
  readonly choices: LaunchChoices
  /** What is to be left free; null: nothing. */
  readonly reserve: Reserve | null
  /** What hosts have started already, that may become its instances. */
  readonly offers: readonly OfferedInstance[]
  /** The account's options for launches that name none. */
  readonly metadata: MetadataDefaults
  /** The launch is refused with fewer instances. */
  readonly least: number
  readonly account: AccountId
  readonly reservation: ReservationId
  /** ISO 8601. */
  readonly now: string
  readonly draw: RandomIds
  /** Where public addresses come from; null: none is wanted. */
  readonly publicAddresses: AddressSource | null
  /** The instance profile that each gets. */
  readonly profile: GivenProfile | null
  readonly budget: Budget
}

/** A launch under way. */
interface Launch extends LaunchPlan {
  readonly tx: Tx
  /**
   * What is left to choose from, as far as this transaction knows. It shrinks with every instance.
   */
  readonly room: {
    hosts: readonly Host[]
    /** Null: nothing is to be left free. */
    reserve: Reserve | null
    /** Null: outside of any placement group. */
    readonly group: GroupRoom | null
    /** Of each subnet. */
    readonly addresses: ReadonlyMap<SubnetId, FreeAddresses>
    offers: readonly OfferedInstance[]
  }
}

/** An instance that was written. */
interface Launched {
  readonly instance: Instance
  /** By device index. */
  readonly nics: readonly Nic[]
  /** The public address, if one was wanted. */
  readonly addresses: readonly Address[]
  readonly host: Host
  /** Empty if its root is not a volume. */
  readonly volumes: readonly Volume[]
}

type Shortage = 'capacity' | 'reserve' | 'addresses' | 'public addresses'
type Outcome = { readonly launched: Launched } | { readonly short: Shortage }

/**
 * Writes at most `maxCount` pending instances, and returns them in launch order. Refuses when there
 * is no room for `least` of them (`InsufficientInstanceCapacity`,
 * `InsufficientFreeAddressesInSubnet`, `InsufficientAddressCapacity`), or when the requested
 * address is in use. Then the caller's transaction is rolled back.
 */
export async function writeLaunch(tx: Tx, plan: LaunchPlan): Promise<readonly InstanceDetails[]> {
  const { order, choices, reserve, offers, least, account, budget } = plan
  const group = choices.group && { choice: choices.group, slots: choices.group.slots }
  const room = { hosts: choices.hosts, reserve, group, addresses: freeBySubnet(tx, plan), offers }
  const launch: Launch = { ...plan, tx, room }
  const launched: Launched[] = []
  while (launched.length < order.maxCount) {
    await writeOne(budget)
    const outcome = await launchOne(launch, launched.length)
    if ('launched' in outcome) launched.push(outcome.launched)
    else if (launched.length >= (isOfHosts(outcome.short) ? least : order.minCount)) break
    else throw shortageOf(outcome.short, plan)
  }
  if (group !== null) await joinGroup(tx, group, launched.length, choices.subnet.zone)
  // What was written is not read again, because the next launch waits for the host's row.
  const { image, type } = choices
  const groups = new Map(
    choices.nics.flatMap((nic) => nic.groups).map((group) => [group.id, group]),
  )
  const existing = new Set(choices.nics.map((nic) => nic.existing?.id))
  const details = launched.map(({ instance, nics, addresses, host, volumes }) => {
    const made = nics.filter(({ id }) => !existing.has(id))
    const tags = [
      { account, resource: instance.id, resourceType: 'instance' },
      ...made.map(({ id }) => ({ account, resource: id, resourceType: 'network-interface' })),
    ]
      .flatMap((resource) => specifiedTags(order.tags, resource))
      .concat(templateTags(plan, instance))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    return { instance, nics, addresses, tags, groups, host, image, type, volumes }
  })
  await tx.putTags(details.flatMap(({ tags }) => tags))
  await putLevers(
    tx,
    details.flatMap(({ tags }) => tags),
    plan.now,
  )
  const volumes = details.flatMap((one) => one.volumes)
  await tx.putTags(
    volumes.flatMap(({ id: resource }) =>
      specifiedTags(order.tags, { account, resource, resourceType: 'volume' }),
    ),
  )
  return details
}

/** The tags that tell of the template. */
function templateTags({ order: { template } }: LaunchPlan, { id, account }: Instance): Tag[] {
  if (template === null) return []
  const resource = { account, resource: id, resourceType: 'instance' }
  return launchTemplateTags(template.id, template.version).map((tag) => ({ ...resource, ...tag }))
}

/** One instance with its NICs. If there is no room, nothing of it is left. */
async function launchOne(launch: Launch, launchIndex: number): Promise<Outcome> {
  const { tx, choices, room } = launch
  const { reserve } = room
  const place = await takeHost(launch)
  if (typeof place === 'string') return { short: place }
  const { host } = place
  const instance = newInstance(launch, place, launchIndex, await takeOffer(launch, host.name))
  await tx.insertInstance(instance)
  const nics: Nic[] = []
  for (const choice of choices.nics) {
    const nic = await plug(launch, instance, choice)
    if (nic !== undefined) nics.push(nic)
  }
  const [first] = nics
  const isPlugged = first !== undefined && nics.length === choices.nics.length
  const addresses = isPlugged ? await publish(launch, first) : []
  if (isPlugged && addresses !== null) {
    const volumes = newVolumes(launch, instance, host)
    for (const volume of volumes) await tx.insertVolume(volume)
    return { launched: { instance, nics, addresses, host, volumes } }
  }
  await tx.deleteNics(instance.id)
  await tx.deleteInstance(instance.id)
  const { vcpus, memoryMiB, diskGiB } = choices.demand
  await tx.returnCapacity(host.name, vcpus, memoryMiB, diskGiB)
  if (room.group !== null) await returnSlot(tx, room.group, host.name)
  room.hosts = room.hosts.map((one) => (one.name === host.name ? host : one))
  room.reserve = reserve
  return { short: isPlugged ? 'public addresses' : 'addresses' }
}

/** Where new NICs in each subnet get their addresses. */
function freeBySubnet(tx: Tx, { order, choices, draw }: LaunchPlan): Launch['room']['addresses'] {
  const made = choices.nics.filter(({ existing }) => existing === null)
  return new Map(
    [...Map.groupBy(made, ({ subnet }) => subnet.id)].flatMap(([id, nics]) => {
      const each = nics.reduce((sum, nic) => sum + addressCount(nic.order), 0)
      const [first] = nics
      if (first === undefined) return []
      const named = nics.flatMap((nic) => namedAddresses(nic.order))
      return [[id, freeAddresses(tx, first.subnet, order.maxCount * each, draw.number, named)]]
    }),
  )
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

/** Whether no host takes another one. Hosts in an old reading may. */
function isOfHosts(short: Shortage): boolean {
  return short === 'capacity' || short === 'reserve'
}

function shortageOf(short: Shortage, plan: LaunchPlan): Error {
  const { order, publicAddresses } = plan
  const { subnet, image } = plan.choices
  if (short === 'public addresses' && publicAddresses !== null) return publicAddresses.shortage()
  const only = keptBy(image.location)
  const { group } = plan.choices
  const inGroup = group === null ? '' : ` for the placement group '${group.group.name}'`
  const place =
    only === null
      ? `in the zone '${subnet.zone}'${inGroup}`
      : `on '${only}', which alone has the image,`
  const why = short === 'reserve' ? `${RESERVED}. ` : ''
  return isOfHosts(short)
    ? refused(
        'InsufficientInstanceCapacity',
        `There is not enough ${order.type} capacity ${place} for ${order.minCount} instance(s). ${why}` +
          'Ask for fewer or smaller ones, or terminate others; `atoll hosts` shows what each host has',
      )
    : refused(
        'InsufficientFreeAddressesInSubnet',
        `The subnet '${subnet.id}' has not enough free addresses for ${order.minCount} instance(s)`,
      )
}

/** Where an instance runs. */
interface Place {
  readonly host: Host
  /** Of its placement group; null: none. */
  readonly partition: number | null
}

/**
 * The best host that has the capacity, and a place in the group; or what is short. A host that
 * turned out to be full is not tried again.
 */
async function takeHost(launch: Launch): Promise<Place | 'capacity' | 'reserve'> {
  const { room } = launch
  let short: 'capacity' | 'reserve' = 'capacity'
  for (const { hosts, partition } of hostChoices(room.group, room.hosts)) {
    const host = await takeOneOf(launch, hosts, partition)
    if (typeof host !== 'string') return { host, partition }
    if (host === 'reserve') short = host
  }
  return short
}

async function takeOneOf(
  { tx, draw, order, choices, room }: Launch,
  hosts: readonly Host[],
  partition: number | null,
): Promise<Host | 'capacity' | 'reserve'> {
  const { demand } = choices
  const recovers = order.recovery === 'recover'
  let short: 'capacity' | 'reserve' = 'capacity'
  const { vcpus, memoryMiB, diskGiB } = demand
  for (let left = hosts; ; ) {
    const chosen = chooseHost(left, demand, draw.number())
    if (chosen === undefined) return short
    left = left.filter((host) => host !== chosen)
    const { reserve } = room
    const storage = choices.disk?.storedOn ? (chosen.storage ?? null) : null
    const placing = { host: chosen.name, demand, storage, recovers }
    const reserved = reserve && afterPlacing(reserve, placing)
    if (reserve !== null && reserved === null) {
      short = 'reserve'
      continue
    }
    if ((await tx.takeCapacity(chosen.name, vcpus, memoryMiB, diskGiB)) === 'full') {
      room.hosts = room.hosts.filter((host) => host !== chosen)
      continue
    }
    const { group } = room
    if (group !== null && (await takeSlot(tx, group, chosen.name, partition)) === 'taken') {
      await tx.returnCapacity(chosen.name, vcpus, memoryMiB, diskGiB)
      continue
    }
    room.hosts = afterTaking(room.hosts, chosen.name, demand)
    room.reserve = reserved
    return chosen
  }
}

/**
 * Gives the instance a NIC: a new one, or one that there is. Undefined when the subnet is full.
 * Errors: `InvalidIPAddress.InUse`, `InvalidNetworkInterface.InUse`.
 */
async function plug(
  { tx, draw, room }: Launch,
  instance: Instance,
  choice: NicChoice,
): Promise<Nic | undefined> {
  const { order, subnet, groups, existing } = choice
  const { deviceIndex } = order
  const attachment = {
    id: draw.id('eni-attach'),
    attachedAt: instance.launchedAt,
    deleteOnTermination: order.deleteOnTermination ?? existing === null,
  }
  if (existing !== null) {
    const place = { instance: instance.id, deviceIndex, attachment }
    if ((await tx.attachNic(existing, place)) !== 'done') throw nicInUse(existing.id)
    return { ...existing, ...place }
  }
  const free = room.addresses.get(subnet.id)
  if (free === undefined) return undefined
  const draft = {
    instance: instance.id,
    account: instance.account,
    vpc: subnet.vpc,
    subnet: subnet.id,
    deviceIndex,
    groups: groups.map(({ id }) => id),
    createdAt: instance.launchedAt,
    attachment,
    description: order.description ?? '',
  }
  return await insertNewNic(tx, draft, order, free, draw)
}

function newInstance(
  { account, now, draw, order, choices, metadata, reservation, room, profile }: Launch,
  { host, partition }: Place,
  launchIndex: number,
  started: InstanceId | null,
): Instance {
  return {
    id: started ?? draw.id('i'),
    account,
    reservation,
    launchIndex,
    image: order.image,
    type: order.type,
    driver: choices.driver.name,
    host: host.name,
    keyName: order.keyName,
    userData: order.userData,
    state: 'pending',
    wanted: 'run',
    claimed: started !== null, // It is on its host already.
    bootCount: 1,
    bootSeen: 0,
    transitionReason: '',
    stateReason: null,
    clientToken: order.clientToken,
    launchedAt: now,
    terminatedAt: null,
    metadata: launchMetadata(order.metadata, metadata),
    options: {
      ...order.options,
      placementGroup: membershipIn(room.group, partition),
      profile: profile && { association: draw.id('iip-assoc'), ...profile },
    },
    ...(order.recovery === 'recover' ? { recovery: { ...KEEP, wanted: 'recover' } } : {}),
  }
}

function newVolumes(
  { draw, choices }: Launch,
  instance: Instance,
  { storage = null }: Host,
): readonly Volume[] {
  if (choices.disk === null) return []
  const { storedOn, ...disk } = choices.disk
  return [
    {
      id: draw.id('vol'),
      account: instance.account,
      host: instance.host,
      zone: choices.subnet.zone,
      instance: instance.id,
      device: ROOT_DEVICE_NAME,
      ...disk,
      ...(storedOn === null ? {} : { storage }),
      state: 'in-use',
      createdAt: instance.launchedAt,
    },
  ]
}
