/**
 * A root disk on a storage that other hosts reach.
 *
 * Who may use it is said by the records, and by the process `fence` of the host before; QEMU locks
 * it as well, and keeps nothing of it in its host's page cache (`machine.ts`). The directory of its
 * machine has a note of where it is, so that a look at this host's machines reads that only.
 */
import { closeSync, openSync } from 'node:fs'
import type { SharedDirectory } from '../../host/files/shared-directory.ts'
import type { StoragePlace } from '../../model/storage.ts'
import type { RootDisk } from './disk.ts'

/** The disk of this place. `note` writes down that it is there. */
export function sharedDisk(
  place: StoragePlace,
  directory: SharedDirectory,
  note: () => Promise<void>,
): RootDisk {
  return {
    isShared: true,
    async make(base, sizeBytes) {
      await directory.make(place, { base, sizeBytes })
      await note()
    },
    async find() {
      await directory.find(place)
      await note()
    },
    async open() {
      const fd = openSync('/dev/null', 'r+')
      return { fd, opens: directory.file(place), close: () => closeSync(fd) }
    },
  }
}
