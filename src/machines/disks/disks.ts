/**
 * Where the root disk of each virtual machine is: on this host (`local.ts`), or on a storage that
 * other hosts reach (`shared.ts`).
 */
import type { SharedDirectory } from '../../host/files/shared-directory.ts'
import type { Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import type { StoragePlace } from '../../model/storage.ts'
import type { InstanceWant } from '../../model/want.ts'
import type { MachineFilesystem } from '../files.ts'
import type { RootDisk } from './disk.ts'
import { localDisk } from './local.ts'
import { sharedDisk } from './shared.ts'

/** The disks of this host's instances. */
export interface RootDisks {
  /** As the records say. */
  of(want: Pick<InstanceWant, 'id' | 'disk'>): RootDisk
}

/** `shared` null: this host has no such storage. */
export function createRootDisks(
  files: MachineFilesystem,
  run: Runner,
  shared: SharedDirectory | null,
): RootDisks {
  return {
    of({ id, disk }) {
      const { storage } = disk ?? {}
      if (disk === null || storage === undefined) return localDisk(files.paths(id).disk, run)
      if (shared === null)
        throw unavailable(
          `the disk of ${id} is on the storage ${storage}: set storage.shared.path on this host`,
        )
      const place: StoragePlace = { storage, volume: disk.volume }
      return sharedDisk(place, shared, () => files.placeDisk(id, place))
    },
  }
}
