/**
 * Begins and cancels moves of instances to other hosts, for the operator. Each begins in one
 * transaction, which takes the room on the new host and asks for the stop; the two hosts do the
 * rest.
 */
import { refused } from '../../model/errors.ts'
import type { HostName, InstanceId } from '../../model/ids.ts'
import { keptBy } from '../../model/image-location.ts'
import { isOpenMove } from '../../model/move.ts'
import type { Host, Image, Instance, StateReason } from '../../model/records.ts'
import { KEEP } from '../../model/recovery.ts'
import { reachesStorage, storageOf } from '../../model/storage.ts'
import { type Movable, noPlace, placeFor } from '../../plan/evacuation.ts'
import { afterPlacing, type Reserve } from '../../plan/failover/reserve.ts'
import { choicesInGroup } from '../../plan/placement-group.ts'
import { failMove } from '../../store/moves.ts'
import { sizeOf } from '../../store/release.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { driverOfInstance } from '../instances/drivers.ts'
import { RESERVED, readReserve } from '../instances/reserve.ts'

type Drivers = ApiSettings['drivers']
/** What moves depend on. */
export type MoveSettings = Pick<ApiSettings, 'drivers' | 'reserve'>

/** EC2's code for a stop by the operator (StateReason of its API reference). */
const STOPPED_FOR_MOVE: StateReason = {
  code: 'Server.ScheduledStop',
  message: 'Server.ScheduledStop: Stopped to move to another host',
}

/** These instances, with what their moves depend on. */
export async function movablesOf(
  tx: ReadTx,
  instances: readonly Instance[],
  drivers: Drivers,
): Promise<readonly Movable[]> {
  const ids = instances.map(({ id }) => id)
  if (ids.length === 0) return []
  const used = [...new Set(instances.map(({ image }) => image))]
  const images = new Map((await tx.images({ ids: used })).map((image) => [image.id, image]))
  const types = new Map((await tx.instanceTypes()).map((type) => [type.name, type]))
  const volumes = Map.groupBy(await tx.volumes({ instances: ids }), (volume) => volume.instance)
  const moves = await tx.moves({ instances: ids, unended: true })
  const moving = new Set(moves.map(({ instance }) => instance))
  const movables: Movable[] = []
  for (const instance of instances) {
    const type = types.get(instance.type)
    const { vcpus = 0, memoryMiB = 0 } = type ?? {}
    const own = volumes.get(instance.id) ?? []
    const demand = { vcpus, memoryMiB, diskGiB: sizeOf(own) }
    const obstacle =
      type === undefined
        ? `its type ${instance.type} is not known any more`
        : moving.has(instance.id)
          ? 'it is being moved already'
          : obstacleTo(instance, images.get(instance.image), drivers)
    const inGroup = await amongHosts(tx, instance)
    const storage = storageOf(own)
    const among: Movable['among'] = (hosts) =>
      inGroup(hosts.filter((host) => reachesStorage(host, storage)))
    movables.push({ instance: instance.id, from: instance.host, demand, storage, obstacle, among })
  }
  return movables
}

/** Why an instance cannot be moved now. Null: it can. */
function obstacleTo(instance: Instance, image: Image | undefined, drivers: Drivers): string | null {
  const driver = driverOfInstance(instance, image, drivers)
  if (driver?.moves !== true) return `its driver (${driver?.name ?? 'unknown'}) moves no instances`
  if (image === undefined) return 'its image is gone, so no other host can get it'
  if (keptBy(image.location) !== null)
    return `its image ${image.id} was made on ${keptBy(image.location)} and is only there`
  if (instance.state === 'running' || instance.state === 'stopped') return null
  return `it is ${instance.state}; wait until it is running or stopped`
}

/** The hosts that its placement group allows. */
async function amongHosts(tx: ReadTx, { options, host }: Instance): Promise<Movable['among']> {
  const membership = options?.placementGroup ?? null
  const any: Movable['among'] = (hosts) => [{ partition: null, hosts }]
  if (membership === null) return any
  const [group] = await tx.placementGroups({ ids: [membership.id] })
  if (group === undefined) return any
  const slots = await tx.placementSlots(group.id)
  // Its own place becomes free.
  const others = slots.filter((slot) => slot.host !== host || slot.members > 1)
  const members = { group, slots: others }
  return (hosts) => choicesInGroup(members, hosts, membership.partition)
}

/** Whether its instance runs meanwhile. `if-possible`: it is stopped when it cannot. */
export type Live = boolean | 'if-possible'

/** What is asked for. */
interface MoveOrder {
  readonly id: InstanceId
  /** Null: the best host. */
  readonly to: HostName | null
  readonly live?: Live
  /** ISO 8601. */
  readonly now: string
}

/** The same, to be put only where what is to be left free stays free. */
export function beside(reserve: Reserve | null, movable: Movable, { recovery }: Instance): Movable {
  if (reserve === null) return movable
  const { demand, storage, among } = movable
  const recovers = recovery?.wanted === 'recover'
  const mayTake = ({ name: host }: Host) =>
    afterPlacing(reserve, { host, demand, storage, recovers }) !== null
  return { ...movable, among: (hosts) => among(hosts.filter(mayTake)) }
}

/**
 * Begins the move of an instance, to a host or to the best one. What is on a host that is drained
 * may use the room that is left free for the loss of a host. Errors: what is in its way.
 */
export async function beginMove(
  tx: Tx,
  { id, to, live: wish = false, now, drivers, reserve }: MoveOrder & MoveSettings,
): Promise<HostName> {
  const [instance] = await tx.instances({ ids: [id], live: true })
  if (instance === undefined)
    throw refused('InvalidInstanceID.NotFound', `There is no instance ${id}; see: atoll instances`)
  const hosts = await tx.hosts()
  if (to !== null) requireHost(hosts, to)
  if (to === instance.host) throw refused('IncorrectState', `${id} is on ${to} already`)
  const [movable] = await movablesOf(tx, [instance], drivers)
  if (movable === undefined || movable.obstacle !== null)
    throw refused('IncorrectInstanceState', `${id} cannot be moved: ${movable?.obstacle}`)
  const live = await isLive(tx, instance, wish, drivers)
  const { demand } = movable
  const isDrained = hosts.find(({ name }) => name === instance.host)?.state === 'draining'
  const kept = await readReserve(tx, hosts, isDrained ? 'none' : reserve, id)
  const place = placeFor(beside(kept, movable, instance), hosts, to)
  const isKept = place === null && placeFor(movable, hosts, to) !== null
  const none =
    to === null
      ? noPlace(demand)
      : `${to} does not take it: it has no room, is not alive or drained, is in another zone, or its placement group forbids it`
  const full = () =>
    refused(
      'InsufficientInstanceCapacity',
      `${id} cannot be moved: ${isKept ? `${RESERVED}; atoll drain ${instance.host} lets its instances have it` : none}`,
    )
  if (place === null) throw full()
  const { vcpus, memoryMiB, diskGiB } = demand
  if ((await tx.takeCapacity(place.to, vcpus, memoryMiB, diskGiB)) === 'full') throw full()
  if ((await takeSlot(tx, instance, place)) === 'taken') throw full()
  const restart = instance.wanted === 'run' && !live
  const atMs = Date.parse(now)
  const begun = await tx.beginMove({
    ...{ instance: id, from: instance.host, to: place.to, live, restart, ...demand, message: '' },
    ...{ bootCount: instance.bootCount, askedAtMs: atMs, endedAtMs: null },
    state: restart ? 'stopping' : 'copying',
    stoppedAtMs: restart || live ? null : atMs,
  })
  if (begun === 'taken') throw refused('IncorrectInstanceState', `${id} is being moved already`)
  if (restart)
    await tx.updateInstance(id, {
      ...{ state: 'stopping', wanted: 'stop', stateReason: STOPPED_FOR_MOVE },
      transitionReason: STOPPED_FOR_MOVE.message,
    })
  return place.to
}

/** Whether it moves while it runs. Errors: why it cannot, if it must. */
async function isLive(tx: Tx, instance: Instance, wish: Live, drivers: Drivers): Promise<boolean> {
  if (wish === false) return false
  const obstacle = await obstacleToLive(tx, instance, drivers)
  if (obstacle === null || wish === 'if-possible') return obstacle === null
  throw refused(
    'IncorrectInstanceState',
    `${instance.id} cannot be moved while it runs: ${obstacle}; without --live it is stopped, moved and started`,
  )
}

async function obstacleToLive(
  tx: Tx,
  instance: Instance,
  drivers: Drivers,
): Promise<string | null> {
  const [image] = await tx.images({ ids: [instance.image] })
  const driver = driverOfInstance(instance, image, drivers)
  if (driver?.movesLive !== true) return `its driver (${driver?.name ?? 'unknown'}) cannot do that`
  if (instance.state !== 'running' || instance.wanted !== 'run') return `it is ${instance.state}`
  const { wanted, acknowledged } = instance.recovery ?? KEEP
  if (wanted === 'recover' || acknowledged === 'recover')
    return 'other hosts may start it again (atoll:recover)'
  if (storageOf(await tx.volumes({ instances: [instance.id] })) !== null)
    return 'its disk is on a storage that both hosts reach'
  const made = await tx.images({ host: instance.host })
  const isCaptured = made.some(
    ({ state, sourceInstance }) => state === 'pending' && sourceInstance === instance.id,
  )
  return isCaptured ? 'an image is being made from it' : null
}

/** Takes its place in its placement group on the new host. */
async function takeSlot(
  tx: Tx,
  { options }: Instance,
  { to: host, partition }: { readonly to: HostName; readonly partition: number | null },
): Promise<'done' | 'taken'> {
  const membership = options?.placementGroup ?? null
  if (membership === null) return 'done'
  const [group] = await tx.placementGroups({ ids: [membership.id] })
  const slot = { placementGroup: membership.id, host, partitionNumber: partition ?? 0 }
  return await tx.takePlacementSlot(slot, group?.strategy === 'spread')
}

/** Ends a move that is not complete. The instance goes on where it was. Errors: there is none. */
export async function cancelMove(tx: Tx, id: InstanceId, now: string): Promise<HostName> {
  const [move] = await tx.moves({ instances: [id], unended: true })
  const isOver = move === undefined || !isOpenMove(move)
  if (isOver || (await failMove(tx, move, 'cancelled by the operator', now)) === 'lost')
    throw refused('IncorrectState', `${id} is not being moved, or is on its new host already`)
  return move.from
}

/** Errors: there is no such host. */
export function requireHost(hosts: readonly Host[], name: HostName): Host {
  const host = hosts.find((one) => one.name === name)
  if (host !== undefined) return host
  throw refused('InvalidHostID.NotFound', `There is no host ${name}; see: atoll hosts`)
}
