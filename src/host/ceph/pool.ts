/**
 * A pool of a Ceph cluster, in which root disks are RBD images: `atoll-<volume id>`.
 *
 * - It is what its marker says, metadata of the image `atoll-storage` that `initCephPool` writes
 *   once. So another pool, or that of another cloud, is never taken for it.
 * - A disk is a clone of a base, one for each image (`bases.ts`), or empty (`images.ts`).
 * - Any number of hosts can write an image at once. The lock that RBD has is no fence: it goes to
 *   whoever asks for it. So who may use one is said by the records, and the address of a lost host
 *   is put on the cluster's blocklist before its disks are opened (`refuseLost`).
 *
 * https://docs.ceph.com/en/pacific/rbd/, rbd(8), rados(8), ceph(8).
 */
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import type { StorageFence, StoragePlace } from '../../model/storage.ts'
import { type CephBases, createCephBases } from './bases.ts'
import { type CephAccess, createCephCommands } from './commands.ts'
import { type CephImages, createCephImages, imageOf } from './images.ts'
import { type CephLook, type CephPoolSettings, createLooks, MARKER_IMAGE } from './looks.ts'
import { type CephFences, createCephRefusals } from './refusals.ts'

/** What a process needs to open an image by itself (`host/processes/cell.sh`). */
export interface CephDisk {
  readonly kind: 'ceph'
  readonly access: CephAccess
  readonly image: string
}

export interface CephPool extends CephImages {
  readonly kind: 'ceph'
  /**
   * The storage that this host reaches, by the last look; null: none. Begins another look when the
   * last one is old. Never waits.
   */
  storage(): string | null
  /** The address from which it was reached the last time; null: not known. Never waits. */
  address(): string | null
  /** Looks now. */
  look(): Promise<CephLook>
  /** The bases of disks. */
  readonly bases: CephBases
  file(place: StoragePlace): CephDisk
  /**
   * Has the cluster refuse everything that comes from the addresses of lost hosts. When it
   * resolves, it does. `isNeeded`: it is not without the records, which say which those are.
   * Errors: `unavailable`; then nothing is known.
   */
  refuseLost(storage: string, isNeeded: boolean): Promise<void>
  /**
   * Has it refuse all processes on other hosts that have this disk open, or had it when they were
   * last heard of: one may have begun when its host had another address than now. Errors:
   * `unavailable`, `refused` when there is no such disk.
   */
  refuseUsers(place: StoragePlace): Promise<void>
  /** Whether the cluster refuses this host now. Errors: `unavailable` when it does not say. */
  isRefused(): Promise<boolean>
  /** Ends that. Only when nothing runs there that was started before. Errors: `unavailable`. */
  unfence(fence: StorageFence): Promise<void>
}

interface CephPoolTools {
  readonly run: Runner
  readonly clock: Clock
  readonly log: Log
  readonly fences: CephFences
  /** Hexadecimal digits, never the same twice. */
  readonly newId: () => string
}

/** Nothing is asked before the first call. */
export function createCephPool(settings: CephPoolSettings, tools: CephPoolTools): CephPool {
  const { pool } = settings
  const commands = createCephCommands(settings, tools.run)
  const { lookNow, lookAnew, known, address } = createLooks(settings, commands, tools)
  const refusals = createCephRefusals(commands, { ...tools, address })

  /** Not while the cluster is known not to answer: each attempt would take its whole deadline. */
  async function expectStorage(storage: string): Promise<void> {
    let now = known() ?? (await lookNow())
    if (!('problem' in now) && now.storage !== storage) now = await lookNow()
    if ('problem' in now) throw unavailable(`the pool ${pool} (storage.ceph.pool): ${now.problem}`)
    if (now.storage !== storage)
      throw unavailable(`the pool ${pool} (storage.ceph.pool) is ${now.storage}, not ${storage}`)
  }

  return {
    kind: 'ceph',
    storage: () => storageIn(known()),
    address,
    look: lookNow,
    bases: createCephBases(settings, commands, {
      ...{ expectStorage, newId: tools.newId },
      marker: MARKER_IMAGE,
    }),
    ...createCephImages(pool, commands, { expectStorage, lookNow }),
    file: (place) => ({ kind: 'ceph', access: accessOf(settings), image: imageOf(place) }),
    async refuseLost(storage, isNeeded) {
      await expectStorage(storage)
      await refusals.refuseLost(storage, isNeeded)
    },
    async refuseUsers(place) {
      await expectStorage(place.storage)
      await refusals.refuseUsers(`${pool}/${imageOf(place)}`)
    },
    async isRefused() {
      const now = await lookAnew()
      if ('problem' in now && !now.isRefused) throw unavailable(now.problem)
      return 'problem' in now
    },
    // The pool cannot be looked at from there before.
    unfence: refusals.unfence,
  }
}

function accessOf({ pool, user, conf, keyring }: CephAccess): CephAccess {
  return { pool, user, conf, keyring }
}

function storageIn(look: CephLook | null): string | null {
  return look !== null && 'storage' in look ? look.storage : null
}
