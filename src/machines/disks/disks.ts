/**
 * Where the root disk of each virtual machine is: on this host (`local.ts`), or on a storage that
 * other hosts reach: a directory (`shared.ts`), or a pool of Ceph (`ceph.ts`).
 */
import type { SharedStorage } from '../../host/shared-storage.ts'
import type { Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import { isOfKind, type StoragePlace } from '../../model/storage.ts'
import type { InstanceWant } from '../../model/want.ts'
import type { MachineFilesystem } from '../files.ts'
import { cephDisk } from './ceph.ts'
import type { RootDisk } from './disk.ts'
import { localDisk } from './local.ts'
import { sharedDisk } from './shared.ts'

/** The disks of this host's instances. */
export interface RootDisks {
  /** As the records say. */
  of(want: Pick<InstanceWant, 'id' | 'disk' | 'recover'>): RootDisk
}

/** `shared` null: this host has no such storage. */
export function createRootDisks(
  files: MachineFilesystem,
  run: Runner,
  shared: SharedStorage | null,
): RootDisks {
  return {
    of({ id, disk, recover }) {
      const { storage } = disk ?? {}
      if (disk === null || storage === undefined) return localDisk(files.paths(id).disk, run)
      const place: StoragePlace = { storage, volume: disk.volume }
      const note = () => files.placeDisk(id, place)
      const isNoted = async () => (await files.placeOf(id))?.storage === storage
      const { home } = files.paths(id)
      if (shared?.kind === 'ceph' && isOfKind(storage, 'ceph'))
        return cephDisk(place, shared, { run, home, note, isNoted, isTaken: recover !== undefined })
      if (shared?.kind === 'shared' && isOfKind(storage, 'shared'))
        return sharedDisk(place, shared, note)
      const setting = isOfKind(storage, 'ceph') ? 'storage.ceph.pool' : 'storage.shared.path'
      throw unavailable(
        `the disk of ${id} is on the storage ${storage}: set ${setting} on this host`,
      )
    },
  }
}
