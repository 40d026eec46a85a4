/**
 * What hosts do about addresses that their storage has to refuse
 * (`store/records/storage-fence.ts`).
 *
 * - Each has it refuse those of lost hosts as soon as it hears of them, so that the host that was
 *   given an instance has to wait for less; and again from time to time, because a refusal runs out
 *   after a year.
 * - One that is back after others took over its instances ends everything that has a disk there,
 *   also of its own machines: they were refused, and cannot go on. Then it has its address refused
 *   no longer. If it is interrupted, all of it is done again.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import type { HostName } from '../model/ids.ts'
import type { HostFence, StorageFence } from '../model/storage.ts'
import type { Store } from '../store/store.ts'
import { type Loop, startLoop } from './loop.ts'

export interface StorageReturnParts {
  readonly store: Store
  /** Ends all processes with a disk on this storage. Errors: `unavailable` if one does not end. */
  readonly endUsers: (storage: string) => Promise<void>
  /** Whether the storage refuses this host now. Errors: `unavailable` if it does not say. */
  readonly isRefused: () => Promise<boolean>
  /** Has the storage refuse this address no longer. Errors: `unavailable`. */
  readonly unfence: (fence: StorageFence) => Promise<void>
  /** Has it refuse lost hosts. Errors: `unavailable`. */
  readonly refuseLost: () => Promise<void>
  /** Whether this host has a live lease: it is back. */
  readonly isBack: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/** A look is two statements. */
const LOOK_MS = 5_000

/** Looks until closed. */
export function startStorageReturn(parts: StorageReturnParts, self: HostName): Loop {
  const { clock, log } = parts
  const say = createTroubleLog(log)
  return startLoop({
    work: async () => {
      const fence = await returnToStorage(parts, self)
      if (fence !== null) log.warn({ ...fence }, 'this host is no longer refused by its storage')
      await parts.refuseLost()
      say(null)
    },
    intervalMs: LOOK_MS,
    clock,
    onError: say,
  })
}

/** Says what is wrong once, and not at each look. */
function createTroubleLog(log: Log): (error: unknown) => void {
  let said: string | null = null
  return (error) => {
    const message = error === null ? null : messageOf(error)
    if (message !== null && message !== said)
      log.warn({ error }, 'what the storage has to refuse could not be settled')
    said = message
  }
}

/** What the records say of all other hosts, for a storage that refuses by address. */
export function fencesOfOthers(
  store: Pick<Store, 'read' | 'change'>,
  self: HostName,
  newId: () => string,
) {
  return {
    /** What is to be refused now. Errors: the store's. */
    async list(): Promise<readonly HostFence[]> {
      const all = await store.read((tx) => tx.storageFences(), { sees: 'latest' })
      // Without one of them, a disk would be opened that another host still writes.
      if (!all.isWhole)
        throw unavailable('which hosts the storage has to refuse cannot be read: atoll doctor')
      return all.fences.filter(({ host, fence }) => host !== self && !fence.isEnding)
    },
    /** Writes that this one is refused after all (`refenceStorage`). Errors: the store's. */
    async restore({ host, fence: { storage, address } }: HostFence): Promise<void> {
      await store.change((tx) => tx.refenceStorage(host, { storage, address, id: newId() }))
    },
  }
}

/** Returns once, if it has to. Null: it had not. Errors: the store's, those of the parts. */
export async function returnToStorage(
  parts: StorageReturnParts,
  self: HostName,
): Promise<StorageFence | null> {
  const { store, endUsers, isRefused, unfence, isBack } = parts
  if (!isBack()) return null
  const { fences } = await store.read((tx) => tx.storageFences(), { sees: 'latest' })
  const found = fences.find(({ host }) => host === self)?.fence
  if (found === undefined) return null
  if (!found.isEnding) {
    await endUsers(found.storage)
    if ((await store.change((tx) => tx.endStorageFence(self, found))) !== 'done') return null
  }
  const ending = { ...found, isEnding: true }
  // Another machine may have had this name before, and lives on at its own address.
  if (await isRefused()) await unfence(ending)
  const removed = await store.change((tx) => tx.removeStorageFence(self, ending))
  return removed === 'done' ? ending : null
}
