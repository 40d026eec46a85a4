/**
 * What a row of each table must look like before anybody goes by it: one schema per table. Pure.
 *
 * The records come over a network from an engine that other hosts, other versions and people write to, so a row is input like a
 * packet. Names that become paths, links, rules or labels (ids, addresses, host names) are held to their exact shape; numbers to
 * what they can mean; words to those that this version knows, because half-understood is worse than left alone. Prose, which is only
 * shown, is made printable and cut instead: nobody's instance is put aside for what a message says. Unknown columns, as a newer
 * version adds, are left out.
 */
import { z } from 'zod'
import { cidrOverlaps, cidr as network, parseCidr, parseIpv4 } from '../../model/addr.ts'
import type { Branded, formatId, IdPrefix } from '../../model/ids.ts'
import { IMAGE_LOCATION_MAX_LENGTH, parseImageLocation } from '../../model/image-location.ts'
import { HOP_LIMIT_MAX } from '../../model/metadata-options.ts'
import type { PeerHost, PlacedNic } from '../../model/records.ts'
import type {
  HostRow,
  InstanceRow,
  NicGroupRow,
  NicRow,
  SubnetRow,
  Tables,
  VolumeRow,
  VpcRow,
} from '../tables.ts'
import { optionsFromColumn } from './instance-options.ts'

/** Longest name, in UTF-16 code units: the columns hold 255 characters, and some take two. */
const NAME_MAX = 510
/** Longest prose and longest text of a file (`text` columns hold 64 KiB). */
const PROSE_MAX = 4096
const TEXT_MAX = 65_535
/** 16 KiB in base64, and the line breaks that some encoders put in (RFC 2045: one in 76). */
const USER_DATA_MAX = 24_576
/** More than any machine has. */
const VCPUS_MAX = 65_536
const SIZE_MAX = 2 ** 40
const COUNT_MAX = Number.MAX_SAFE_INTEGER
/** EC2's largest volume is 64 TiB. */
const VOLUME_MAX_GIB = 65_536
/** Devices of one instance, groups of one NIC: more than EC2 has of either. */
const INDEX_MAX = 1023
/** Never the network of a VPC: this network, loopback, link-local, and all from multicast on (RFC 6890). */
const NO_VPC = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map((net) =>
  network(net),
)
const VPC_PREFIX_MIN = 8
const SUBNET_PREFIX_MAX = 29

/** Text of a shape. Regular expressions, because they cost a third of what parsing by our own functions does. */
function like<Text extends string>(shape: RegExp): z.ZodType<Text, Text> {
  return z.string().regex(shape) as unknown as z.ZodType<Text, Text>
}

/** An id that we made: 17 digits. The short form of old (8 digits) is taken from clients only. */
function id<P extends IdPrefix>(prefix: P) {
  const shape = z.string().regex(new RegExp(`^${prefix}-[0-9a-f]{17}$`))
  return shape as unknown as z.ZodType<ReturnType<typeof formatId<P>>>
}

const UNPRINTABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u
/** A word that is shown, compared and put into file contents: printable. */
const name = z
  .string()
  .max(NAME_MAX)
  .refine((text) => !UNPRINTABLE.test(text), 'is not printable')
/** A name that only operators and we give: zones, types. */
const label = z.string().regex(/^[\w.-]{1,64}$/)
/** What is only shown. */
const prose = z
  .string()
  .transform((text) =>
    text.slice(0, PROSE_MAX).replace(/[^\P{Cc}\n\t]|[\p{Cs}\uFFFE\uFFFF]/gu, '\uFFFD'),
  )
const host = like<Branded<'HostName'>>(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
const account = like<Branded<'AccountId'>>(/^\d{12}$/)
/** As `isoTime` writes it; a year of four digits that `Date` takes. */
const time = z
  .string()
  .max(32)
  .refine(
    (text) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text) &&
      !Number.isNaN(Date.parse(text)),
    'is no time (ISO 8601, UTC)',
  )
const flag = z.union([z.literal(0), z.literal(1)])
const count = z.int().min(0).max(COUNT_MAX)
const index = z.int().min(0).max(INDEX_MAX)
const size = z.int().min(0).max(SIZE_MAX)
const ip = z
  .string()
  .max(15)
  .refine((text) => parseIpv4(text) !== undefined, 'is no IPv4 address') as unknown as z.ZodType<
  Branded<'Ipv4'>
>
/** Canonical: records are compared as text. A group address (first octet odd) belongs to nobody (IEEE 802, clause 8.2). */
const mac = like<Branded<'Mac'>>(/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/)
const cidr = z
  .string()
  .max(18)
  .refine((text) => {
    const net = parseCidr(text)
    if (net === undefined || net.prefix < VPC_PREFIX_MIN || net.prefix > SUBNET_PREFIX_MAX)
      return false
    return !NO_VPC.some((reserved) => cidrOverlaps(reserved, net))
  }, 'is no network that instances may have')
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const location = z
  .string()
  .max(IMAGE_LOCATION_MAX_LENGTH)
  .refine((text) => parseImageLocation(text) !== undefined, 'is no image location')
const userData = z
  .string()
  .max(USER_DATA_MAX)
  .regex(/^[\w+/=\s-]*$/)

/** Columns of an instance and of an account. */
const metadata = {
  metadataTokens: z.enum(['optional', 'required']).nullable(),
  metadataEndpoint: z.enum(['enabled', 'disabled']).nullable(),
  metadataHopLimit: z.int().min(1).max(HOP_LIMIT_MAX).nullable(),
  metadataTags: z.enum(['enabled', 'disabled']).nullable(),
}

const nic = z.object({
  id: id('eni'),
  instance: id('i'),
  account,
  vpc: id('vpc'),
  subnet: id('subnet'),
  deviceIndex: index,
  ip,
  mac,
  createdAt: time,
})

const image = z
  .object({
    id: id('ami'),
    account,
    name,
    description: prose,
    location,
    // What an image says of itself.
    architecture: prose,
    state: z.enum(['pending', 'available', 'failed', 'deregistered']),
    stateReason: prose.nullable(),
    digest: digest.nullable(),
    repositoryDigest: digest.nullable(),
    diskGiB: size.nullable(),
    host,
    sourceInstance: id('i').nullable(),
    capture: z.enum(['reboot', 'no-reboot']).nullable(),
    createdAt: time,
  })
  .refine(({ id: own, location: text }) => {
    const parsed = parseImageLocation(text)
    return parsed?.kind !== 'kept' || parsed.image === own
  }, 'has the location of another image')

const instance = z.object({
  id: id('i'),
  account,
  reservation: id('r'),
  launchIndex: count,
  image: id('ami'),
  type: label,
  host,
  keyName: name.nullable(),
  userData: userData.nullable(),
  state: z.enum(['pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped']),
  wanted: z.enum(['run', 'stop', 'terminate']),
  bootCount: count,
  claimed: flag,
  bootSeen: count,
  transitionReason: prose,
  stateReasonCode: prose.nullable(),
  stateReasonMessage: prose.nullable(),
  clientToken: prose.nullable(),
  launchedAt: time,
  terminatedAt: time.nullable(),
  options: z
    .string()
    .max(PROSE_MAX)
    .nullable()
    .refine((column) => optionsFromColumn(column) !== undefined, 'are no options'),
  ...metadata,
})

/** What everybody goes by of a host; the address is one of a machine that others can reach. */
const peer = z.object({
  name: host,
  identity: name.nullable(),
  life: name.nullable(),
  state: z.enum(['active', 'draining', 'forgotten']),
  generation: count,
  fabricAddress: ip
    .refine(
      (text) => !/^(?:0|127|2(?:2[4-9]|[3-5]\d))\.|^169\.254\./.test(text),
      'is no address of a machine',
    )
    .nullable(),
})

const hostRow = peer.extend({
  zone: label,
  version: prose,
  vcpus: z.int().min(0).max(VCPUS_MAX),
  memoryMiB: size,
  diskGiB: size.nullable(),
  usedVcpus: size,
  usedMemoryMiB: size,
  usedDiskGiB: size,
  shortOf: prose.nullable(),
  lastSeenAt: prose,
  leaseUntilMs: count,
  changedAtMs: count,
})

const volume = z
  .object({
    id: id('vol'),
    account,
    host,
    zone: label,
    instance: id('i').nullable(),
    device: z.string().regex(/^\/dev\/[a-z0-9]{1,26}$/),
    sizeGiB: z.int().min(1).max(VOLUME_MAX_GIB),
    deleteOnTermination: flag,
    volumeType: label.nullable(),
    state: z.enum(['in-use', 'available', 'deleting']),
    createdAt: time,
  })
  .refine(({ state, instance }) => state !== 'in-use' || instance !== null, 'is in use by nobody')

const nicGroup = z.object({ nic: id('eni'), position: index, group: id('sg') })

/** What can be read, by the name of its table, or of what is selected from several. */
export interface RowTypes
  extends Pick<
    Tables,
    'accounts' | 'accessKeys' | 'images' | 'instanceTypes' | 'securityGroups' | 'keyPairs' | 'tags'
  > {
  readonly clientTokens: Tables['clientTokens']
  readonly hosts: HostRow & { readonly nowMs: number }
  /** `hosts`, in the columns that all other hosts go by. */
  readonly peers: Pick<HostRow, keyof PeerHost>
  readonly vpcs: VpcRow
  readonly subnets: SubnetRow
  readonly instances: InstanceRow
  readonly nics: NicRow
  readonly nicGroups: NicGroupRow
  /** NICs with their instance's host and Name tag, and one of their groups. */
  readonly placedNics: NicRow &
    Pick<PlacedNic, 'host' | 'nameTag'> & { readonly group: NicGroupRow['group'] | null }
  readonly volumes: VolumeRow
}

/** The schemas. */
export const ROW_SCHEMAS: { readonly [Name in keyof RowTypes]: z.ZodType<RowTypes[Name]> } = {
  accounts: z.object({ id: account, name, ...metadata }),
  accessKeys: z.object({
    id: z.string().regex(/^\w{1,128}$/),
    secret: name,
    account,
    user: name,
    status: z.enum(['active', 'disabled']).nullable(),
    createdAt: time.nullable(),
    lastUsedAt: time.nullable(),
  }),
  clientTokens: z.object({
    account,
    action: label,
    token: name,
    parametersHash: name,
    result: z.string().max(TEXT_MAX),
    createdAt: time,
  }),
  hosts: hostRow.extend({ nowMs: count }),
  peers: peer,
  images: image,
  instanceTypes: z.object({
    name: label,
    vcpus: z.int().min(1).max(VCPUS_MAX),
    memoryMiB: z.int().min(1).max(SIZE_MAX),
    diskGiB: size,
  }),
  vpcs: z.object({ id: id('vpc'), account, cidr, isDefault: flag }),
  subnets: z.object({
    id: id('subnet'),
    vpc: id('vpc'),
    account,
    cidr,
    zone: label,
    isDefault: flag,
  }),
  securityGroups: z.object({
    id: id('sg'),
    vpc: id('vpc'),
    account,
    name,
    description: prose,
  }),
  instances: instance,
  nics: nic,
  nicGroups: nicGroup,
  placedNics: nic.extend({ host, nameTag: prose.nullable(), group: id('sg').nullable() }),
  volumes: volume,
  keyPairs: z.object({
    id: id('key'),
    account,
    name,
    type: z.enum(['rsa', 'ed25519']),
    fingerprint: z.string().regex(/^[\w+/=:]{1,128}$/),
    // One line: it is appended to a guest's authorized_keys.
    publicKey: z
      .string()
      .max(16_384)
      .refine((text) => !UNPRINTABLE.test(text), 'is not one printable line'),
    createdAt: time,
  }),
  tags: z.object({
    account,
    resource: z.string().regex(/^[\w-]{1,64}$/),
    resourceType: label,
    key: prose,
    value: prose,
  }),
}
