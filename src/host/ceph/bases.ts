/**
 * Bases: one image in the pool for each image of the cloud, of which disks are clones.
 *
 * Each import makes an image with a name of its own, and a snapshot when it is complete. Then the
 * marker gets its name (`image-meta`), in one step. So a base that was interrupted is never used,
 * and of two that are made at the same time one is used from then on.
 */
import { bug, unavailable } from '../../model/errors.ts'
import { type CephAccess, type CephCommands, CODES, expectDone } from './commands.ts'

export interface CephBases {
  /**
   * The name of the base with this digest, if the pool has it; null: it has not. Errors:
   * `unavailable`.
   */
  find(storage: string, digest: string): Promise<string | null>
  /**
   * Writes a file, which is raw, into the pool, as the base with this digest. Returns its name.
   * Errors: `unavailable`.
   */
  importFile(storage: string, digest: string, path: string): Promise<string>
}

/** The snapshot of a base that disks are clones of. */
export const BASE_SNAPSHOT = 'base'

/** Large images come from a disk and go through a network. */
const IMPORT_MS = 3_600_000
const DIGEST = /^sha256:([0-9a-f]{64})$/

/** Nothing is asked before the first call. */
export function createCephBases(
  { pool }: Pick<CephAccess, 'pool'>,
  commands: CephCommands,
  {
    expectStorage,
    newId,
    marker,
  }: {
    /** Rejects when the pool is another storage. */
    readonly expectStorage: (storage: string) => Promise<void>
    /** Hexadecimal digits, never the same twice. */
    readonly newId: () => string
    /** The image with the pool's marker. */
    readonly marker: string
  },
): CephBases {
  const pointer = (digest: string) => [`${pool}/${marker}`, `atoll.base.${hexOf(digest)}`]

  async function isThere(name: string): Promise<boolean> {
    const args = ['info', `${pool}/${name}@${BASE_SNAPSHOT}`, '--format', 'json']
    const result = await commands.tell('rbd', args)
    if (result.exitCode === CODES.missing) return false
    expectDone(result, name)
    return true
  }

  return {
    async find(storage, digest) {
      await expectStorage(storage)
      const result = await commands.tell('rbd', ['image-meta', 'get', ...pointer(digest)])
      if (result.exitCode === CODES.missing) return null
      expectDone(result, pointer(digest).join(' '))
      const name = result.stdout.trim()
      if (!isBaseOf(name, digest)) throw unavailable(`${pointer(digest).join(' ')} names no base`)
      return (await isThere(name)) ? name : null
    },
    async importFile(storage, digest, path) {
      await expectStorage(storage)
      const name = `atoll-base-${hexOf(digest)}-${newId()}`
      if (!isBaseOf(name, digest)) throw bug(`${name} cannot be the name of a base`)
      const image = `${pool}/${name}`
      const bring = ['import', '--no-progress', '--image-format', '2', path, image]
      const steps = [
        bring,
        ['snap', 'create', '--no-progress', `${image}@${BASE_SNAPSHOT}`],
        ['image-meta', 'set', ...pointer(digest), name],
      ]
      for (const args of steps)
        expectDone(
          await commands.tell('rbd', args, args === bring ? { timeoutMs: IMPORT_MS } : {}),
          image,
        )
      return name
    },
  }
}

/** Whether both are bases of the same image. */
export function isSameImage(one: string, other: string): boolean {
  const imageOf = (name: string) => /^atoll-base-[0-9a-f]{64}-/.exec(name)?.[0] ?? name
  return imageOf(one) === imageOf(other)
}

function hexOf(digest: string): string {
  const hex = DIGEST.exec(digest)?.[1]
  if (hex === undefined) throw bug(`${digest} is no digest of an image`)
  return hex
}

function isBaseOf(name: string, digest: string): boolean {
  const start = `atoll-base-${hexOf(digest)}-`
  return name.startsWith(start) && /^[0-9a-f]{8,32}$/.test(name.slice(start.length))
}
