/**
 * The images of virtual machines on this host. They are fetched in the background, verified, and
 * stored by their content. This is the main file of the room. The steps from a location to the
 * cache:
 *
 * 1. location: it is parsed (`model/image-location.ts`). The image is looked up once for all
 *    callers (`lookups.ts`).
 * 2. source (`source.ts`): `file:///` is a published file (`published-file.ts`), `http(s)://` goes
 *    through the outbound filter (`source-http.ts`, `outbound.ts`, `outbound-policy.ts`), `s3://`
 *    to the configured service (`source-s3.ts`).
 * 3. download: into a partial image of the cache, continued after every interruption
 *    (`download.ts`, `partial-file.ts`).
 * 4. verify: the content is a disk or a kernel that QEMU may use (`content.ts`, `qcow2.ts`), and
 *    has the requested digest.
 * 5. cache: it is installed by one rename, and others are evicted for it (`cache.ts`).
 *
 * Nothing is converted: QEMU reads what was fetched. Images that are made from instances do not
 * come this way. `machines/convert.ts` and `machines/created-images.ts` convert and store them.
 *
 * An image is pinned by the SHA-256 of its file, or of its kernel and initramfs one after the
 * other. An image with a pinned digest is used by that digest alone. What its location contains now
 * matters only if the content is not here.
 */
import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { below } from '../lib/paths.ts'
import { ec2Architecture } from '../model/architecture.ts'
import { AtollError, assertNever, bug, explain, refused, unavailable } from '../model/errors.ts'
import type { ImageId } from '../model/ids.ts'
import {
  type FileLocation,
  type ImageLocation,
  type MachineOptions,
  parseImageLocation,
} from '../model/image-location.ts'
import { GIB } from '../model/sizes.ts'
import type { ImageFindings, ImageWant } from '../model/want.ts'
import type { Images } from '../workloads/driver.ts'
import {
  type CachedImage,
  createImageCache,
  IMAGE_FILES,
  type ImageFacts,
  type PartialImage,
} from './cache.ts'
import { inspectDisk, inspectInitrd, inspectKernel } from './content.ts'
import { type DownloadTools, download } from './download.ts'
import { createAccountLimit, createLookups } from './lookups.ts'
import type { Outbound } from './outbound.ts'
import { createFileSource } from './published-file.ts'
import type { Source } from './source.ts'
import { createHttpSource } from './source-http.ts'
import { createS3, type S3, type S3Settings } from './source-s3.ts'

/** A complete and verified image. Its files are read-only, and all its instances share them. */
export type MachineImage = MachineDisk | MachineKernel

/** The base of copy-on-write overlays. */
export interface BaseDisk {
  readonly path: string
  readonly format: 'qcow2' | 'raw'
  /** Size of the disk that the guest sees. */
  readonly virtualBytes: number
}

/** A disk: the base of each instance's copy-on-write overlay. */
interface MachineDisk extends BaseDisk {
  readonly kind: 'disk'
  /** `sha256:…` of the file as it was fetched. */
  readonly digest: string
  readonly architecture: string
  readonly options: MachineOptions
}

/** A kernel with its initramfs. */
interface MachineKernel {
  readonly kind: 'kernel'
  /** `sha256:…` of both files, one after the other. */
  readonly digest: string
  readonly architecture: string
  readonly options: MachineOptions
  readonly kernelPath: string
  readonly initrdPath: string
  /**
   * The base of each instance's disk, for an image that was made from an instance. Null: instances
   * get an empty disk.
   */
  readonly disk: BaseDisk | null
}

/** The base of an instance's disk. Null: it begins empty. */
export function baseOf(image: MachineImage): (BaseDisk & Pick<MachineImage, 'digest'>) | null {
  if (image.kind === 'disk') return image
  return image.disk === null ? null : { ...image.disk, digest: image.digest }
}

/** What is reported of the image. */
export function findingsOf(image: MachineImage): ImageFindings {
  const { digest, architecture } = image
  const base = baseOf(image)
  const diskGiB = base && Math.ceil(base.virtualBytes / GIB)
  return { digest, architecture, diskGiB }
}

export interface MachineImages extends Images {
  /**
   * The details of an image that was `ready`. `location` has its options. Errors: `unavailable`
   * when it is no longer known or no longer in the cache. Then it is looked up again.
   */
  details(digest: string, location: string): Promise<MachineImage>
}

export interface MachineImagesOptions {
  /** `<stateDir>/image-cache`. Nobody else writes there. */
  readonly cacheDir: string
  /** Directories in which `file:///` locations may be. */
  readonly directories: readonly string[]
  /** Largest file. */
  readonly maxBytes: number
  /** Limit of the whole cache. */
  readonly cacheBytes: number
  /** The digests that instances on this host use. */
  readonly inUse: () => Promise<ReadonlySet<string>>
  /** The service of `s3://` locations. Null when the configuration names none. */
  readonly s3: S3Settings | null
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Images that were made on this host. */
  readonly kept: { find(image: ImageId): Promise<MachineImage | null> }
  /** For fetching `http(s)://` locations. */
  readonly outbound: Pick<Outbound, 'get'>
}

/**
 * Maximum number of concurrent downloads, in total and for one account. Others wait. Transfers cost
 * little, and slow ones end.
 */
const FETCHES_AT_ONCE = 16
const FETCHES_OF_ACCOUNT = 2
/** Published files are copied separately, so that they do not wait for downloads. */
const COPIES_AT_ONCE = 4
const KEY_DIGITS = 32

type MachineLocation = Extract<ImageLocation, { readonly kind: 'disk' | 'kernel' }>

/** Looks up the images of this host's virtual machines. */
export function createMachineImages(options: MachineImagesOptions): MachineImages {
  const { clock, log, cacheDir, cacheBytes, kept } = options
  const s3 = options.s3 === null ? null : createS3(options.s3)
  const fetches = createAccountLimit(FETCHES_AT_ONCE, FETCHES_OF_ACCOUNT)
  const copies = createAccountLimit(COPIES_AT_ONCE, COPIES_AT_ONCE)
  const evicted = (digest: string) => looks.forget(digest)
  const cache = createImageCache({ ...options, dir: cacheDir, maxBytes: cacheBytes, evicted })
  const architecture = ec2Architecture(process.arch)

  /** The image, if its location says that it was made here. Null for all others. */
  async function ownImage(text: string, digest: string | null): Promise<MachineImage | null> {
    const location = parseImageLocation(text)
    if (location?.kind !== 'kept') return null
    const image = await kept.find(location.image)
    if (image !== null && image.digest === digest) return image
    throw refused(
      'InvalidParameterValue',
      `the image ${location.image} existed only on ${location.host}, and is not here (any more)`,
    )
  }

  const looks = createLookups({
    clock,
    log,
    async find(want, progress, signal) {
      const own = await ownImage(want.location, want.digest)
      if (own !== null) return findingsOf(own)
      const location = machineLocation(want.location)
      const pinned = pinnedDigest(want, location)
      // Only by the digest in the record: what a client asks for is not given to it because
      // somebody else has it here.
      const known = async () =>
        want.digest === null ? null : cache.find(location.kind, want.digest)
      const key = keyOf(location, pinned)
      const fetched = async () => {
        // An earlier holder of the place may have fetched it.
        const there = await known()
        if (there !== null) return there
        const sources = filesOf(location).map((file) => sourceOf(file, options, s3))
        using partial = await cache.begin(key)
        const order = { kind: location.kind, location: want.location, pinned, sources }
        return await fetchMachine(order, partial, { ...options, progress, signal })
      }
      const turns = filesOf(location).every(({ scheme }) => scheme === 'file') ? copies : fetches
      const image =
        (await known()) ?? (await turns.run({ key, owner: want.account }, fetched, signal))
      return findingsOf(describe(image, location, architecture))
    },
  })

  return {
    look: looks.look,
    watch: looks.watch,
    async details(digest, text) {
      const own = await ownImage(text, digest)
      if (own !== null) return own
      const location = machineLocation(text)
      const image = await cache.find(location.kind, digest)
      if (image !== null) return describe(image, location, architecture)
      looks.forget(digest)
      throw unavailable(`the image ${digest} is not available here`)
    },
    async close() {
      await looks.close()
      s3?.close()
    },
  }
}

function machineLocation(text: string): MachineLocation {
  const location = parseImageLocation(text)
  if (location?.kind === 'disk' || location?.kind === 'kernel') return location
  throw refused('InvalidParameterValue', `ImageLocation ${text} is not a virtual machine's`)
}

/** The required digest. Null when any content is accepted. */
function pinnedDigest(want: ImageWant, { options }: MachineLocation): string | null {
  const asked = options.sha256 === null ? null : `sha256:${options.sha256}`
  if (asked === null || want.digest === null || asked === want.digest) return want.digest ?? asked
  throw refused(
    'InvalidParameterValue',
    `${want.location} requires ${asked}, but ${want.digest} is pinned for ${want.id}`,
  )
}

/** Equal for equal work. */
function keyOf(location: MachineLocation, pinned: string | null): string {
  const text = JSON.stringify([filesOf(location), pinned])
  return createHash('sha256').update(text).digest('hex').slice(0, KEY_DIGITS)
}

function filesOf(location: MachineLocation): readonly FileLocation[] {
  return location.kind === 'disk' ? [location.disk] : [location.kernel, location.initrd]
}

function sourceOf(
  file: FileLocation,
  options: Pick<MachineImagesOptions, 'directories' | 'maxBytes' | 'outbound'>,
  s3: S3 | null,
): Source {
  switch (file.scheme) {
    case 'file':
      return createFileSource(file.path, options)
    case 'http':
      return createHttpSource(file.url, options.outbound)
    case 's3':
      if (s3 !== null) return s3.source(file.bucket, file.key)
      throw refused(
        'InvalidParameterValue',
        `s3://${file.bucket}/${file.key} cannot be fetched: this host's configuration names no S3 service (setting images.s3)`,
      )
    default:
      return assertNever(file)
  }
}

function describe(
  { digest, facts, dir }: CachedImage,
  { options }: MachineLocation,
  architecture: string,
): MachineImage {
  const common = { digest, architecture, options }
  if (facts.kind === 'kernel') {
    const [kernel, initrd] = IMAGE_FILES.kernel
    return {
      kind: 'kernel',
      ...common,
      kernelPath: below(dir, kernel),
      initrdPath: below(dir, initrd),
      disk: null,
    }
  }
  const { format, virtualBytes } = facts
  return { kind: 'disk', ...common, path: below(dir, IMAGE_FILES.disk[0]), format, virtualBytes }
}

/** What to fetch. */
interface FetchOrder {
  readonly kind: ImageFacts['kind']
  /** The registered location, for messages. */
  readonly location: string
  /** The required digest. Null: any. */
  readonly pinned: string | null
  /** In the order of `IMAGE_FILES`. */
  readonly sources: readonly Source[]
}

/**
 * Fetches into `partial`, and turns it into an image. What can be continued later stays there; what
 * is useless is removed. Errors: `refused` and `unavailable` with the sentence to show.
 */
async function fetchMachine(
  order: FetchOrder,
  partial: PartialImage,
  tools: Omit<DownloadTools, 'room'>,
): Promise<CachedImage> {
  try {
    const { digest, bytes } = await fetchFiles(order, partial, tools)
    // The content is verified first. So a client cannot test guesses about the content of a file
    // that is no image.
    const facts = await inspect(order, partial.dir, bytes)
    if (order.pinned !== null && digest !== order.pinned) throw differs(order)
    return await partial.install(digest, facts)
  } catch (error) {
    tools.signal.throwIfAborted()
    const useless = error instanceof AtollError && error.kind === 'refused'
    if (useless || (await isEmpty(order.kind, partial.dir))) await partial.discard()
    throw localError(error, partial.dir)
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

/** All files one after the other, with one hash. */
async function fetchFiles(
  { kind, sources }: FetchOrder,
  partial: PartialImage,
  tools: Omit<DownloadTools, 'room'>,
): Promise<{ readonly digest: string; readonly bytes: number }> {
  let hash = createHash('sha256')
  let bytes = 0
  for (const [index, name] of IMAGE_FILES[kind].entries()) {
    const source = sources[index]
    if (source === undefined) throw bug('a file of an image without a source', { kind, name })
    const before = bytes
    const room = (more: number) => partial.reserve(before + more)
    const done = await download(source, below(partial.dir, name), hash, { ...tools, room })
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
    `${location} does not have the required content, ${pinned}; if it was changed on purpose, register it as a new image`,
  )
}

/** The file system's error in words. */
function localError(error: unknown, dir: string): unknown {
  if (error instanceof AtollError || !(error instanceof Error)) return error
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return unavailable(`the file system of ${dir} is full`, error)
  return typeof code === 'string' && /^E[A-Z]+$/.test(code)
    ? unavailable(`an image cannot be kept in ${dir}: ${explain(error)}`, error)
    : error
}
