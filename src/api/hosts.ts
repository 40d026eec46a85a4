/**
 * The operator's commands for hosts, from any host: drain, undrain and forget.
 *
 * None of them needs the host itself. A drained host keeps its instances and gets no new ones.
 * Forgetting terminates a host's instances in the records, frees their addresses and loses its
 * volumes, so the host must be off. If it comes back, it removes what it had and joins as a new
 * host.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import { refused } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { Host } from '../model/records.ts'
import { leftBy, mayFollow } from '../plan/failover/membership.ts'
import { type LossOutlook, lossOutlooks } from '../plan/failover/spare.ts'
import { releaseInstance, releaseVolume } from '../store/release.ts'
import type { ReadTx, Store, Tx } from '../store/store.ts'
import { recoverableInstances } from './instances/reserve.ts'

/** Sets whether the host takes new instances. Refuses an unknown host. */
export async function setDraining(
  store: Pick<Store, 'change'>,
  host: HostName,
  drain: boolean,
): Promise<void> {
  const state = drain ? 'draining' : 'active'
  const outcome = await store.change((tx) => tx.setHostState(host, state))
  if (outcome === 'unknown') throw unknownHost(host)
}

/**
 * Removes a lost host, and terminates its instances in the records. Returns their number. `by`
 * becomes responsible for the terminated instances. Refuses an unknown host, and one with a valid
 * lease. Refuses
 * one whose answers count before instances are taken over, until the others can do without them.
 */
export async function forgetHost(
  store: Pick<Store, 'change'>,
  host: HostName,
  by: HostName,
  clock: Clock,
): Promise<number> {
  return await store.change(async (tx) => {
    const record = (await tx.hosts()).find(({ name }) => name === host)
    if (record === undefined) throw unknownHost(host)
    if (record.live)
      throw refused(
        'IncorrectState',
        `The host ${host} is alive. Stop atolld on it or switch it off before you forget it, because its addresses will be given to others`,
      )
    await removeMember(tx, host)
    const count = await terminateAll(tx, host, isoTime(clock.now()))
    await leaveVolumes(tx, host)
    await tx.withdrawWarmInstances(host)
    await tx.inherit(host, by)
    await tx.setHostState(host, 'forgotten')
    return count
  })
}

/** Its disks are gone with it. Those on a storage are another host's from now on. */
async function leaveVolumes(tx: Tx, host: HostName): Promise<void> {
  const others = (await tx.hosts()).filter(({ name }) => name !== host)
  for (const volume of await tx.volumes({ hosts: [host] })) {
    const { id, storage = null } = volume
    const heir = storage === null ? undefined : others.find((one) => one.storage === storage)
    if (heir === undefined) await releaseVolume(tx, volume)
    else await tx.updateVolume(id, { host: heir.name })
  }
}

/**
 * Takes the host out of those whose answers count before instances are taken over. Nothing else
 * does: a host that is lost still counts, so that two halves of a cloud can never both go on.
 */
async function removeMember(tx: Tx, host: HostName): Promise<void> {
  const current = await tx.failoverMembers()
  const refuse = (why: string) => refused('IncorrectState', `The host ${host} ${why}`)
  if (current === null)
    throw refuse(
      'cannot be forgotten: the newest row of failoverMembers in the database cannot be read. Correct it; atoll doctor shows it',
    )
  if (current === undefined || !current.members.includes(host)) return
  const next = leftBy(current, host)
  if (next.members.length === 0)
    throw refuse(
      'is the only one with fence.enabled. Set it on another host first, and wait until atoll hosts names that host as a member',
    )
  if (!mayFollow(current, current.acknowledged, next))
    throw refuse(
      `cannot be forgotten yet: of the hosts with fence.enabled (${current.members.join(', ')}), most have not heard of the last change of these hosts. Start atolld on more of them, then run atoll forget again`,
    )
  if ((await tx.changeFailoverMembers(next.version, next.members)) !== 'done')
    throw refuse(
      'cannot be forgotten now, because the hosts with fence.enabled have just changed. Run atoll forget again',
    )
}

async function terminateAll(tx: Tx, host: HostName, now: string): Promise<number> {
  const instances = await tx.instances({ hosts: [host], live: true })
  for (const instance of instances) {
    await tx.updateInstance(instance.id, {
      state: 'terminated',
      wanted: 'terminate',
      terminatedAt: now,
      stateReason: {
        code: 'Server.HostForgotten',
        message: `Server.HostForgotten: the host ${host} was lost and has been forgotten by the operator`,
      },
    })
    await releaseInstance(tx, instance)
  }
  return instances.length
}

function unknownHost(host: HostName): Error {
  return refused('InvalidHostID.NotFound', `There is no host ${host}; see: atoll hosts`)
}

/** What the loss of each host would mean now, of those with instances that others start again. */
export async function outlooksOf(
  tx: ReadTx,
  hosts: readonly Host[],
  members: readonly HostName[],
): Promise<ReadonlyMap<HostName, LossOutlook>> {
  const recoverable = await recoverableInstances(tx, 'acknowledged')
  return new Map(lossOutlooks(hosts, members, recoverable).map((one) => [one.host, one]))
}
