/** Makes a host's want from records. Pure: the same records always give the same want. */

import type { InstanceProfileRole } from '../model/account-records.ts'
import { gatewayOf } from '../model/addr.ts'
import type { VpcDns } from '../model/dhcp-options.ts'
import type { FlowLog, FlowLogWant } from '../model/flow-log.ts'
import { byId, type HostName, type ImageId, type InstanceId } from '../model/ids.ts'
import { driverOf, keptImage } from '../model/image-location.ts'
import type { Lever } from '../model/lever.ts'
import { outlives } from '../model/lifecycle.ts'
import { OLDER_METADATA } from '../model/metadata-options.ts'
import type { HostMoves } from '../model/move.ts'
import { ROOT_DEVICE_NAME } from '../model/names.ts'
import { type ActivePeering, usablePeerings } from '../model/peering.ts'
import { groupWant } from '../model/placement-group.ts'
import type { PrefixListEntry } from '../model/prefix-list.ts'
import type {
  Group,
  GroupRule,
  Image,
  Instance,
  InstanceType,
  KeyPair,
  PeerHost,
  PlacedNic,
  Subnet,
  Tag,
  Volume,
  Vpc,
} from '../model/records.ts'
import type { UnreadableRow } from '../model/unreadable-row.ts'
import type { VpcRouting } from '../model/vpc-routing.ts'
import type {
  DiskWant,
  HostWant,
  InstanceWant,
  LocalWant,
  NicWant,
  SharedWant,
  VolumeWant,
} from '../model/want.ts'
import { captureWant, imageWant, imageWantOf } from './image-wants.ts'
import { eventsWant } from './levers.ts'
import { arrivingWants, movesWant } from './moves.ts'
import {
  attachingNic,
  detachingNic,
  isInUse,
  membersOf,
  namesOf,
  nextHops,
  rangesWant,
  routesToNics,
  secondaryWant,
  vpcOfNic,
  vpcsWithRouters,
} from './nics.ts'
import { ruleWant } from './peer-records.ts'
import { enforcedRules } from './prefix-lists.ts'
import { profileWant } from './profile.ts'
import { recoverWant } from './recovery.ts'
import { routeEnds, subnetRouting } from './routes.ts'
import { unreadableInstances, unreadablePart, withUnreadable } from './unreadable.ts'

/** The records that one host's want is made from. */
export interface Snapshot {
  readonly hosts: readonly PeerHost[]
  /** The host's own that are not terminated. */
  readonly instances: readonly Instance[]
  /**
   * Of the instances on all hosts, in the VPCs that the host has instances in, and in those that
   * are peered with these.
   */
  readonly nics: readonly PlacedNic[]
  readonly vpcs: readonly Vpc[]
  readonly subnets: readonly Subnet[]
  readonly peerings: readonly ActivePeering[]
  /** Of those VPCs. */
  readonly groups: readonly Group[]
  /** Of those groups, by id in ascending order. */
  readonly groupRules: readonly GroupRule[]
  /** Current ones of the lists that those rules name. Absent: they name none. */
  readonly prefixListEntries?: readonly PrefixListEntry[] | undefined
  /** Of those VPCs. */
  readonly vpcDns: readonly VpcDns[]
  /** Of those VPCs. */
  readonly routing: readonly VpcRouting[]
  /** Of those VPCs. */
  readonly flowLogs: readonly FlowLog[]
  /** Those of the host's instances, and those that it inspects, makes or keeps. */
  readonly images: readonly Image[]
  readonly types: readonly InstanceType[]
  readonly keyPairs: readonly KeyPair[]
  /** Tags of the host's own instances. */
  readonly tags: readonly Tag[]
  /** Of instances with such tags. Absent: none has any. */
  readonly levers?: readonly Lever[] | undefined
  /** The host's own. */
  readonly volumes: readonly Volume[]
  /** Absent: none that has not ended. */
  readonly moves?: HostMoves | undefined
  /** The instance profiles of the host's own instances, with their roles. */
  readonly profiles: readonly InstanceProfileRole[]
  /** Rows that were left out because they are unreadable or contradict others. */
  readonly unreadable: readonly UnreadableRow[]
}

/** The records that `sharedWant` reads. */
export type SharedRecords = Pick<
  Snapshot,
  | 'hosts'
  | 'nics'
  | 'vpcs'
  | 'subnets'
  | 'peerings'
  | 'groups'
  | 'groupRules'
  | 'prefixListEntries'
  | 'routing'
>

/**
 * The want of `host`, or null when it has no host row. What is unreadable now is taken from
 * `known`, the last want.
 */
export function wantFor(
  host: HostName,
  records: Snapshot,
  known: HostWant | null = null,
): HostWant | null {
  return wantWith(sharedWant(host, records), host, records, known)
}

/** As `wantFor`, with the shared part that was made from these records. */
export function wantWith(
  shared: SharedWant,
  host: HostName,
  records: Snapshot,
  known: HostWant | null,
): HostWant | null {
  const self = records.hosts.find((one) => one.name === host)
  if (self === undefined) return null
  const read = { local: localWant(self, records), shared }
  return records.unreadable.length === 0 ? read : withUnreadable(read, records.unreadable, known)
}

function localWant(host: PeerHost, records: Snapshot): LocalWant {
  const index = indexRecords(host.name, records)
  const lacks = unreadablePart(records.unreadable)
  const instances = records.instances
    .filter((instance) => instance.host === host.name && !lacks(instance))
    .map((instance) => instanceWant(instance, index))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  const pending = records.images.filter(
    (image) => image.host === host.name && image.state === 'pending',
  )
  const volumes = records.volumes
    .filter((volume) => volume.host === host.name && volume.instance === null)
    .map(volumeWant)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  const moves = movesWant(host.name, records, (id, { driver }) =>
    imageWantOf(id, driver, index.images),
  )
  return {
    host: host.name,
    generation: host.generation,
    instances,
    images: pending.filter(({ sourceInstance }) => sourceInstance === null).map(imageWant),
    volumes,
    captures: pending.flatMap((image) => captureWant(image, records.instances, index.images)),
    keptImages: records.unreadable.some(({ table }) => table === 'images')
      ? null
      : keptOn(host.name, records),
    unreadable: unreadableInstances(host.name, records, lacks),
    ...moves,
    ...arrivingWants(moves, records.moves, (instance) => instanceWant(instance, index)),
  }
}

/**
 * The images that were made on this host, of which a record or a copy's record is left. What nobody
 * can get from anywhere else stays while there is one, whatever became of it. Only one that was
 * deregistered and that no instance uses is needed by nobody.
 */
function keptOn(
  host: HostName,
  { images, instances, unreadable }: Pick<Snapshot, 'images' | 'instances' | 'unreadable'>,
): readonly ImageId[] {
  const used = new Set(instances.map(({ image }) => image))
  const maySayMore = unreadable.some(({ table }) => table === 'instances')
  const isNeeded = ({ id, state }: Image) => state !== 'deregistered' || maySayMore || used.has(id)
  const made = images.filter(isNeeded).flatMap(({ location }) => keptImage(location) ?? [])
  return [...new Set(made.filter((one) => one.host === host).map(({ image }) => image))]
}

/** What a host's own instances are made of. */
interface Index {
  readonly nics: ReadonlyMap<InstanceId, readonly PlacedNic[]>
  readonly vpcs: ReadonlyMap<string, Vpc>
  readonly dns: ReadonlyMap<string, VpcDns>
  /** By the VPC, subnet or NIC. */
  readonly flowLogs: ReadonlyMap<string, readonly FlowLog[]>
  readonly subnets: ReadonlyMap<string, Subnet>
  readonly groups: ReadonlyMap<string, Group>
  readonly images: ReadonlyMap<ImageId, Image>
  readonly types: ReadonlyMap<string, InstanceType>
  readonly keys: ReadonlyMap<string, KeyPair>
  readonly tags: ReadonlyMap<string, readonly Tag[]>
  readonly levers: ReadonlyMap<InstanceId, readonly Lever[]>
  readonly volumes: ReadonlyMap<InstanceId | null, readonly Volume[]>
  readonly profiles: ReadonlyMap<string, InstanceProfileRole>
}

function indexRecords(host: HostName, records: Snapshot): Index {
  const arriving = new Set(records.moves?.arriving.map(({ id }) => id))
  const own = records.nics.filter((nic) => nic.host === host || arriving.has(nic.instance))
  return {
    nics: Map.groupBy(own, (nic) => nic.instance),
    vpcs: new Map(records.vpcs.map((vpc) => [vpc.id, vpc])),
    dns: new Map(records.vpcDns.map((dns) => [dns.vpc, dns])),
    flowLogs: Map.groupBy(records.flowLogs, ({ resource }) => resource),
    subnets: new Map(records.subnets.map((subnet) => [subnet.id, subnet])),
    groups: new Map(records.groups.map((group) => [group.id, group])),
    images: new Map(records.images.map((image) => [image.id, image])),
    types: new Map(records.types.map((type) => [type.name, type])),
    keys: new Map(records.keyPairs.map((key) => [`${key.account}/${key.name}`, key])),
    tags: Map.groupBy(records.tags, (tag) => tag.resource),
    levers: Map.groupBy(records.levers ?? [], ({ instance }) => instance),
    volumes: Map.groupBy(records.volumes, (volume) => volume.instance),
    profiles: new Map(records.profiles.map((profile) => [profile.id, profile])),
  }
}

function instanceWant(instance: Instance, index: Index): InstanceWant {
  const attached = [...(index.nics.get(instance.id) ?? [])].sort(
    (a, b) => a.deviceIndex - b.deviceIndex,
  )
  const nics = attached.filter(isInUse).flatMap((nic) => nicWant(nic, index))
  const detaching = attached
    .filter((nic) => !isInUse(nic))
    .flatMap((nic) => detachingNic(nic, index.vpcs))
  const attaching = attached.filter(isInUse).flatMap(attachingNic)
  const key = index.keys.get(`${instance.account}/${instance.keyName}`)
  const image = index.images.get(instance.image)
  const type = index.types.get(instance.type)
  const subnet = attached[0]?.subnet
  const disk = diskWant(instance, index)
  const driver = driverOf(instance, {
    location: image?.location ?? '',
    hasVolume: disk !== null,
  })
  return {
    id: instance.id,
    account: instance.account,
    reservation: instance.reservation,
    launchIndex: instance.launchIndex,
    launchedAt: instance.launchedAt,
    run: instance.wanted,
    claimed: instance.claimed,
    bootCount: instance.bootCount,
    ran: instance.bootSeen > 0,
    image: imageWantOf(instance.image, driver, index.images),
    type: type ?? { name: instance.type, vcpus: 1, memoryMiB: 64, diskGiB: 1 },
    disk,
    zone: (subnet === undefined ? undefined : index.subnets.get(subnet)?.zone) ?? '',
    hostname: instance.id,
    keyName: instance.keyName,
    publicKey: key?.publicKey ?? null,
    userData: instance.userData,
    tags: (index.tags.get(instance.id) ?? []).map(({ key, value }) => ({ key, value })),
    metadata: instance.metadata ?? OLDER_METADATA,
    driver,
    ...recoverWant(instance),
    ...groupWant(instance.options?.placementGroup),
    ...profileWant(instance, index.profiles),
    ...eventsWant(instance, index.tags.get(instance.id), index.levers.get(instance.id)),
    nics,
    ...(detaching.length === 0 ? {} : { detaching }),
    ...(attaching.length === 0 ? {} : { attaching }),
  }
}

function diskWant(instance: Instance, index: Index): DiskWant | null {
  const volumes = index.volumes.get(instance.id) ?? []
  const root = volumes.find(({ device }) => device === ROOT_DEVICE_NAME)
  if (root === undefined) return null
  const { id: volume, sizeGiB } = root
  return { volume, sizeGiB, keep: outlives(root, instance), ...storageWant(root) }
}

function volumeWant(volume: Volume): VolumeWant {
  const { id, state } = volume
  return { id, run: state === 'deleting' ? 'delete' : 'keep', ...storageWant(volume) }
}

function storageWant({ storage = null }: Volume): { readonly storage?: string } {
  return storage === null ? {} : { storage }
}

/**
 * No want for a NIC whose subnet or VPC the snapshot lacks: half a NIC would be worse than none.
 */
function nicWant(nic: PlacedNic, index: Index): readonly NicWant[] {
  const subnet = index.subnets.get(nic.subnet)
  const vpc = index.vpcs.get(nic.vpc)
  if (subnet === undefined || vpc === undefined) return []
  return [
    {
      id: nic.id,
      ...(nic.attachment === undefined ? {} : { attachment: nic.attachment.id }),
      deviceIndex: nic.deviceIndex,
      ip: nic.ip,
      ...secondaryWant(nic),
      ...(nic.sourceDestCheck === false ? { sourceDestCheck: false } : {}),
      mac: nic.mac,
      vpc: vpc.id,
      ...vpcOfNic(vpc),
      subnet: subnet.id,
      subnetCidr: subnet.cidr,
      gateway: gatewayOf(subnet.cidr),
      ...(nic.publicIp ? { publicIp: nic.publicIp } : {}),
      groups: nic.groups.map((id) => ({ id, name: index.groups.get(id)?.name ?? '' })),
      ...dnsWant(index.dns.get(vpc.id)),
      ...flowLogWants(nic, index),
    },
  ]
}

/** The flow logs of a NIC, its subnet and its VPC. */
function flowLogWants(
  { id, subnet, vpc }: PlacedNic,
  { flowLogs }: Index,
): { readonly flowLogs?: readonly FlowLogWant[] } {
  const logs = [vpc, subnet, id].flatMap((one) => flowLogs.get(one) ?? [])
  if (logs.length === 0) return {}
  return {
    flowLogs: byId(logs).map(({ id, trafficType, destination, fields, aggregationSeconds }) => ({
      ...{ id, trafficType, destination, fields, aggregationSeconds },
    })),
  }
}

function dnsWant(dns: VpcDns | undefined): Pick<NicWant, 'dhcp' | 'resolver'> {
  const { dnsSupport = true, options = null } = dns ?? {}
  if (options === null) return dnsSupport ? {} : { resolver: false }
  const { id: _id, account: _account, ...dhcp } = options
  return dnsSupport ? { dhcp } : { dhcp, resolver: false }
}

/** What `host` should be of what belongs to more hosts than one. */
export function sharedWant(host: HostName, all: SharedRecords): SharedWant {
  const records = { ...all, nics: all.nics.filter(isInUse) }
  const routers = vpcsWithRouters(host, records.nics)
  const members = membersOf(records.nics)
  const enforced = enforcedRules(records.groupRules, records.prefixListEntries)
  const rules = Map.groupBy(enforced, ({ group }) => group)
  const routing = new Map(records.routing.map((one) => [one.vpc, one]))
  const ends = routeEnds(records)
  const viaOf = nextHops(host, records.hosts)
  return {
    subnets: records.subnets.map(({ id, vpc, cidr }) => ({
      id,
      cidr,
      gateway: gatewayOf(cidr),
      vpc,
      ...subnetRouting({ id }, routing.get(vpc), ends, viaOf),
    })),
    vpcs: records.vpcs.flatMap((vpc) => rangesWant(vpc, routers)),
    ...peeringsWant(records),
    groups: records.groups.map(({ id, vpc }) => ({
      id,
      vpc,
      members: members.get(id) ?? [],
      rules: rules.get(id)?.map(ruleWant) ?? [],
    })),
    names: namesOf(records.nics),
    peers: peersOf(host, records),
    routes: routesToNics(records.nics, viaOf),
  }
}

/** Nothing where there are none. */
function peeringsWant({ peerings, vpcs }: SharedRecords): Pick<SharedWant, 'peerings'> {
  const usable = usablePeerings(peerings, vpcs)
  return usable.length === 0 ? {} : { peerings: usable }
}

function peersOf(host: HostName, records: SharedRecords): SharedWant['peers'] {
  return records.hosts
    .flatMap(({ name, fabricAddress: address }) =>
      name === host || address === null ? [] : [{ host: name, address }],
    )
    .sort((a, b) => (a.host < b.host ? -1 : 1))
}
