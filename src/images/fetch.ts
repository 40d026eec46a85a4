/**
 * Getting one image of a virtual machine into the cache: fetched, verified, inspected, and only
 * then an image.
 */
import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { below } from '../lib/paths.ts'
import { AtollError, bug, explain, refused, unavailable } from '../model/errors.ts'
import { type CachedImage, type Growing, IMAGE_FILES, type ImageFacts } from './cache.ts'
import { inspectDisk, inspectInitrd, inspectKernel } from './content.ts'
import { type DownloadTools, download } from './download.ts'
import type { Source } from './source.ts'

/** What is to be fetched. */
interface FetchOrder {
  readonly kind: ImageFacts['kind']
  /** As it was registered, for messages. */
  readonly location: string
  /** The digest that it must have, or null. */
  readonly pinned: string | null
  /** In the order of `IMAGE_FILES`. */
  readonly sources: readonly Source[]
}

/**
 * Fetches into `growing` and makes it an image. What may be gone on with later stays there; what is
 * no use to anybody is removed. Errors: `refused` and `unavailable` with the sentence that is to be
 * shown.
 */
export async function fetchMachine(
  order: FetchOrder,
  growing: Growing,
  tools: Omit<DownloadTools, 'room'>,
): Promise<CachedImage> {
  try {
    const { digest, bytes } = await fetchFiles(order, growing, tools)
    // Proved by content first: of anything but an image nobody learns whether a guess at its
    // content is right.
    const facts = await inspect(order, growing.dir, bytes)
    if (order.pinned !== null && digest !== order.pinned) throw differs(order)
    return await growing.install(digest, facts)
  } catch (error) {
    tools.signal.throwIfAborted()
    const useless = error instanceof AtollError && error.kind === 'refused'
    if (useless || (await isEmpty(order.kind, growing.dir))) await growing.discard()
    throw localError(error, growing.dir)
  }
}

/** Whether nothing was fetched yet. */
async function isEmpty(kind: ImageFacts['kind'], dir: string): Promise<boolean> {
  const sizes = await Promise.all(
    IMAGE_FILES[kind].map((name) =>
      stat(below(dir, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.every((size) => size === 0)
}

/** All files one after the other, under one hash. */
async function fetchFiles(
  { kind, sources }: FetchOrder,
  growing: Growing,
  tools: Omit<DownloadTools, 'room'>,
): Promise<{ readonly digest: string; readonly bytes: number }> {
  let hash = createHash('sha256')
  let bytes = 0
  for (const [index, name] of IMAGE_FILES[kind].entries()) {
    const source = sources[index]
    if (source === undefined) throw bug('a file of an image without a source', { kind, name })
    const before = bytes
    const room = (more: number) => growing.need(before + more)
    const done = await download(source, below(growing.dir, name), hash, { ...tools, room })
    hash = done.hash
    bytes += done.bytes
  }
  return { digest: `sha256:${hash.digest('hex')}`, bytes }
}

async function inspect(
  { kind, sources }: FetchOrder,
  dir: string,
  bytes: number,
): Promise<ImageFacts> {
  const [first, second] = sources.map(({ name }) => name)
  if (kind === 'disk') {
    await using disk = await open(below(dir, 'disk'))
    return { kind, ...(await inspectDisk(disk, first ?? '')), bytes }
  }
  await using kernel = await open(below(dir, 'kernel'))
  await inspectKernel(kernel, first ?? '')
  await using initrd = await open(below(dir, 'initrd'))
  await inspectInitrd(initrd, second ?? '')
  return { kind, bytes }
}

function differs({ location, pinned }: FetchOrder): AtollError {
  return refused(
    'InvalidParameterValue',
    `${location} does not have the content that it must have, ${pinned}; if it was changed on purpose, register it as a new image`,
  )
}

/** What the file system says, in words. */
function localError(error: unknown, dir: string): unknown {
  if (error instanceof AtollError || !(error instanceof Error)) return error
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return unavailable(`the file system of ${dir} is full`, error)
  return typeof code === 'string' && /^E[A-Z]+$/.test(code)
    ? unavailable(`an image cannot be kept in ${dir}: ${explain(error)}`, error)
    : error
}
