/**
 * The metadata that an instance may read, as a tree of paths and documents. Pure.
 *
 * The categories are EC2's
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html). Those
 * that Atoll does not have return 404. Programs that walk the tree (cloud-init) rely on two rules:
 * in a listing, directories have a final slash and documents do not; and every listed path exists.
 */
import { formatCidr } from '../../model/addr.ts'
import { ipHostLabel, publicHostLabel } from '../../model/hostname.ts'
import { ROOT_DEVICE_NAME } from '../../model/names.ts'
import { addressesOf, floatingIpsOf, type InstanceWant, type NicWant } from '../../model/want.ts'
import type { RoleCredentials, RoleDocuments } from './role-documents.ts'

/** What the documents contain besides the instance itself. */
export interface TreeSettings {
  /** DNS zone of instance names, without a final dot. */
  readonly zone: string
  readonly region: string
  /** The architecture of this host in EC2's form: `x86_64` or `arm64`. */
  readonly architecture: string
}

export interface Document {
  readonly kind: 'document'
  readonly body: string | Uint8Array
  readonly contentType: string
}

/** A document whose text depends on the time. */
interface TimedDocument {
  readonly kind: 'timed'
  /** JSON, at `nowMs` (milliseconds since the epoch). */
  readonly at: (nowMs: number) => object
}

type Node = Document | TimedDocument | Directory

export interface Directory {
  readonly kind: 'directory'
  /** By path segment, in the order of the listing. */
  readonly entries: ReadonlyMap<string, Entry>
}

interface Entry {
  /** The entry's line in the listing: usually its segment, with a slash for a directory. */
  readonly line: string
  readonly node: Node
}

/** The versions that clients may name. All have the same contents. */
export const VERSIONS = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
  '2011-01-01',
  '2011-05-01',
  '2012-01-12',
  '2014-02-25',
  '2014-11-05',
  '2015-10-20',
  '2016-04-19',
  '2016-06-30',
  '2016-09-02',
  '2018-03-28',
  '2018-08-17',
  '2018-09-24',
  '2019-10-01',
  '2020-10-27',
  '2021-01-03',
  '2021-03-23',
  '2021-07-15',
  '2022-09-24',
  '2024-04-11',
  'latest',
] as const

const TEXT = 'text/plain'
/** Tag keys that can be a path segment (EC2 user guide, "Allow tags in instance metadata"). */
const TAG_SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9+\-=.,_:@]{1,128}$/

/** Everything that the instance may read, from `/` down. Without `roles` it gets no role. */
export function metadataTree(
  instance: InstanceWant,
  settings: TreeSettings,
  roles?: Pick<RoleCredentials, 'of'>,
): Directory {
  const version: Entry['node'] = directory({
    dynamic: directory({
      'instance-identity': directory({
        document: json(identityDocument(instance, settings)),
      }),
    }),
    'meta-data': metaData(instance, settings, roles?.of(instance)),
    'user-data': userData(instance),
  })
  // At the root, EC2 lists version names without a slash.
  const entries = VERSIONS.map((name): [string, Entry] => [name, { line: name, node: version }])
  return { kind: 'directory', entries: new Map(entries) }
}

/** The node at a path of decoded segments, or undefined. No segments mean the root. */
export function nodeAt(root: Directory, segments: readonly string[]): Node | undefined {
  let node: Node | undefined = root
  for (const segment of segments) {
    if (node?.kind !== 'directory') return undefined
    node = node.entries.get(segment)?.node
  }
  return node
}

/**
 * What a request for a node returns at `nowMs` (milliseconds since the epoch): a document as it is,
 * or the listing of a directory.
 */
export function documentOf(node: Node, nowMs: number): Document {
  if (node.kind === 'document') return node
  if (node.kind === 'timed') return json(node.at(nowMs))
  return text(Array.from(node.entries.values(), ({ line }) => line).join('\n'))
}

function metaData(
  instance: InstanceWant,
  settings: TreeSettings,
  role: RoleDocuments | undefined,
): Directory {
  const [first] = instance.nics
  const name = `${instance.hostname}.${settings.zone}`
  return directory({
    'ami-id': text(instance.image.id),
    'ami-launch-index': text(String(instance.launchIndex)),
    'ami-manifest-path': text('(unknown)'),
    'block-device-mapping': directory({
      ami: text(ROOT_DEVICE_NAME),
      root: text(ROOT_DEVICE_NAME),
    }),
    events: directory({
      maintenance: directory({ history: json([]), scheduled: json(scheduledEvents(instance)) }),
    }),
    hostname: text(name),
    iam: role && iam(role),
    'instance-action': text('none'),
    'instance-id': text(instance.id),
    'instance-life-cycle': text('on-demand'),
    'instance-type': text(instance.type.name),
    'local-hostname': text(name),
    'local-ipv4': first && text(first.ip),
    mac: first && text(first.mac),
    network: directory({ interfaces: directory({ macs: macs(instance, name, settings.zone) }) }),
    placement: directory({
      'availability-zone': text(instance.zone),
      ...groupData(instance),
      region: text(settings.region),
    }),
    ...publicNames(first, settings.zone),
    'public-keys': publicKeys(instance),
    'reservation-id': text(instance.reservation),
    'security-groups': first && text(lines(first.groups.map((group) => group.name))),
    services: directory({ domain: text('amazonaws.com'), partition: text('aws') }),
    tags: tags(instance),
  })
}

/** Absent without an instance profile. */
function iam({ info, role }: RoleDocuments): Directory {
  return directory({
    info: { kind: 'timed', at: info },
    'security-credentials':
      role === null
        ? undefined
        : directory({ [role.name]: { kind: 'timed', at: (nowMs) => role.credentials(nowMs) } }),
  })
}

/**
 * What is announced for the instance. One that is protected is kept, so it need not know.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_scheduled_events.html
 */
function scheduledEvents({ events = [] }: InstanceWant): readonly object[] {
  return events.flatMap(({ id, code, description, notBeforeMs }) =>
    notBeforeMs === null
      ? []
      : [
          {
            NotBefore: eventTime(notBeforeMs),
            Code: code,
            Description: description,
            EventId: id,
            NotAfter: eventTime(notBeforeMs),
            State: 'active',
          },
        ],
  )
}

/** `21 Jan 2019 09:00:43 GMT` */
function eventTime(ms: number): string {
  return new Date(ms).toUTCString().slice('Mon, '.length)
}

/** Absent outside of placement groups, and of partitions. */
function groupData({ placementGroup }: InstanceWant) {
  if (placementGroup === undefined) return {}
  const { name, partition } = placementGroup
  return {
    'group-name': text(name),
    'partition-number': partition === null ? undefined : text(String(partition)),
  }
}

function macs(instance: InstanceWant, name: string, zone: string): Directory {
  const entries = instance.nics.map((nic): [string, Directory] => [
    nic.mac,
    nicData(nic, instance, { name, zone }),
  ])
  return directory(Object.fromEntries(entries))
}

function nicData(
  nic: NicWant,
  instance: InstanceWant,
  { name, zone }: { readonly name: string; readonly zone: string },
): Directory {
  return directory({
    'device-number': text(String(nic.deviceIndex)),
    'interface-id': text(nic.id),
    'local-hostname': text(nic.deviceIndex === 0 ? name : `${ipHostLabel(nic.ip)}.${zone}`),
    'local-ipv4s': text(lines(addressesOf(nic))),
    mac: text(nic.mac),
    ...nicPublicNames(nic, zone),
    'owner-id': text(instance.account),
    'security-group-ids': text(lines(nic.groups.map((group) => group.id))),
    'security-groups': text(lines(nic.groups.map((group) => group.name))),
    'subnet-id': text(nic.subnet),
    'subnet-ipv4-cidr-block': text(formatCidr(nic.subnetCidr)),
    'vpc-id': text(nic.vpc),
    'vpc-ipv4-cidr-block': text(formatCidr(nic.vpcCidr)),
    'vpc-ipv4-cidr-blocks': text(lines([nic.vpcCidr, ...(nic.moreVpcCidrs ?? [])].map(formatCidr))),
  })
}

/** Its floating IP and the name of that, which are absent without one. */
function publicNames(
  nic: NicWant | undefined,
  zone: string,
): Readonly<Partial<Record<'public-hostname' | 'public-ipv4', Document>>> {
  if (!nic?.publicIp) return {}
  return {
    'public-hostname': text(`${publicHostLabel(nic.publicIp)}.${zone}`),
    'public-ipv4': text(nic.publicIp),
  }
}

/** As `publicNames`, where a NIC has them, with the private address that each leads to. */
function nicPublicNames(nic: NicWant, zone: string) {
  const floating = floatingIpsOf(nic)
  if (floating.length === 0) return {}
  const { 'public-hostname': hostname } = publicNames(nic, zone)
  return {
    'ipv4-associations': directory(
      Object.fromEntries(floating.map(({ ip, publicIp }) => [publicIp, text(ip)])),
    ),
    'public-hostname': hostname,
    'public-ipv4s': text(lines(floating.map(({ publicIp }) => publicIp))),
  }
}

/** The listing has `0=name` without a slash. The directory is `0`. */
function publicKeys(instance: InstanceWant): Directory | undefined {
  if (instance.publicKey === null) return undefined
  const key = directory({ 'openssh-key': text(instance.publicKey) })
  const line = `0=${instance.keyName ?? 'key'}`
  return { kind: 'directory', entries: new Map([['0', { line, node: key }]]) }
}

function tags(instance: InstanceWant): Directory | undefined {
  if (instance.metadata.tags === 'disabled') return undefined
  const readable = instance.tags.filter(({ key }) => TAG_SEGMENT.test(key))
  if (readable.length === 0) return undefined
  const entries = readable.map(({ key, value }): [string, Document] => [key, text(value)])
  return directory({ instance: directory(Object.fromEntries(entries)) })
}

function userData(instance: InstanceWant): Document | undefined {
  if (instance.userData === null || instance.userData === '') return undefined
  return {
    kind: 'document',
    body: Buffer.from(instance.userData, 'base64'),
    contentType: 'application/octet-stream',
  }
}

/**
 * As in https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html, but
 * without the signatures.
 */
function identityDocument(instance: InstanceWant, settings: TreeSettings): object {
  return {
    accountId: instance.account,
    architecture: settings.architecture,
    availabilityZone: instance.zone,
    billingProducts: null,
    devpayProductCodes: null,
    imageId: instance.image.id,
    instanceId: instance.id,
    instanceType: instance.type.name,
    kernelId: null,
    marketplaceProductCodes: null,
    pendingTime: instance.launchedAt.replace(/\.\d+Z$/, 'Z'),
    privateIp: instance.nics[0]?.ip ?? null,
    ramdiskId: null,
    region: settings.region,
    version: '2017-09-30',
  }
}

function lines(values: readonly string[]): string {
  return values.join('\n')
}

function text(body: string): Document {
  return { kind: 'document', body, contentType: TEXT }
}

function json(value: object): Document {
  return text(JSON.stringify(value, null, 2))
}

/** A directory of the defined entries. */
function directory(children: Readonly<Record<string, Node | undefined>>): Directory {
  const entries = Object.entries(children).flatMap(([name, node]): [string, Entry][] => {
    if (node === undefined) return []
    return [[name, { line: node.kind === 'directory' ? `${name}/` : name, node }]]
  })
  return { kind: 'directory', entries: new Map(entries) }
}
