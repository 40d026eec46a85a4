/**
 * Volumes: the disks that have outlived their instance.
 *
 * - Its part of want: `local.volumes`. A volume that is to be deleted is removed; all others stay.
 * - A fresh daemon recognises volumes by the directories `<stateDir>/volumes/<id>`. The driver of
 *   virtual machines moves a disk there that outlives its instance (`machines/files.ts`).
 * - If we die on any line here, running instances notice nothing. A half-removed directory is
 *   removed again: its record goes only when the directory is gone.
 * - A disk without a record is never removed, only reported: it may be the only copy of somebody's
 *   data.
 */
import { removeVolumeHome, volumeHomes } from '../host/files/volumes.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { VolumeId } from '../model/ids.ts'
import type { Fact, LocalWant } from '../model/want.ts'
import type { HostService } from './service.ts'

/** The service. Disks are below `stateDir`. */
export function createVolumes({
  stateDir,
  metrics,
}: {
  readonly stateDir: string
  readonly metrics: Metrics
}): HostService {
  const gauge = metrics.gauge(
    'atoll_volumes',
    'Disks on this host that have outlived their instance, by whether a record knows them',
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
    // A disk is here just before its instance is known to be gone.
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
      for (const { id, run } of local.volumes)
        if (run === 'delete') facts.push(...(await remove(id, log)))
      if (resync) await count(local, log)
      return facts
    },
    close: async () => {},
  }
}
