/**
 * The images of virtual machines on this host: fetched in the background, verified, inspected, and
 * kept by their content.
 *
 * An image is pinned by the SHA-256 of its file, or of its kernel and initramfs one after the
 * other. An image with a pinned digest is used by that digest alone: what its location holds today
 * matters only when the content is not here. Nothing that was fetched is given out before it had
 * the digest that is asked for and was found to be something that QEMU may be given.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { below } from '../lib/paths.ts'
import { ec2Architecture } from '../model/architecture.ts'
import { assertNever, refused, unavailable } from '../model/errors.ts'
import type { ImageId } from '../model/ids.ts'
import {
  type FileLocation,
  type ImageLocation,
  parseImageLocation,
} from '../model/image-location.ts'
import type { ImageWant } from '../model/want.ts'
import { createTurns } from './admission.ts'
import { type CachedImage, createImageCache, IMAGE_FILES } from './cache.ts'
import { fetchMachine } from './fetch.ts'
import { createLooks } from './lookups.ts'
import { findingsOf, type MachineImage, type MachineImages } from './machine-image.ts'
import type { Outbound } from './outbound.ts'
import { createFileSource, type Source } from './source.ts'
import { createHttpSource } from './source-http.ts'
import { createS3, type S3, type S3Settings } from './source-s3.ts'

export interface MachineImagesOptions {
  /** `<stateDir>/image-cache`: nobody else writes there. */
  readonly cacheDir: string
  /** Directories that `file:///` locations may lie in. */
  readonly directories: readonly string[]
  /** Largest file. */
  readonly maxBytes: number
  /** Of the whole cache. */
  readonly cacheBytes: number
  /** Digests that instances on this host are made from. */
  readonly inUse: () => Promise<ReadonlySet<string>>
  /** Where `s3://` locations lie; null when the configuration names no such service. */
  readonly s3: S3Settings | null
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Images that were made on this host. */
  readonly kept: { find(image: ImageId): Promise<MachineImage | null> }
  /** What `http(s)://` locations are fetched through. */
  readonly outbound: Pick<Outbound, 'get'>
}

/**
 * Images that are fetched from elsewhere at once, and of these for one account; others wait.
 * Transfers cost little, and slow ones end.
 */
const FETCHES_AT_ONCE = 16
const FETCHES_OF_ACCOUNT = 2
/** Published files are copied at once; they do not wait for the world. */
const COPIES_AT_ONCE = 4
const KEY_DIGITS = 32

type MachineLocation = Extract<ImageLocation, { readonly kind: 'disk' | 'kernel' }>

/** Where the images of this host's virtual machines are looked up. */
export function createMachineImages(options: MachineImagesOptions): MachineImages {
  const { clock, log, cacheDir, cacheBytes, kept } = options
  const s3 = options.s3 === null ? null : createS3(options.s3)
  const fetches = createTurns(FETCHES_AT_ONCE, FETCHES_OF_ACCOUNT)
  const copies = createTurns(COPIES_AT_ONCE, COPIES_AT_ONCE)
  const evicted = (digest: string) => looks.forget(digest)
  const cache = createImageCache({ ...options, dir: cacheDir, maxBytes: cacheBytes, evicted })
  const architecture = ec2Architecture(process.arch)

  /** The image if its location says that it was made here; null for all others. */
  async function ownImage(text: string, digest: string | null): Promise<MachineImage | null> {
    const location = parseImageLocation(text)
    if (location?.kind !== 'kept') return null
    const image = await kept.find(location.image)
    if (image !== null && image.digest === digest) return image
    throw refused(
      'InvalidParameterValue',
      `the image ${location.image} was kept on ${location.host} only, and is not here (any more)`,
    )
  }

  const looks = createLooks({
    clock,
    log,
    async find(want, progress, signal) {
      const own = await ownImage(want.location, want.digest)
      if (own !== null) return findingsOf(own)
      const location = machineLocation(want.location)
      const pinned = pinnedDigest(want, location)
      // By the digest of the record only: what a client asks for is not given to it because
      // somebody else has it here.
      const known = async () =>
        want.digest === null ? null : cache.find(location.kind, want.digest)
      const key = keyOf(location, pinned)
      const fetched = async () => {
        // Whoever had the turn before may have fetched it.
        const there = await known()
        if (there !== null) return there
        const sources = filesOf(location).map((file) => sourceOf(file, options, s3))
        using growing = await cache.begin(key)
        const order = { kind: location.kind, location: want.location, pinned, sources }
        return await fetchMachine(order, growing, { ...options, progress, signal })
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
      throw unavailable(`the image ${digest} is not at hand`)
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

/** The content that it must have; null when any will do. */
function pinnedDigest(want: ImageWant, { options }: MachineLocation): string | null {
  const asked = options.sha256 === null ? null : `sha256:${options.sha256}`
  if (asked === null || want.digest === null || asked === want.digest) return want.digest ?? asked
  throw refused(
    'InvalidParameterValue',
    `${want.location} asks for ${asked}, and ${want.digest} is pinned for ${want.id}`,
  )
}

/** The same for whoever fetches the same. */
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
