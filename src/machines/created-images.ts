/**
 * Images that were made from virtual machines on this host (CreateImage): a directory
 * `<stateDir>/created-images/<image id>` for each.
 *
 * They are not in the image cache, because an evicted one could not be fetched again. They are not
 * below a directory that an image location can name. An incomplete image has another name: a
 * directory with an image's id is complete and synced.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import type { MachineImage } from '../images/machine-images.ts'
import { hashInto } from '../lib/digest.ts'
import { readRecord, syncPath, writeRecord } from '../lib/files.ts'
import { below, removeTree } from '../lib/paths.ts'
import { type ImageId, parseId } from '../model/ids.ts'
import { CREATED_IMAGES_DIRECTORY } from '../model/names.ts'

/** What is stored with an image's files. */
const factsSchema = z.strictObject({
  kind: z.enum(['disk', 'kernel']),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  architecture: z.string(),
  virtualBytes: z.int().positive(),
  firmware: z.enum(['bios', 'uefi']),
  machine: z.enum(['q35', 'microvm']),
  seed: z.literal('nocloud').nullable(),
})
type Facts = z.infer<typeof factsSchema>

/** A directory in which an image is made. Its files are named as in `KEPT_FILES`. */
export interface Making {
  readonly dir: string
  /** Turns it into the image. Errors: those of the file system. */
  install(facts: Omit<Facts, 'digest'>, signal: AbortSignal): Promise<MachineImage>
}

export interface KeptImages {
  /** The image, if it was made on this host and is complete. */
  find(image: ImageId): Promise<MachineImage | null>
  /** Begins to make it. Removes an earlier attempt. */
  begin(image: ImageId): Promise<Making>
  /** Removes an attempt. */
  discard(image: ImageId): Promise<void>
  /**
   * Removes all except these images, those whose digest is in `inUse`, and attempts for images in
   * `busy`. Returns what it removed.
   */
  keep(
    images: ReadonlySet<ImageId>,
    busy: ReadonlySet<ImageId>,
    inUse: ReadonlySet<string>,
  ): Promise<readonly string[]>
}

/** In the order of the digest. Without a kernel there is only the disk. */
export const KEPT_FILES = { disk: 'disk', kernel: 'kernel', initrd: 'initrd' } as const
const FACTS_FILE = 'image.json'
const PARTIAL = '.partial'

/** The images below `stateDir`, which only root may enter. */
export function createKeptImages(stateDir: string): KeptImages {
  const root = below(stateDir, CREATED_IMAGES_DIRECTORY)
  const placeOf = (image: ImageId) => below(root, image)
  const partialOf = (image: ImageId) => `${placeOf(image)}${PARTIAL}`

  async function find(image: ImageId): Promise<MachineImage | null> {
    const dir = placeOf(image)
    const facts = await readRecord(below(dir, FACTS_FILE), factsSchema)
    return facts === null ? null : describe(dir, facts)
  }

  async function install(
    image: ImageId,
    facts: Omit<Facts, 'digest'>,
    signal: AbortSignal,
  ): Promise<MachineImage> {
    const dir = partialOf(image)
    const whole = { ...facts, digest: await seal(dir, facts.kind, signal) }
    await writeRecord(below(dir, FACTS_FILE), whole)
    await syncPath(dir)
    await rename(dir, placeOf(image))
    await syncPath(root)
    return describe(placeOf(image), whole)
  }

  return {
    find,
    async begin(image) {
      const dir = partialOf(image)
      await removeTree(root, basename(dir))
      await mkdir(dir, { recursive: true, mode: 0o700 })
      return { dir, install: (facts, signal) => install(image, facts, signal) }
    },
    discard: (image) => removeTree(root, basename(partialOf(image))),
    async keep(images, busy, inUse) {
      const names = await readdir(root).catch(() => [])
      const removed: string[] = []
      for (const name of names) {
        const image = parseId('ami', name.replace(PARTIAL, ''))
        if (image === undefined) continue
        const isPartial = name.endsWith(PARTIAL)
        if (isPartial ? busy.has(image) : images.has(image)) continue
        const whole = isPartial ? null : await find(image)
        if (whole === null || !inUse.has(whole.digest)) removed.push(name)
      }
      for (const name of removed) await removeTree(root, name)
      return removed
    },
  }
}

function describe(dir: string, facts: Facts): MachineImage {
  const { digest, architecture, virtualBytes, firmware, machine, seed } = facts
  const options = { sha256: null, seed, firmware, machine }
  const disk = { path: below(dir, KEPT_FILES.disk), format: 'qcow2', virtualBytes } as const
  if (facts.kind === 'disk') return { kind: 'disk', digest, architecture, options, ...disk }
  return {
    kind: 'kernel',
    digest,
    architecture,
    options,
    kernelPath: below(dir, KEPT_FILES.kernel),
    initrdPath: below(dir, KEPT_FILES.initrd),
    disk,
  }
}

/** Syncs the files to disk, and returns the digest of all of them, one after the other. */
async function seal(dir: string, kind: Facts['kind'], signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const { disk, kernel, initrd } = KEPT_FILES
  for (const name of kind === 'disk' ? [disk] : [kernel, initrd, disk]) {
    await using file = await open(below(dir, name), 'r+')
    await file.chmod(0o444)
    await file.sync()
    await hashInto(hash, file, Number.POSITIVE_INFINITY, signal)
  }
  return `sha256:${hash.digest('hex')}`
}

/** Bytes that a file takes on its file system, without holes. 0 when it does not exist. */
export async function allocatedBytes(path: string): Promise<number> {
  return stat(path).then(
    ({ blocks }) => blocks * BLOCK_BYTES,
    () => 0,
  )
}

/** The unit of `st_blocks` (stat(2)). */
const BLOCK_BYTES = 512
