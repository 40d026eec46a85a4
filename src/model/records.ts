/**
 * Records: the rows of the shared store, as every other room sees them.
 *
 * They say what was asked for and what was allocated, and are the only truth. Times are ISO 8601
 * UTC strings with milliseconds (`2026-11-22T08:33:27.000Z`), as EC2 prints them; sizes are MiB and
 * GiB. All fields are plain JSON.
 */
import type { Cidr, Ipv4, Mac } from './addr.ts'
import type { DriverName } from './driver.ts'
import type { EnforcedPeer, RuleMatch } from './group-rule.ts'
import type {
  AccountId,
  AllocationId,
  AssociationId,
  AttachmentId,
  CidrAssociationId,
  GroupId,
  HostName,
  ImageId,
  InstanceId,
  KeyPairId,
  NicId,
  ReservationId,
  SecurityGroupRuleId,
  SubnetId,
  VolumeId,
  VpcId,
} from './ids.ts'
import type { InstanceCheck } from './instance-check.ts'
import type { InstanceOptions } from './instance-options.ts'
import type { MetadataOptions } from './metadata-options.ts'
import type { Recovery } from './recovery.ts'
import type { ReachingStorage, Stored } from './storage.ts'

/**
 * - `pending`: a host inspects its location, or pulls it.
 * - `available`: its digest is pinned.
 * - `failed`: `stateReason` says why.
 * - `deregistered`: clients do not see it; it is removed with the last instance that uses it.
 *
 * An instance may be launched from any of the first three, because its host inspects the image
 * again. An image that is made from an instance must be available.
 */
type ImageState = 'pending' | 'available' | 'failed' | 'deregistered'

export interface Image {
  readonly id: ImageId
  readonly account: AccountId
  readonly name: string
  readonly description: string
  /** In the grammar of `image-location.ts`, or with a scheme of its driver. */
  readonly location: string
  /** The driver of its instances. Null: written by an older daemon (`driverOf`). */
  readonly driver: DriverName | null
  readonly architecture: string
  readonly state: ImageState
  readonly stateReason: string | null
  /**
   * `sha256:…`, pinned at the first inspection. Later launches use exactly this content or fail.
   */
  readonly digest: string | null
  /**
   * `sha256:…` of the manifest, by which the registry has this content even after the tag moves.
   * Null: not from a registry.
   */
  readonly repositoryDigest: string | null
  /**
   * Size of an instance's initial disk in GiB, rounded up. Null: the image has none, or was not
   * inspected.
   */
  readonly diskGiB: number | null
  /** The host that inspects the location first, or that has the source instance. */
  readonly host: HostName
  /** The image that it is a copy of. */
  readonly sourceImage?: ImageId | null | undefined
  /** The instance that it is made from (CreateImage). Null when it was registered. */
  readonly sourceInstance: InstanceId | null
  /** Whether a running source may be rebooted for a consistent copy. Null: registered. */
  readonly capture: 'reboot' | 'no-reboot' | null
  /** From then on it is out of date, and other accounts find it by its id only. Null: never. */
  readonly deprecatedAt?: string | null | undefined
  /** Null: it is not deregistered, or an older daemon has done it. */
  readonly deregisteredAt?: string | null | undefined
  readonly createdAt: string
}

export interface InstanceType {
  /** `family.size`, e.g. `t3.micro`. */
  readonly name: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

export interface Vpc {
  readonly id: VpcId
  readonly account: AccountId
  readonly cidr: Cidr
  /** Further ranges of its own. Absent: none. */
  readonly moreCidrs?: readonly VpcCidr[] | undefined
  readonly isDefault: boolean
  /**
   * Null: it is in the root namespace of each host. VPCs in it must not overlap. A number from 1 to
   * `VPC_NETWORK_MAX`, unique in the cloud: it has a namespace of its own on each host that has
   * instances of it, and may overlap any other VPC.
   */
  readonly network: number | null
  /** EC2's `enableDnsSupport`: whether its instances have the cloud's resolver. */
  readonly dnsSupport: boolean
  /** EC2's `enableDnsHostnames`: whether public addresses have names. */
  readonly dnsHostnames: boolean
}

/** A further range of a VPC. */
export interface VpcCidr {
  readonly id: CidrAssociationId
  readonly cidr: Cidr
}

/** The largest `Vpc.network`. */
export const VPC_NETWORK_MAX = 65_535

export interface Subnet {
  readonly id: SubnetId
  readonly vpc: VpcId
  readonly account: AccountId
  readonly cidr: Cidr
  readonly zone: string
  readonly isDefault: boolean
  /** EC2's `MapPublicIpOnLaunch`: whether launches that do not say get a public address. */
  readonly mapPublicIp: boolean
  /** EC2's `EnableResourceNameDnsARecordOnLaunch`, which is only shown. Absent: false. */
  readonly resourceNameDnsARecord?: boolean | undefined
}

/** A security group. Its rules are separate records. */
export interface Group {
  readonly id: GroupId
  readonly vpc: VpcId
  readonly account: AccountId
  readonly name: string
  readonly description: string
}

/** One rule of a security group. */
export interface GroupRule extends RuleMatch {
  readonly id: SecurityGroupRuleId
  readonly group: GroupId
  /** The VPC of the group. */
  readonly vpc: VpcId
  readonly account: AccountId
  /** Empty if none was given. */
  readonly description: string
}

/** A rule as hosts enforce it. One that names a prefix list is one for each of its networks. */
export interface EnforcedRule extends GroupRule {
  readonly peer: EnforcedPeer
}

/** EC2's instance states, by name. */
export type InstanceState =
  | 'pending'
  | 'running'
  | 'shutting-down'
  | 'terminated'
  | 'stopping'
  | 'stopped'

/** The state that was last requested for an instance. */
export type Wanted = 'run' | 'stop' | 'terminate'

export interface StateReason {
  /** EC2 style, `Client.UserInitiatedShutdown`, `Server.InternalError`, … */
  readonly code: string
  readonly message: string
}

export interface Instance {
  readonly id: InstanceId
  readonly account: AccountId
  readonly reservation: ReservationId
  readonly launchIndex: number
  readonly image: ImageId
  readonly type: string
  /** The driver that runs it. Null: launched by an older daemon (`driverOf`). */
  readonly driver: DriverName | null
  readonly host: HostName
  readonly keyName: string | null
  /** Base64, as the client sent it. */
  readonly userData: string | null
  readonly state: InstanceState
  readonly wanted: Wanted
  /** How often it has been asked to boot: 1 at launch, one more for each reboot and each start. */
  readonly bootCount: number
  /**
   * Whether its host has claimed it, which it does just before the first start. Until then it may
   * be moved to another host. Afterwards its disk is on this host.
   */
  readonly claimed: boolean
  /** The boot that is known to be running. A reboot is complete when it equals `bootCount`. */
  readonly bootSeen: number
  /** EC2's `reason`: "User initiated (2026-11-22 08:33:27 GMT)" or empty. */
  readonly transitionReason: string
  readonly stateReason: StateReason | null
  readonly clientToken: string | null
  /** When it was launched or last started (EC2 LaunchTime moves on start). */
  readonly launchedAt: string
  readonly terminatedAt: string | null
  /** Null: launched by an older daemon. */
  readonly metadata: MetadataOptions | null
  /** Absent: none was given. */
  readonly options?: InstanceOptions
  /** Absent: `keep`. */
  readonly recovery?: Recovery
  /** Absent: its host has not said anything yet. */
  readonly check?: InstanceCheck
  /** When its host rebooted it because it hung: ISO 8601, UTC, of the last day, in order. */
  readonly rebooted?: readonly string[]
}

/** A network interface (ENI). It keeps its addresses and groups when it is attached elsewhere. */
export interface Nic {
  readonly id: NicId
  /** Null: it is attached to nothing. */
  readonly instance: InstanceId | null
  readonly account: AccountId
  readonly vpc: VpcId
  readonly subnet: SubnetId
  /** Unique among the NICs of its instance. 0 of one that is attached to nothing. */
  readonly deviceIndex: number
  /** Unique in its VPC, and among all VPCs that are in the root namespace. */
  readonly ip: Ipv4
  /** Further addresses, unique in the same way, in ascending order. Absent: none. */
  readonly secondaryIps?: readonly Ipv4[]
  readonly mac: Mac
  readonly groups: readonly GroupId[]
  readonly createdAt: string
  /** Absent: attached to nothing, or attached by an older daemon when it was made. */
  readonly attachment?: NicAttachment
  /** Absent: an older daemon made it, and the instance's options have the description. */
  readonly description?: string
  /** Whether it sends and receives only what is from or for itself. Absent: it does. */
  readonly sourceDestCheck?: boolean
}

/** How a NIC is attached to its instance. */
export interface NicAttachment {
  readonly id: AttachmentId
  readonly attachedAt: string
  /** Whether the NIC is deleted with its instance. Otherwise it is detached. */
  readonly deleteOnTermination: boolean
  /** Its host has yet to take it off the instance. */
  readonly isEnding?: true
  /** Its host has yet to plug it into the instance, which runs. */
  readonly isBeginning?: true
}

/** A NIC, with what other hosts must know of its instance. */
export interface PlacedNic extends Nic {
  readonly instance: InstanceId
  /** The host of the instance. */
  readonly host: HostName
  /**
   * The instance's tag `Name` while it runs, otherwise null. Several instances may have the same
   * name.
   */
  readonly nameTag: string | null
  /** The floating IP that leads to its first address; null or left out: none. */
  readonly publicIp?: Ipv4 | null
  /** Floating IPs by the further addresses that they lead to. Absent: none. */
  readonly secondaryPublicIps?: Readonly<Record<Ipv4, Ipv4>>
}

/**
 * `in-use`: the disk of an instance. `available`: its instance is terminated. `deleting`: its host
 * is about to remove it.
 */
type VolumeState = 'in-use' | 'available' | 'deleting'

/**
 * A disk. Only root disks of virtual machines exist so far. An instance that an older daemon
 * launched has no such record.
 */
export interface Volume extends Stored {
  readonly id: VolumeId
  readonly account: AccountId
  /** The host that has the disk. */
  readonly host: HostName
  readonly zone: string
  /** Null unless it is in use. */
  readonly instance: InstanceId | null
  /** The device name that EC2 clients see, `/dev/sda1`. */
  readonly device: string
  readonly sizeGiB: number
  /** Whether it is deleted with its instance. */
  readonly deleteOnTermination: boolean
  /** The requested volume type. All types behave the same. Absent if none was requested. */
  readonly volumeType?: string
  readonly state: VolumeState
  readonly createdAt: string
}

/**
 * A floating IP: a public address that an account has allocated (an Elastic IP of EC2), or that an
 * instance got at its launch.
 */
export interface Address {
  readonly id: AllocationId
  readonly account: AccountId
  /** Unique in the cloud. */
  readonly ip: Ipv4
  /** The pool of the settings that it came from. */
  readonly pool: string
  /** Whether it came with a NIC, and goes with it: nobody has allocated it. */
  readonly isAutomatic: boolean
  readonly association: Association | null
  readonly createdAt: string
}

/** What a floating IP leads to. It ends with the NIC. */
export interface Association {
  readonly id: AssociationId
  readonly nic: NicId
  /** Of the NIC. Unique among all associations. */
  readonly privateIp: Ipv4
}

export interface KeyPair {
  readonly id: KeyPairId
  readonly account: AccountId
  readonly name: string
  readonly type: 'rsa' | 'ed25519'
  /** As EC2 computes it, depending on how the key was created (see `api/instances/ssh-keys.ts`). */
  readonly fingerprint: string
  /** One OpenSSH authorized_keys line. */
  readonly publicKey: string
  readonly createdAt: string
}

export interface Tag {
  readonly account: AccountId
  readonly resource: string
  /** EC2 resource type, `instance`, `image`, `key-pair`, … */
  readonly resourceType: string
  readonly key: string
  readonly value: string
}

export interface Host extends ReachingStorage {
  readonly name: HostName
  readonly zone: string
  /**
   * `draining`: takes no new instances. `forgotten`: removed by the operator; the name is free.
   */
  readonly state: 'active' | 'draining' | 'forgotten'
  /** Whether its lease was valid by the store's clock when it was read. */
  readonly live: boolean
  readonly version: string
  /** What placement may allocate, with overcommit. */
  readonly vcpus: number
  readonly memoryMiB: number
  /** For volumes. Null: an older daemon does not report it. */
  readonly diskGiB: number | null
  /** What placement has allocated. */
  readonly usedVcpus: number
  readonly usedMemoryMiB: number
  readonly usedDiskGiB: number
  /** Advances with every change of this host's records. An agent never applies an older one. */
  readonly generation: number
  /** Its address for other hosts. Null on a single host. */
  readonly fabricAddress: Ipv4 | null
  /**
   * The machine behind this name, so that two machines never act under one. Null if unknown.
   */
  readonly identity: string | null
  /**
   * The last run of its daemon. Copies of its disk have the same identity. Null if unknown.
   */
  readonly life?: string | null
  /** When it began to drain, in milliseconds. Null or absent: it does not, or nobody noted it. */
  readonly drainingSinceMs?: number | null | undefined
  /** Why it takes no new instances, for people. Null if it does. */
  readonly shortOf: string | null
  /**
   * How surely it stops instances that others may start again (`model/fence-levels.ts`). Null or
   * absent: it may not run any.
   */
  readonly fenceLevel?: string | null | undefined
  /** When it last renewed its lease, by its own clock. For people, never for decisions. */
  readonly lastSeenAt: string
}

/** The part of a host row that other hosts need. */
export type PeerHost = Pick<
  Host,
  'name' | 'identity' | 'life' | 'state' | 'generation' | 'fabricAddress'
>
