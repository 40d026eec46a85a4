/**
 * A store that notes what programs want to hear of (`model/cloud-event.ts`) in the transaction that
 * makes it happen, so that no caller can forget to, and no crash can lose it.
 */

import type { HostName, InstanceId } from '../model/ids.ts'
import type { InstanceChange } from '../model/lifecycle.ts'
import type { Host, Instance } from '../model/records.ts'
import type { Store, Tx } from './store.ts'

/**
 * The store. `writer` is this host, which publishes the events; `committed` is called after each
 * commit of some.
 */
export function notingEvents(store: Store, writer: HostName, committed: () => void): Store {
  const noted =
    (run: Store['change']): Store['change'] =>
    async (work) => {
      // With the result, because the run that was committed need not be the last one.
      const { result, count } = await run(async (tx) => {
        const tally = { count: 0 }
        return { result: await work(noting(tx, writer, tally)), count: tally.count }
      })
      if (count > 0) committed()
      return result
    }
  return { ...store, change: noted(store.change), claim: noted(store.claim) }
}

/** The writes that make something happen, and note it. */
function noting(tx: Tx, writer: HostName, tally: { count: number }): Tx {
  const own: Pick<Tx, 'insertInstance' | 'updateInstance' | 'setHostState'> = {
    async insertInstance(instance: Instance) {
      await tx.insertInstance(instance)
      await tx.noteNewInstance(instance, writer)
      tally.count += 1
    },
    async updateInstance(id: InstanceId, change: InstanceChange) {
      const { state, bootCount } = change
      if (state !== undefined) {
        const boot = bootCount === undefined ? {} : { bootCount }
        await tx.noteInstanceState(id, { state, ...boot }, writer)
        tally.count += 1
      }
      await tx.updateInstance(id, change)
    },
    async setHostState(host: HostName, state: Host['state']) {
      const outcome = await tx.setHostState(host, state)
      if (outcome !== 'done') return outcome
      await tx.noteHostState(host, state, writer)
      if (state === 'draining') await tx.noteStopOfInstances(host, writer)
      tally.count += 1
      return outcome
    },
  }
  return new Proxy(tx, {
    get: (target, name) => Reflect.get(Object.hasOwn(own, name) ? own : target, name),
  })
}
