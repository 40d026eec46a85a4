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
import { releaseInstance, releaseVolume } from '../store/release.ts'
import type { Store, Tx } from '../store/store.ts'

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
 * lease.
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
    const count = await terminateAll(tx, host, isoTime(clock.now()))
    for (const volume of await tx.volumes({ hosts: [host] })) await releaseVolume(tx, volume)
    await tx.inherit(host, by)
    await tx.setHostState(host, 'forgotten')
    return count
  })
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
