/**
 * Records of several hosts for tests: a store with the default records, and hosts that have
 * reported.
 */

import type { HostName } from '../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../src/model/metadata-options.ts'
import type { RowWatch } from '../../src/store/records/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { openMemoryStore } from './memory-store.ts'
import { account, hostRecord, image, network } from './records.ts'

/** A lease that does not run out while a test runs. */
export const LONG_MS = 600_000
/** A lease that ended before it began. */
export const OVER_MS = -1

/** A store in memory with an account, a network, an image and these hosts, all alive. */
export async function openRecords(hosts: readonly HostName[], rows?: RowWatch): Promise<Store> {
  const store = await openMemoryStore(rows)
  await fillRecords(store, hosts)
  return store
}

/** Writes an account, a network, an image and these hosts, all alive. */
export async function fillRecords(store: Store, hosts: readonly HostName[]): Promise<void> {
  await store.change(async (tx) => {
    await tx.insertAccount({ id: account, name: 'default', metadata: NO_PREFERENCE })
    await tx.insertVpc(network.vpc)
    await tx.insertSubnet(network.subnet)
    await tx.insertGroup(network.group)
    await tx.insertImage(image)
    for (const host of hosts) await tx.upsertHost(hostRecord(host), LONG_MS)
  })
}

/** A store whose every call is `unavailable` while `away()` says so. */
export function breakable(store: Store, away: () => Error | null): Store {
  const guard = async <T>(run: () => Promise<T>): Promise<T> => {
    const error = away()
    if (error !== null) throw error
    return await run()
  }
  return {
    ...store,
    change: (work) => guard(() => store.change(work)),
    claim: (work) => guard(() => store.claim(work)),
    single: (work) => guard(() => store.single(work)),
    read: (work) => guard(() => store.read(work)),
  }
}
