/**
 * Orphans: instances that were placed on a host which was lost before it claimed them.
 *
 * Any host may move them to a live host, and several may try at once: one conditional statement
 * decides which move counts. It fails if the lost host was only slow and has claimed the instance.
 * A claimed instance stays where its disk is.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import { keptBy } from '../model/image-location.ts'
import { applyFact } from '../model/lifecycle.ts'
import type { Instance } from '../model/records.ts'
import { placeableHosts } from '../plan/placement.ts'
import { releaseInstance } from '../store/release.ts'
import type { Store, Tx } from '../store/store.ts'
import { leavePlace, placeOf, takePlace } from './rehoming.ts'

/** Orphans per search; the rest waits for the next. */
const ORPHANS_LIMIT = 100

/** The outcome for an orphan: moved to another host, or terminated as requested (`to` null). */
export interface Adoption {
  readonly instance: InstanceId
  readonly from: HostName
  readonly to: HostName | null
}

/** Moves every orphan that fits on a live host, each in a transaction of its own. Others wait. */
export async function adoptOrphans(store: Store, clock: Clock): Promise<readonly Adoption[]> {
  const orphans = await store.read((tx) => tx.orphans(ORPHANS_LIMIT))
  const adopted: Adoption[] = []
  for (const { id } of orphans) {
    const adoption = await store.change((tx) => adopt(tx, id, isoTime(clock.now())))
    if (adoption !== null) adopted.push(adoption)
  }
  return adopted
}

async function adopt(tx: Tx, id: InstanceId, now: string): Promise<Adoption | null> {
  const hosts = await tx.hosts()
  const [instance] = await tx.instances({ ids: [id] })
  if (instance === undefined || instance.claimed) return null
  const from = instance.host
  if (hosts.some((host) => host.name === from && host.live)) return null
  if (instance.wanted === 'terminate') return await end(tx, instance, now)
  if (instance.wanted !== 'run') return null
  const place = await placeOf(tx, instance)
  if (place === null) return null
  const [image] = await tx.images({ ids: [instance.image] })
  // Only the lost host has the image.
  if (image !== undefined && keptBy(image.location) !== null) return null
  const to = await takePlace(tx, place, placeableHosts(hosts))
  if (to === null) return null
  const isMoved = (await tx.moveInstance(id, from, to)) === 'done'
  await leavePlace(tx, place, isMoved ? from : to)
  if (!isMoved) return null
  return { instance: id, from, to }
}

/** Terminates an orphan. It was never started, so nothing has to be removed anywhere. */
async function end(tx: Tx, instance: Instance, now: string): Promise<Adoption | null> {
  const change = applyFact(instance, { kind: 'gone', instance: instance.id }, now)
  if (change === null) return null
  await tx.updateInstance(instance.id, change)
  await releaseInstance(tx, instance)
  return { instance: instance.id, from: instance.host, to: null }
}
