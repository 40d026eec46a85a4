/**
 * The grammar of image locations. The API, which accepts them, and the hosts, which fetch them,
 * both use it.
 */
import { type DriverName, FIRST_DRIVERS, parseDriverName } from './driver.ts'
import { type HostName, type ImageId, parseHostName, parseId } from './ids.ts'
import { IMAGE_REPOSITORY } from './names.ts'

/** The schemes (before `://`) that more than one driver may use. A driver may have further ones. */
type LocationScheme = 'docker' | 'file' | 'http' | 'https' | 's3' | 'atoll'

/** The location of one file. */
export type FileLocation =
  /** On the host that fetches it. */
  | { readonly scheme: 'file'; readonly path: string }
  /** Fetched with GET, by `http:` or `https:`. */
  | { readonly scheme: 'http'; readonly url: string }
  /** On the S3 service of the configuration. */
  | { readonly scheme: 's3'; readonly bucket: string; readonly key: string }

/** Options of a virtual machine's image, after a `#`. */
export interface MachineOptions {
  /**
   * SHA-256 of the content in hex, or null. For a kernel and initramfs it is that of both, one
   * after the other.
   */
  readonly sha256: string | null
  /**
   * `nocloud`: the guest gets a NoCloud seed disk, because its cloud-init does not use the Ec2 data
   * source.
   */
  readonly seed: 'nocloud' | null
  readonly firmware: 'bios' | 'uefi'
  readonly machine: 'q35' | 'microvm'
}

export type ImageLocation =
  /** A reference as the Docker CLI accepts it, always with a tag or digest. */
  | { readonly kind: 'docker'; readonly reference: string }
  /** A root file system archive on the host that fetches it. */
  | { readonly kind: 'file'; readonly path: string }
  /** A disk image, qcow2 or raw. Its content tells which. */
  | { readonly kind: 'disk'; readonly disk: FileLocation; readonly options: MachineOptions }
  /** A kernel that is booted directly, and its initramfs. */
  | {
      readonly kind: 'kernel'
      readonly kernel: FileLocation
      readonly initrd: FileLocation
      readonly options: MachineOptions
    }
  /**
   * Made from an instance (CreateImage), and only on this host. Clients cannot register such a
   * location.
   */
  | {
      readonly kind: 'kept'
      readonly driver: DriverName
      readonly host: HostName
      readonly image: ImageId
    }

/** Public registries whose operators do not redirect anybody into other networks. */
export const PUBLIC_REGISTRIES = [
  ...[
    'docker.io',
    'gcr.io',
    'ghcr.io',
    'mcr.microsoft.com',
    'public.ecr.aws',
    'quay.io',
    'registry.k8s.io',
  ],
] as const
/** Names that the Docker CLI treats as Docker Hub. */
const HUB_NAMES: readonly string[] = ['docker.io', 'index.docker.io', 'registry-1.docker.io']

/** Longest location, in UTF-16 code units. */
export const IMAGE_LOCATION_MAX_LENGTH = 1024
const SCHEMES: readonly LocationScheme[] = ['docker', 'file', 'http', 'https', 's3', 'atoll']
const SCHEME = /^(?<scheme>[a-z][a-z0-9+.-]{1,31}):\/\/./
/**
 * White space, control and format characters (such as those that reverse text), and lone
 * surrogates.
 */
const UNSEEN = /[\s\p{Cc}\p{Cf}\p{Cs}]/u
const DOCKER = 'docker://'
const FILE = 'file://'
const S3 = 's3://'
const KEPT = 'atoll://'
/** In the location of an image that was made from an instance: precedes the driver's name. */
const DRIVER = 'driver'
/**
 * `[domain[:port]/]path[:tag][@digest]` as in https://pkg.go.dev/github.com/distribution/reference,
 * but also in upper case: the engine decides in the end. The name becomes part of a path of the
 * engine's API, so no segment is `..`.
 */
const REFERENCE =
  /^(?<name>(?:[a-z0-9][a-z0-9.-]*(?::\d{1,5})?\/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?<tag>:\w[\w.-]{0,127})?(?<digest>@sha256:[0-9a-f]{64})?$/i
/** Names of digest algorithms (OCI image specification, "Digests"). */
const ALGORITHM = /^(?:sha\d+|md5|blake3)$/i
/** Absolute, without `.` and `..` segments. */
const PATH = /^\/(?!.*(?:^|\/)\.{1,2}(?:\/|$)).+$/
const ARCHIVE = /\.(?:tar|tar\.gz|tgz)$/
const DISK = /\.(?:qcow2|img|raw)$/
/**
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and keys without
 * `.` and `..` segments.
 */
const BUCKET_AND_KEY =
  /^(?<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(?<key>(?!(?:.*\/)?\.{1,2}(?:\/|$)).+)$/
const PAIR = /^kernel=(?<kernel>[^,]+),initrd=(?<initrd>[^,]+)$/

/**
 * Parses a location without white space. Undefined when it is none of these:
 *
 * - `docker://name[:tag][@digest]`
 * - `file:///path/rootfs.tar[.gz]`: a container's root file system
 * - `file:///path/disk.qcow2` (or `.img`, `.raw`), `http(s)://…`, `s3://bucket/key`: a virtual
 *   machine's disk
 * - `kernel=FILE,initrd=FILE`, each as a disk but with any name: a virtual machine that boots
 *   without a disk
 * - `atoll://host/machine/ami-…`, `atoll://host/container/ami-…`, `atoll://host/driver/NAME/ami-…`:
 *   made from an instance, and only on that host
 *
 * The third and fourth accept `#name=value&…` for `MachineOptions`. A bare path means `file://`,
 * because the AWS CLI itself reads the file that a `file://` value names.
 */
export function parseImageLocation(text: string): ImageLocation | undefined {
  if (text.length > IMAGE_LOCATION_MAX_LENGTH || UNSEEN.test(text)) return undefined
  if (text.startsWith(DOCKER)) return parseReference(text.slice(DOCKER.length))
  if (text.startsWith(KEPT)) return parseKept(text.slice(KEPT.length))
  const path = pathOf(text)
  if (path !== undefined && ARCHIVE.test(path))
    return PATH.test(path) ? { kind: 'file', path } : undefined
  return parseMachine(text)
}

/**
 * Whether a record may have this location: one of the grammar above, or one with a scheme of its
 * driver.
 */
export function isLocationOf(driver: DriverName | null, text: string): boolean {
  if (parseImageLocation(text) !== undefined) return true
  if (driver === null || text.length > IMAGE_LOCATION_MAX_LENGTH || UNSEEN.test(text)) return false
  const scheme = SCHEME.exec(text)?.groups?.['scheme']
  return scheme !== undefined && !SCHEMES.some((one) => one === scheme)
}

/**
 * The registry of a reference, and its name without registry, `library/`, tag and digest. The first
 * part is a registry if it has a dot or a port, or is `localhost`
 * (https://pkg.go.dev/github.com/distribution/reference, splitDockerDomain).
 */
export function splitReference(reference: string): {
  readonly registry: string
  readonly name: string
} {
  const path = REFERENCE.exec(reference)?.groups?.['name'] ?? reference
  const [first = '', ...rest] = path.split('/')
  const named =
    rest.length > 0 &&
    (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase())
  const domain = named ? first.toLowerCase() : 'docker.io'
  const registry = HUB_NAMES.includes(domain) ? 'docker.io' : domain
  const name = named ? rest.join('/') : path
  return { registry, name: registry === 'docker.io' ? name.replace(/^library\//, '') : name }
}

/**
 * The driver of the image at this location, for records of older daemons, which name no driver. An
 * invalid location counts as Docker's, whose driver reports what is wrong with it.
 */
export function driverByLocation(location: string): DriverName {
  const parsed = parseImageLocation(location)
  if (parsed?.kind === 'kept') return parsed.driver
  const isMachine = parsed?.kind === 'disk' || parsed?.kind === 'kernel'
  return isMachine ? FIRST_DRIVERS.machine : FIRST_DRIVERS.container
}

/**
 * The driver of an instance or image: the one in its record, or for older records the one that
 * follows from the rest. Of the first two drivers only QEMU has volumes. So a volume tells the
 * driver even when the image is deregistered and its location unknown.
 */
export function driverOf(
  record: { readonly driver: DriverName | null },
  known: { readonly location: string; readonly hasVolume: boolean },
): DriverName {
  if (record.driver !== null) return record.driver
  return known.hasVolume ? FIRST_DRIVERS.machine : driverByLocation(known.location)
}

/** The location of an image that is made from an instance of this driver on this host. */
export function keptLocation(driver: DriverName, host: HostName, image: ImageId): string {
  const [word] = Object.entries(FIRST_DRIVERS).find(([, name]) => name === driver) ?? [
    `${DRIVER}/${driver}`,
  ]
  return `${keptLocations(host)}${word}/${image}`
}

/** The common prefix of the locations of all images that exist on this host only. */
export function keptLocations(host: HostName): string {
  return `${KEPT}${host}/`
}

/** The only host that has the image at this location. Null when any host can get it. */
export function keptBy(location: string): HostName | null {
  return keptImage(location)?.host ?? null
}

/**
 * The image that was made from an instance and lies at this location, and the only host that has
 * it. Null when any host can get it. The location of a copy names the image that was made.
 */
export function keptImage(
  location: string,
): { readonly host: HostName; readonly image: ImageId } | null {
  const parsed = parseImageLocation(location)
  return parsed?.kind === 'kept' ? parsed : null
}

function parseKept(text: string): ImageLocation | undefined {
  const [hostName = '', ...rest] = text.split('/')
  const driver = parseKeptDriver(rest.slice(0, -1))
  const host = parseHostName(hostName)
  const image = parseId('ami', rest.at(-1) ?? '')
  if (host === undefined || driver === undefined || image === undefined) return undefined
  return { kind: 'kept', driver, host, image }
}

/**
 * The first two drivers have words of their own, which older daemons know. All others are named.
 */
function parseKeptDriver([word, name, ...more]: readonly string[]): DriverName | undefined {
  if (word === 'container' || word === 'machine')
    return name === undefined ? FIRST_DRIVERS[word] : undefined
  if (word !== DRIVER || name === undefined || more.length > 0) return undefined
  const driver = parseDriverName(name)
  return driver === undefined || Object.values(FIRST_DRIVERS).includes(driver) ? undefined : driver
}

function parseReference(reference: string): ImageLocation | undefined {
  const groups = REFERENCE.exec(reference)?.groups
  if (groups === undefined) return undefined
  const { registry, name } = splitReference(reference)
  // The engine treats `sha256:abc` as an id of any of its images, and our own repository has images
  // of every account.
  if (registry === 'docker.io' && (ALGORITHM.test(name) || name === IMAGE_REPOSITORY))
    return undefined
  const pinned = groups['tag'] !== undefined || groups['digest'] !== undefined
  return { kind: 'docker', reference: pinned ? reference : `${reference}:latest` }
}

function parseMachine(text: string): ImageLocation | undefined {
  const [place = '', fragment, ...more] = text.split('#')
  const options = parseOptions(fragment ?? '')
  if (options === undefined || more.length > 0) return undefined
  const pair = PAIR.exec(place)?.groups
  if (pair !== undefined) {
    const kernel = parseFile(pair['kernel'] ?? '')
    const initrd = parseFile(pair['initrd'] ?? '')
    if (kernel === undefined || initrd === undefined || options.firmware === 'uefi')
      return undefined
    return { kind: 'kernel', kernel, initrd, options }
  }
  const disk = parseFile(place)
  // A microvm has no firmware that could boot from a disk.
  if (disk === undefined || options.machine === 'microvm') return undefined
  if (disk.scheme === 'file' && !DISK.test(disk.path)) return undefined
  return { kind: 'disk', disk, options }
}

function pathOf(text: string): string | undefined {
  if (text.startsWith(FILE)) return text.slice(FILE.length)
  return text.startsWith('/') ? text : undefined
}

function parseFile(text: string): FileLocation | undefined {
  const path = pathOf(text)
  if (path !== undefined) return PATH.test(path) ? { scheme: 'file', path } : undefined
  if (text.startsWith(S3)) {
    const found = BUCKET_AND_KEY.exec(text.slice(S3.length))?.groups
    const { bucket, key } = { bucket: found?.['bucket'], key: found?.['key'] }
    return bucket === undefined || key === undefined ? undefined : { scheme: 's3', bucket, key }
  }
  return parseUrl(text)
}

/** User names and passwords must not be in a record that every DescribeImages shows. */
function parseUrl(text: string): FileLocation | undefined {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return undefined
  const { username, password, pathname, href } = new URL(text)
  if (username !== '' || password !== '' || pathname === '/' || ARCHIVE.test(pathname))
    return undefined
  return { scheme: 'http', url: href }
}

function parseOptions(fragment: string): MachineOptions | undefined {
  const given = new URLSearchParams(fragment)
  const take = <T extends string>(name: string, allowed: (value: string) => value is T) => {
    const values = given.getAll(name)
    given.delete(name)
    const [value] = values
    return values.length === 1 && value !== undefined && allowed(value)
      ? value
      : values.length === 0
        ? null
        : undefined
  }
  const sha256 = take('sha256', (value): value is string => /^[0-9a-f]{64}$/.test(value))
  const seed = take('seed', (value): value is 'nocloud' => value === 'nocloud')
  const firmware = take('firmware', (value) => value === 'bios' || value === 'uefi')
  const machine = take('machine', (value) => value === 'q35' || value === 'microvm')
  if (sha256 === undefined || seed === undefined) return undefined
  if (firmware === undefined || machine === undefined || given.size > 0) return undefined
  return { sha256, seed, firmware: firmware ?? 'bios', machine: machine ?? 'q35' }
}
