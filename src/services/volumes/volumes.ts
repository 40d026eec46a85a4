/**
 * Volumes: the disks that remain after their instance.
 *
 * - Its part of the want: `local.volumes`. Volumes that are to be deleted are removed. All others
 *   stay.
 * - A new daemon recognises volumes by their directories `<stateDir>/volumes/<id>`. The driver of
 *   virtual machines moves a disk there when its instance ends (`machines/files.ts`).
 * - If the daemon dies here, running instances notice nothing. A half-removed directory is removed
 *   again, because its record goes only when the directory is gone.
 * - A disk without a record is never removed, only reported. It may be the only copy of somebody's
 *   data. On a storage, nobody looks for such disks.
 * - A pass does not wait for a storage (`storage-removals.ts`).
 */
import { removeVolumeHome, volumeHomes } from '../../host/files/volumes.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import type { VolumeId } from '../../model/ids.ts'
import type { Fact, LocalWant } from '../../model/want.ts'
import type { HostService } from '../service.ts'
import type { StorageRemovals } from './storage-removals.ts'

/** The service. Disks are below `stateDir`, or on a storage. */
export function createVolumes({
  stateDir,
  stored,
  metrics,
}: {
  readonly stateDir: string
  readonly stored: StorageRemovals
  readonly metrics: Metrics
}): HostService {
  const gauge = metrics.gauge(
    'atoll_volumes',
    'Disks on this host without an instance, by whether they have a record',
    ['known'],
  )

  async function remove(volume: VolumeId, log: Log): Promise<readonly Fact[]> {
    try {
      await removeVolumeHome(stateDir, volume)
      return [{ kind: 'volume-gone', volume }]
    } catch (error) {
      log.warn({ volume, error }, 'could not remove a volume')
      return []
    }
  }

  async function count({ volumes, instances }: LocalWant, log: Log): Promise<void> {
    // A disk arrives here just before its instance is known to be gone.
    const ofInstances = instances.flatMap(({ disk }) => disk?.volume ?? [])
    const known = new Set([...volumes.map(({ id }) => id), ...ofInstances])
    const here = [...(await volumeHomes(stateDir)).keys()]
    const strange = here.filter((id) => !known.has(id))
    gauge.set({ known: 'yes' }, here.length - strange.length)
    gauge.set({ known: 'no' }, strange.length)
    if (strange.length > 0)
      log.warn({ volumes: strange }, 'volumes without a record; left in place')
  }

  return {
    name: 'volumes',
    gate: false,
    async apply({ want: { local }, resync, log }) {
      const facts: Fact[] = []
      const ending = local.volumes.filter(({ run }) => run === 'delete')
      for (const { id, storage } of ending)
        if (storage === undefined) facts.push(...(await remove(id, log)))
      const away = ending.flatMap(({ id: volume, storage }) =>
        storage === undefined ? [] : [{ volume, storage }],
      )
      for (const volume of stored.remove(away, log)) facts.push({ kind: 'volume-gone', volume })
      if (resync) await count(local, log)
      return facts
    },
    close: async () => {},
  }
}
