/**
 * Writing one launch: a host, an address and records for each instance, as many as there is room for.
 *
 * Runs inside the launch's transaction. Choices come from its snapshot; the store's conditional statements have the last
 * word, and a choice that lost is made again without the loser.
 */
import { isoTime } from '../../lib/clock.ts'
import { type Ipv4, macFromRandom } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import {
  formatId,
  type HostName,
  ID_BYTES,
  type InstanceId,
  type ReservationId,
} from '../../model/ids.ts'
import type { Host, Instance, Nic } from '../../model/records.ts'
import { afterTaking, chooseAddress, chooseHost } from '../../plan/placement.ts'
import type { Tx } from '../../store/store.ts'
import type { Call } from '../action.ts'
import { specifiedTags } from '../schemas.ts'
import { addressInUse, type LaunchChoices } from './choices.ts'
import type { LaunchOrder } from './order.ts'

/** Random bytes of a MAC (`macFromRandom`). */
const MAC_BYTES = 5

/** One launch under way. */
interface Launch {
  readonly tx: Tx
  readonly call: Call
  readonly order: LaunchOrder
  readonly choices: LaunchChoices
  readonly reservation: ReservationId
  /** What is left to choose from, as far as this transaction knows; shrinks with every instance. */
  readonly room: { hosts: readonly Host[]; readonly taken: Set<Ipv4> }
}

type Outcome = { readonly launched: InstanceId } | { readonly short: 'capacity' | 'addresses' }

/**
 * Writes at most `maxCount` pending instances and returns their ids in launch order. Refuses when there is no room for
 * `minCount` (`InsufficientInstanceCapacity`, `InsufficientFreeAddressesInSubnet`) or when the address that was asked for
 * is in use; the caller's transaction then takes everything back.
 */
export async function writeLaunch(
  tx: Tx,
  call: Call,
  order: LaunchOrder,
  choices: LaunchChoices,
  reservation: ReservationId,
): Promise<readonly InstanceId[]> {
  const room = { hosts: choices.hosts, taken: new Set(choices.taken) }
  const launch: Launch = { tx, call, order, choices, reservation, room }
  const launched: InstanceId[] = []
  while (launched.length < order.maxCount) {
    const outcome = await launchOne(launch, launched.length)
    if ('launched' in outcome) launched.push(outcome.launched)
    else if (launched.length >= order.minCount) break
    else throw shortageOf(outcome.short, order, choices)
  }
  const { account } = call.caller
  const tags = launched.flatMap((resource) =>
    specifiedTags(order.tags, { account, resource, resourceType: 'instance' }),
  )
  await tx.putTags(tags)
  return launched
}

/** One instance with its NIC; nothing of it is left when there is no room. */
async function launchOne(launch: Launch, launchIndex: number): Promise<Outcome> {
  const { tx, choices } = launch
  const ip = chooseIp(launch)
  if (ip === undefined) return { short: 'addresses' }
  const host = await takeHost(launch)
  if (host === undefined) return { short: 'capacity' }
  const instance = newInstance(launch, host, launchIndex)
  await tx.insertInstance(instance)
  if (await plug(launch, instance, ip)) return { launched: instance.id }
  await tx.deleteInstance(instance.id)
  await tx.returnCapacity(host, choices.type.vcpus, choices.type.memoryMiB)
  return { short: 'addresses' }
}

function shortageOf(
  short: 'capacity' | 'addresses',
  order: LaunchOrder,
  { subnet }: LaunchChoices,
): Error {
  return short === 'capacity'
    ? refused(
        'InsufficientInstanceCapacity',
        `There is not enough ${order.type} capacity in the zone '${subnet.zone}' for ${order.minCount} instance(s). ` +
          'Ask for fewer or smaller ones, or terminate others',
      )
    : refused(
        'InsufficientFreeAddressesInSubnet',
        `The subnet '${subnet.id}' has not enough free addresses for ${order.minCount} instance(s)`,
      )
}

/** The best host that really had the capacity; one that turned out to be full is not asked again. */
async function takeHost({ tx, choices, room }: Launch): Promise<HostName | undefined> {
  const { type } = choices
  for (;;) {
    const chosen = chooseHost(room.hosts, type)
    if (chosen === undefined) return undefined
    if ((await tx.takeCapacity(chosen.name, type.vcpus, type.memoryMiB)) === 'done') {
      room.hosts = afterTaking(room.hosts, chosen.name, type)
      return chosen.name
    }
    room.hosts = room.hosts.filter((host) => host !== chosen)
  }
}

function chooseIp({ call, order, choices, room }: Launch): Ipv4 | undefined {
  if (order.network.ip !== undefined) return order.network.ip
  const start = Buffer.from(call.parts.random(4)).readUInt32BE()
  return chooseAddress(choices.subnet.cidr, room.taken, start)
}

/**
 * Gives the instance its NIC, at `first` or, if that went to somebody else meanwhile, at the next free address. False when
 * the subnet is full.
 */
async function plug(launch: Launch, instance: Instance, first: Ipv4): Promise<boolean> {
  const { tx, order, room } = launch
  let ip: Ipv4 | undefined = first
  while (ip !== undefined) {
    room.taken.add(ip)
    if ((await tx.insertNic(newNic(launch, instance, ip))) === 'done') return true
    if (order.network.ip !== undefined) throw addressInUse(ip)
    ip = chooseIp(launch)
  }
  return false
}

function newInstance(
  { call, order, reservation }: Launch,
  host: HostName,
  launchIndex: number,
): Instance {
  return {
    id: formatId('i', call.parts.random(ID_BYTES)),
    account: call.caller.account,
    reservation,
    launchIndex,
    image: order.image,
    type: order.type,
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
    launchedAt: isoTime(call.parts.clock.now()),
    terminatedAt: null,
  }
}

function newNic({ call, choices }: Launch, instance: Instance, ip: Ipv4): Nic {
  return {
    id: formatId('eni', call.parts.random(ID_BYTES)),
    instance: instance.id,
    account: instance.account,
    vpc: choices.subnet.vpc,
    subnet: choices.subnet.id,
    deviceIndex: 0,
    ip,
    mac: macFromRandom(call.parts.random(MAC_BYTES)),
    groups: choices.groups,
    createdAt: instance.launchedAt,
  }
}
