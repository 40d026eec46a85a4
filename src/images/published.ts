/**
 * The operator's commands for published images: publish, list and remove. The daemon is not
 * involved: it opens what it finds (`published-file.ts`).
 *
 * A file appears under its name complete, verified and on the disk, or not at all. After a crash
 * `.NAME.publishing` may remain, which is not listed. Instances of an image go on when it is no
 * longer published.
 */
import { createHash } from 'node:crypto'
import {
  constants,
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rm,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { hashInto } from '../lib/digest.ts'
import { exists, syncPath } from '../lib/files.ts'
import { AtollError, messageOf, refused } from '../model/errors.ts'
import { parseImageLocation } from '../model/image-location.ts'
import { archivePacking, diskOf, headOf, isInitramfs, isKernel } from './content.ts'
import { openPublished } from './published-file.ts'

/** The type of a file, by its content. */
type ImageKind = 'disk' | 'kernel' | 'initrd' | 'archive'

/** A file in a published directory. */
export interface PublishedImage {
  readonly path: string
  readonly kind: ImageKind | null
  readonly bytes: number | null
  /** Why clients cannot use it. Null when they can. */
  readonly problem: string | null
}

/** The result of `publishImage`. */
export interface Published extends PublishedImage {
  /** Hex SHA-256 of the content. */
  readonly sha256: string
}

/** No character has a meaning in an image location. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$/
const ENDINGS: Readonly<Record<ImageKind, string | null>> = {
  disk: '.qcow2, .img or .raw',
  archive: '.tar, .tar.gz or .tgz',
  kernel: null,
  initrd: null,
}
const UNFINISHED = /^\..*\.publishing$/
const SUBDIRECTORIES_MAX = 1_000

/**
 * Copies `file`, from anywhere, into `directory`, readable for everybody. Errors: `refused` when it
 * is not an image, when the name does not fit it, or when the name exists and `replace` is false.
 */
export async function publishImage(
  file: string,
  directory: string,
  {
    name = basename(file),
    replace = false,
    maxBytes,
  }: { name?: string; replace?: boolean; maxBytes: number },
): Promise<Published> {
  if (!NAME.test(name))
    throw say(
      `${name} is not a valid name for a published image: letters, digits, ., _, + and -; give another with --name`,
    )
  const target = join(directory, name)
  if (!replace && (await exists(target))) throw say(`${target} exists; use --replace to replace it`)
  // This may create the state directory before the daemon's first start. Only root may enter it.
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 })
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const aside = join(directory, `.${name}.publishing`)
  try {
    await rm(aside, { force: true })
    await copyFile(
      resolve(file),
      aside,
      constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
    ).catch((error: unknown) => {
      throw say(`${file} cannot be copied to ${directory}: ${messageOf(error)}`)
    })
    const found = await seal(aside, file, maxBytes)
    needsEnding(target, found.kind)
    await rename(aside, target)
    await syncPath(directory)
    return { ...found, path: target, problem: null }
  } finally {
    await rm(aside, { force: true })
  }
}

/** Verifies the copy, makes it readable for everybody, and syncs it to the disk. */
async function seal(path: string, name: string, maxBytes: number) {
  await using copy = await open(path, 'r')
  const kind = await kindOf(copy, name)
  const { size: bytes } = await copy.stat()
  if (bytes > maxBytes)
    throw say(`${name} is larger than ${maxBytes} bytes (setting images.maxGiB)`)
  const hash = createHash('sha256')
  await hashInto(hash, copy, bytes, new AbortController().signal)
  await copy.chmod(0o644)
  await copy.sync()
  return { kind, bytes, sha256: hash.digest('hex') }
}

/** The contents of the published directories, by path. */
export async function listPublished(
  directories: readonly string[],
  maxBytes: number,
): Promise<readonly PublishedImage[]> {
  const images: PublishedImage[] = []
  const toRead = [...directories]
  for (let read = 0; read < Math.min(toRead.length, SUBDIRECTORIES_MAX); read += 1) {
    const dir = toRead[read] ?? ''
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => [])
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name)
      if (entry.isDirectory()) toRead.push(path)
      else if (!UNFINISHED.test(entry.name)) images.push(await look(path, directories, maxBytes))
    }
  }
  return images
}

async function look(
  path: string,
  directories: readonly string[],
  maxBytes: number,
): Promise<PublishedImage> {
  try {
    await using file = await openPublished(path, { directories, maxBytes })
    const { size: bytes } = await file.stat()
    const kind = await kindOf(file, path)
    return { path, kind, bytes, problem: null }
  } catch (error) {
    const why = error instanceof AtollError ? error.detail['why'] : undefined
    return {
      path,
      kind: null,
      bytes: null,
      problem: typeof why === 'string' ? why : messageOf(error),
    }
  }
}

/**
 * Removes a file from a published directory, and returns its path. Errors: `refused` when no file
 * has the name.
 */
export async function unpublishImage(
  name: string,
  directories: readonly string[],
): Promise<string> {
  for (const dir of directories) {
    const path = name.startsWith('/') ? resolve(name) : join(dir, name)
    if (!path.startsWith(`${dir}/`) || !(await exists(path))) continue
    await rm(path)
    await syncPath(dir)
    return path
  }
  throw say(`there is no published image ${name} in ${directories.join(', ')}`)
}

async function kindOf(file: FileHandle, name: string): Promise<ImageKind> {
  const head = await headOf(file)
  if (isKernel(head)) return 'kernel'
  if (archivePacking(head) !== null) return 'archive'
  if (isInitramfs(head)) return 'initrd'
  const { size } = await file.stat()
  diskOf(head, size, name)
  return 'disk'
}

/** Locations distinguish disks and archives by their names. */
function needsEnding(path: string, kind: ImageKind): void {
  const ending = ENDINGS[kind]
  if (ending === null) return
  const fits = parseImageLocation(path)?.kind === (kind === 'disk' ? 'disk' : 'file')
  if (!fits)
    throw say(`the name of a published ${kind} must end in ${ending}: give one with --name`)
}

function say(message: string): AtollError {
  return refused('InvalidParameterValue', message)
}
