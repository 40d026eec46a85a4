/**
 * Removes disks from a storage, which may be silent: in the background, one after the other.
 * Nothing is remembered across a restart; a disk that is gone is removed again.
 */
import type { SharedStorage } from '../../host/shared-storage.ts'
import type { Log } from '../../lib/log.ts'
import type { VolumeId } from '../../model/ids.ts'
import type { StoragePlace } from '../../model/storage.ts'

export interface StorageRemovals {
  /** Has these removed, and nothing else. Returns those that are gone. Never waits. */
  remove(places: readonly StoragePlace[], log: Log): readonly VolumeId[]
}

/** `shared` null: this host has no storage. `wake` asks for a pass. */
export function createStorageRemovals(
  shared: Pick<SharedStorage, 'remove'> | null,
  wake: () => void,
): StorageRemovals {
  const gone = new Set<VolumeId>()
  let isWorking = false
  /** Whose turn is over, so that one that fails holds up no other. */
  let last = ''

  async function removeOne(place: StoragePlace, log: Log): Promise<void> {
    const { volume, storage } = place
    try {
      if (shared === null)
        throw new Error('neither storage.shared.path nor storage.ceph.pool is set on this host')
      await shared.remove(place)
      gone.add(volume)
    } catch (error) {
      log.warn({ volume, storage, error }, 'could not remove a volume from its storage')
    } finally {
      isWorking = false
      // One that failed waits for the next pass.
      if (gone.has(volume)) wake()
    }
  }

  return {
    remove(places, log) {
      const wanted = new Set(places.map(({ volume }) => volume))
      for (const volume of gone) if (!wanted.has(volume)) gone.delete(volume)
      const left = places.filter(({ volume }) => !gone.has(volume))
      const next = left.find(({ volume }) => volume > last) ?? left[0]
      if (next !== undefined && !isWorking) {
        isWorking = true
        last = next.volume
        void removeOne(next, log)
      }
      return [...gone]
    },
  }
}
