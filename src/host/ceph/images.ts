/**
 * Root disks as images in a pool. One is complete when it has its parent; then it stays as it is.
 * Every call is safe to repeat, and may be interrupted anywhere.
 */
import { refused, unavailable } from '../../model/errors.ts'
import type { StoragePlace } from '../../model/storage.ts'
import { type ImageInfo, parseInfo } from './answers.ts'
import { BASE_SNAPSHOT, isSameImage } from './bases.ts'
import { type CephCommands, CODES, expectDone, sized } from './commands.ts'

/** An empty disk, or one on a base that the pool has. */
interface CephDiskOrder {
  /** The image that it is a copy of. Null: it is empty. */
  readonly base: string | null
  readonly sizeBytes: number
}

export interface CephImages {
  /**
   * Makes a disk, unless it is there: then it stays as it is. Errors: `unavailable`, `refused`.
   */
  make(place: StoragePlace, order: CephDiskOrder): Promise<void>
  /** Errors: `refused` when there is no such disk, `unavailable`. */
  find(place: StoragePlace): Promise<void>
  /** Its size in bytes. Errors: those of `find`. */
  size(place: StoragePlace): Promise<number>
  /** Removes a disk, if it is there. Errors: `unavailable`; also while a process has it open. */
  remove(place: StoragePlace): Promise<void>
}

/** Of a large image. */
const REMOVE_MS = 600_000

/** `expectStorage` rejects when the pool is another storage, as the last look has seen it. */
export function createCephImages(
  pool: string,
  commands: CephCommands,
  {
    expectStorage,
    lookNow,
  }: {
    readonly expectStorage: (storage: string) => Promise<void>
    readonly lookNow: () => Promise<unknown>
  },
): CephImages {
  const nameOf = (place: StoragePlace) => `${pool}/${imageOf(place)}`

  async function infoOf(place: StoragePlace): Promise<ImageInfo | null> {
    await expectStorage(place.storage)
    const result = await commands.tell('rbd', ['info', nameOf(place), '--format', 'json'])
    if (result.exitCode === CODES.missing) {
      // It may be the pool that is not there.
      await lookNow()
      await expectStorage(place.storage)
      return null
    }
    expectDone(result, nameOf(place))
    const info = parseInfo(result.stdout, pool)
    if (info === undefined) throw unavailable(`${nameOf(place)}: rbd info is not understood`)
    return info
  }

  async function found(place: StoragePlace): Promise<ImageInfo> {
    const info = await infoOf(place)
    if (info !== null) return info
    throw refused('UnsupportedOperation', `${nameOf(place)}: the disk is not there`)
  }

  async function remove(place: StoragePlace): Promise<void> {
    await expectStorage(place.storage)
    const args = ['rm', '--no-progress', nameOf(place)]
    const result = await commands.tell('rbd', args, { timeoutMs: REMOVE_MS })
    if (result.exitCode === CODES.missing) return
    if (result.exitCode === CODES.busy)
      throw unavailable(`${nameOf(place)} is open somewhere, or was until half a minute ago`)
    expectDone(result, nameOf(place))
  }

  return {
    async make(place, { base, sizeBytes }) {
      const before = await infoOf(place)
      const isWhole = before !== null && isComplete(before, base)
      // A clone without its parent was interrupted, and has never been used.
      if (before !== null && !isWhole) await remove(place)
      if (!isWhole) {
        const args =
          base === null
            ? ['create', ...sized(sizeBytes), nameOf(place)]
            : ['clone', ...CLONE, `${pool}/${base}@${BASE_SNAPSHOT}`, nameOf(place)]
        const made = await commands.tell('rbd', args)
        // What an interrupted attempt has left may be too little to be an image. It is removed.
        if (made.exitCode === CODES.exists && (await infoOf(place)) === null) await remove(place)
        expectDone(made, nameOf(place))
      }
      const { sizeBytes: now } = await found(place)
      if (now >= sizeBytes) return
      const args = ['resize', '--no-progress', ...sized(sizeBytes), nameOf(place)]
      expectDone(await commands.tell('rbd', args), nameOf(place))
    },
    find: async (place) => void (await found(place)),
    size: async (place) => (await found(place)).sizeBytes,
    remove,
  }
}

function isComplete({ parent }: ImageInfo, base: string | null): boolean {
  return parent === null || base === null ? parent === base : isSameImage(parent, base)
}

/** Clones of the second version need no protected snapshot. */
const CLONE = ['--rbd-default-clone-format', '2']

/** The name of a disk's image. */
export function imageOf({ volume }: StoragePlace): string {
  return `atoll-${volume}`
}
