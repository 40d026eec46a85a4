/**
 * A root disk in a pool of Ceph, a clone of its image.
 *
 * The process of the machine opens it by librbd, with the cluster's configuration and key in its
 * cell (`host/processes/cell.sh`). Before anything is done with it here, the addresses of lost
 * hosts are refused by the cluster: a lock of RBD stops nobody. The directory of its machine has a
 * note of where it is, so that a look at this host's machines asks no cluster.
 */
import { closeSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { CephPool } from '../../host/ceph/pool.ts'
import { below } from '../../lib/paths.ts'
import type { Runner } from '../../lib/runner.ts'
import type { StoragePlace } from '../../model/storage.ts'
import type { DiskBase, RootDisk } from './disk.ts'
import { writeRaw } from './raw.ts'

interface CephDiskParts {
  readonly run: Runner
  /** The directory of the machine, for the image while it is brought into the pool. */
  readonly home: string
  /** Writes down that the disk is there. */
  readonly note: () => Promise<void>
  /** Whether that is written down. */
  readonly isNoted: () => Promise<boolean>
  /** Whether other hosts may start the instance again, and this one may have taken it over. */
  readonly isTaken: boolean
}

/** The disk of this place. */
export function cephDisk(
  place: StoragePlace,
  pool: CephPool,
  { run, home, note, isNoted, isTaken }: CephDiskParts,
): RootDisk {
  const { storage } = place

  /** One that has had it since it was last refused to others can start it without the records. */
  async function refuseOthers(): Promise<void> {
    await pool.refuseLost(storage, isTaken || !(await isNoted()))
  }

  /** The name of the base in the pool, where it is brought first if it is not there. */
  async function baseInPool(base: DiskBase): Promise<string> {
    const found = await pool.bases.find(storage, base.digest)
    if (found !== null) return found
    const bring = (path: string) => pool.bases.importFile(storage, base.digest, path)
    if (base.format === 'raw') return await bring(base.path)
    const raw = below(home, 'base.raw')
    try {
      await writeRaw(base, raw, run)
      return await bring(raw)
    } finally {
      await rm(raw, { force: true })
    }
  }

  return {
    isShared: true,
    async make(base, sizeBytes) {
      await refuseOthers()
      const name = base === null ? null : await baseInPool(base)
      await pool.make(place, { base: name, sizeBytes })
      if (isTaken) await pool.refuseUsers(place)
      await note()
    },
    async find() {
      await refuseOthers()
      await pool.find(place)
      if (isTaken) await pool.refuseUsers(place)
      await note()
    },
    async open() {
      const fd = openSync('/dev/null', 'r+')
      return { fd, opens: pool.file(place), close: () => closeSync(fd) }
    },
  }
}
