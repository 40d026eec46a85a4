/**
 * The schema of a ledger file: `HostWant`, checked value by value. The compiler checks the schema
 * against the type.
 *
 * A file is untrusted input: an older daemon may have written it, or a failing disk changed it.
 * Unknown keys are dropped, so that a field which a later version has removed does no harm.
 */
import { z } from 'zod'
import { formatCidr, parseCidr, parseIpv4, parseMac } from '../model/addr.ts'
import { isDomainName, NETBIOS_NODE_TYPES, OWN_RESOLVER } from '../model/dhcp-options.ts'
import { type DriverName, parseDriverName } from '../model/driver.ts'
import {
  AGGREGATION_SECONDS,
  DEFAULT_FIELDS,
  isBucket,
  isKeyPrefix,
  isLogGroup,
  MORE_FIELDS,
  TRAFFIC_TYPES,
} from '../model/flow-log.ts'
import {
  ALL_OUT,
  ANY_PROTOCOL,
  allFromMembers,
  ICMP_MAX,
  isPortRange,
} from '../model/group-rule.ts'
import { PROFILE_ARN, PROFILE_ID, ROLE_ID } from '../model/iam-names.ts'
import {
  formatId,
  type GroupId,
  ID_BYTES,
  type IdPrefix,
  parseAccountId,
  parseHostName,
  parseId,
} from '../model/ids.ts'
import { driverByLocation, driverOf } from '../model/image-location.ts'
import { metadataFields, OLDER_METADATA } from '../model/metadata-options.ts'
import { ACL_NUMBER_MAX } from '../model/network-acl.ts'
import { VPC_NETWORK_MAX } from '../model/records.ts'
import { STORAGE_ID } from '../model/storage.ts'
import type { HostWant, RuleWant } from '../model/want.ts'

/** A string that a parser of the model accepts. */
function word<T>(parse: (text: string) => T | undefined) {
  return z.string().transform((text, context) => {
    const value = parse(text)
    if (value !== undefined) return value
    context.addIssue('malformed')
    return z.NEVER
  })
}

const id = <P extends IdPrefix>(prefix: P) => word((text) => parseId(prefix, text))
const ip = word(parseIpv4)
const network = z
  .object({ network: ip, prefix: z.int().min(0).max(32) })
  .refine((net) => parseCidr(formatCidr(net)) !== undefined, 'host bits are set')
const count = z.int().min(0)
// Older daemons knew only VPCs without a namespace of their own, and did not say what is whose.
const vpcNumber = z.int().min(1).max(VPC_NETWORK_MAX).optional()
const vpc = id('vpc').optional()

// Older daemons named no driver.
const driver = word(parseDriverName).optional()
const imageShape = z.object({
  id: id('ami'),
  location: z.string(),
  driver,
  digest: z.string().nullable(),
  repositoryDigest: z.string().nullable().optional(),
  account: word(parseAccountId).optional(),
})
const image = imageShape.transform(withDriver)

const capture = imageShape
  .extend({ instance: id('i'), origin: z.string(), reboot: z.boolean() })
  .transform(withDriver)

function withDriver<
  I extends { readonly location: string; readonly driver?: DriverName | undefined },
>(image: I) {
  return { ...image, driver: image.driver ?? driverByLocation(image.location) }
}

const flowLog = z.object({
  id: id('fl'),
  trafficType: z.enum(TRAFFIC_TYPES),
  destination: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('files'), group: z.string().refine(isLogGroup) }),
    z.object({
      kind: z.literal('s3'),
      bucket: z.string().refine(isBucket),
      prefix: z.string().refine(isKeyPrefix),
    }),
  ]),
  fields: z.array(z.enum([...DEFAULT_FIELDS, ...MORE_FIELDS])),
  aggregationSeconds: z.union(AGGREGATION_SECONDS.map((one) => z.literal(one))),
})

// Older daemons did not name attachments, and knew one address for each NIC.
const attachment = id('eni-attach')
const nic = z.object({
  id: id('eni'),
  attachment: attachment.optional(),
  deviceIndex: count,
  ip,
  secondary: z.array(z.object({ ip, publicIp: ip.optional() })).optional(),
  sourceDestCheck: z.literal(false).optional(),
  mac: word(parseMac),
  vpc: id('vpc'),
  vpcCidr: network,
  // Older daemons knew one range.
  moreVpcCidrs: z.array(network).optional(),
  network: vpcNumber,
  subnet: id('subnet'),
  subnetCidr: network,
  gateway: ip,
  // Older daemons knew no floating IPs.
  publicIp: ip.nullable().optional(),
  groups: z.array(z.object({ id: id('sg'), name: z.string() })),
  dhcp: z
    .object({
      domainNames: z.array(z.string().refine(isDomainName)),
      nameServers: z.array(z.union([z.literal(OWN_RESOLVER), ip])),
      timeServers: z.array(ip),
      netbiosServers: z.array(ip).optional(),
      netbiosNodeType: z.literal(NETBIOS_NODE_TYPES).optional(),
    })
    .optional(),
  resolver: z.literal(false).optional(),
  flowLogs: z.array(flowLog).optional(),
})

const storage = z.string().regex(STORAGE_ID).optional()
const disk = z.object({ volume: id('vol'), sizeGiB: count, keep: z.boolean(), storage })

const instanceShape = z.object({
  id: id('i'),
  account: word(parseAccountId),
  reservation: id('r'),
  launchIndex: count,
  launchedAt: z.string(),
  run: z.enum(['run', 'stop', 'terminate']),
  // Older daemons did not claim instances.
  claimed: z.boolean().default(true),
  bootCount: count,
  // Older daemons did not write it.
  ran: z.boolean().default(false),
  image,
  type: z.object({
    name: z.string(),
    vcpus: z.number(),
    memoryMiB: z.number(),
    diskGiB: z.number(),
  }),
  // Older daemons knew no volumes.
  disk: disk.nullable().default(null),
  zone: z.string(),
  hostname: z.string(),
  keyName: z.string().nullable(),
  publicKey: z.string().nullable(),
  userData: z.string().nullable(),
  tags: z.array(z.object({ key: z.string(), value: z.string() })),
  nics: z.array(nic),
  detaching: z.array(z.object({ id: id('eni'), attachment, network: vpcNumber })).optional(),
  recover: z.object({ acknowledged: z.boolean(), assignment: z.string().nullable() }).optional(),
  placementGroup: z.object({ name: z.string(), partition: count.nullable() }).optional(),
  attaching: z.array(z.object({ id: id('eni'), attachment })).optional(),
  profile: z
    .object({
      id: z.string().regex(PROFILE_ID),
      arn: z.string().regex(PROFILE_ARN),
      role: z
        .object({
          name: z.string().regex(/^[\w+=,.@-]{1,64}$/),
          id: z.string().regex(ROLE_ID),
          isTrusting: z.boolean(),
        })
        .optional(),
    })
    .optional(),
  events: z
    .array(
      z.object({
        id: z.string(),
        code: z.enum(['instance-stop', 'instance-retirement']),
        description: z.string(),
        notBeforeMs: count.nullable(),
      }),
    )
    .optional(),
  // Older daemons knew no options.
  metadata: z.object(metadataFields).default(OLDER_METADATA),
  driver,
})

const instance = instanceShape.transform((one) => {
  const { location } = one.image
  const known = { location, hasVolume: one.disk !== null }
  return { ...one, driver: driverOf({ driver: one.driver ?? null }, known) }
})

const move = {
  live: z.literal(true).optional(),
  ...{ instance: id('i'), move: count, bootCount: count },
  driver: word(parseDriverName),
}
const moving = z.discriminatedUnion('kind', [
  z.object({
    ...{ kind: z.literal('arriving'), ...move, image, from: word(parseHostName) },
    address: ip.nullable(),
  }),
  z.object({ kind: z.literal('departing'), ...move, to: word(parseHostName) }),
])

const local = z.object({
  host: word(parseHostName),
  generation: count,
  instances: z.array(instance),
  images: z.array(image),
  volumes: z
    .array(z.object({ id: id('vol'), run: z.enum(['keep', 'delete']), storage }))
    .default([]),
  // Older daemons made no images of instances.
  captures: z.array(capture).default([]),
  keptImages: z.array(id('ami')).nullable().default(null),
  // Older daemons moved none.
  moves: z.array(moving).optional(),
  arriving: z.array(instance).optional(),
  // Older daemons did not know of unreadable rows.
  unreadable: z
    .object({ ids: z.array(id('i')), any: z.boolean() })
    .default({ ids: [], any: false }),
})

const rule = z
  .object({
    id: id('sgr'),
    egress: z.boolean(),
    protocol: z.int().min(ANY_PROTOCOL).max(ICMP_MAX),
    fromPort: z.int(),
    toPort: z.int(),
    peer: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('ipv4'), cidr: network }),
      z.object({ kind: z.literal('ipv6'), cidr: z.string() }),
      z.object({ kind: z.literal('group'), group: id('sg') }),
    ]),
  })
  .refine(isPortRange, 'ports of another protocol')

const group = z
  .object({ id: id('sg'), members: z.array(ip), rules: z.array(rule).optional(), vpc })
  // Older daemons knew no rules: each group let in its members and let out everything.
  .transform(({ rules, ...group }) => ({ ...group, rules: rules ?? olderRules(group.id) }))

function olderRules(group: GroupId): readonly RuleWant[] {
  return [allFromMembers(group), ALL_OUT].map((match, at) => ({
    ...match,
    id: formatId('sgr', new Uint8Array(ID_BYTES).fill(at)),
  }))
}

/** A way that only a newer daemon knows leads nowhere. */
const route = z.object({
  destination: network,
  to: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('internet') }),
      z.object({ kind: z.literal('nat') }),
      z.object({ kind: z.literal('peering'), peering: id('pcx') }),
      z.object({ kind: z.literal('nic'), nic: id('eni'), ip, via: ip.optional() }),
      z.object({
        ...{ kind: z.literal('nat-address'), gateway: id('nat'), ip, via: ip.optional() },
      }),
      z.object({ kind: z.literal('blackhole') }),
    ])
    .catch({ kind: 'blackhole' }),
})

const acl = z.object({
  id: id('acl'),
  rules: z.array(
    z
      .object({
        egress: z.boolean(),
        number: z.int().min(1).max(ACL_NUMBER_MAX),
        allow: z.boolean(),
        protocol: z.int().min(ANY_PROTOCOL).max(ICMP_MAX),
        fromPort: z.int(),
        toPort: z.int(),
        peer: z.discriminatedUnion('kind', [
          z.object({ kind: z.literal('ipv4'), cidr: network }),
          z.object({ kind: z.literal('ipv6'), cidr: z.string() }),
        ]),
      })
      .refine(isPortRange, 'ports of another protocol'),
  ),
})

const shared = z.object({
  subnets: z.array(
    z.object({
      ...{ id: id('subnet'), cidr: network, gateway: ip, vpc },
      // Older daemons knew neither.
      routes: z.array(route).optional(),
      acl: acl.optional(),
    }),
  ),
  vpcs: z.array(
    z.object({
      id: id('vpc'),
      cidr: network,
      network: vpcNumber,
      hasRouters: z.literal(true).optional(),
    }),
  ),
  // Older daemons knew no peering.
  peerings: z
    .array(
      z.object({
        id: id('pcx'),
        vpcs: z.tuple([id('vpc'), id('vpc')]),
        showPrivate: z.array(id('vpc')).optional(),
      }),
    )
    .optional(),
  groups: z.array(group),
  names: z.array(z.object({ name: z.string(), ip, primary: z.boolean(), vpc })),
  // Daemons of a single host did not write it.
  peers: z.array(z.object({ host: word(parseHostName), address: ip })).default([]),
  routes: z.array(z.object({ ip, via: ip, vpc, nic: z.string().optional() })),
})

/** The whole file. */
export const ledgerSchema = z.object({
  format: z.int(),
  want: z.object({ local, shared }) satisfies z.ZodType<HostWant>,
})
