/**
 * Records: the rows of the shared store, as every other room sees them.
 *
 * They say what was asked for and what was allocated, and are the only truth. Times are ISO 8601
 * UTC strings with milliseconds (`2026-11-22T08:33:27.000Z`), as EC2 prints them; sizes are MiB and
 * GiB. All fields are plain JSON.
 */
import type { Cidr, Ipv4, Mac } from './addr.ts'
import type { DriverName } from './driver.ts'
import type { RuleMatch } from './group-rule.ts'
import type {
  AccountId,
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
import type { InstanceOptions } from './instance-options.ts'
import type { MetadataDefaults, MetadataOptions } from './metadata-options.ts'

export interface Account {
  readonly id: AccountId
  readonly name: string
  /** For its launches that do not say. */
  readonly metadata: MetadataDefaults
}

/**
 * One credential. SigV4 verification needs the secret itself; in the records it is sealed
 * (`key-secret.ts`).
 */
export interface AccessKey {
  readonly id: string
  readonly secret: string
  readonly account: AccountId
  /** The user part of the caller's ARN. */
  readonly user: string
}

/** An access key with what IAM's key actions show of it. */
export interface AccessKeyRecord extends AccessKey {
  /** Null, as older daemons write it, is active. */
  readonly status: 'active' | 'disabled' | null
  /** ISO 8601; null: an older daemon made it. */
  readonly createdAt: string | null
  /** To the hour; null: never, as far as anybody knows. */
  readonly lastUsedAt: string | null
}

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
  /** In the grammar of `image-location.ts`, or of a scheme of its driver's own. */
  readonly location: string
  /** What runs instances of it; null: an older daemon wrote it (`driverOf`). */
  readonly driver: DriverName | null
  readonly architecture: string
  readonly state: ImageState
  readonly stateReason: string | null
  /** `sha256:…`, pinned when first seen; later launches use exactly this content or fail. */
  readonly digest: string | null
  /**
   * `sha256:…` of the manifest by which a registry has that content whatever becomes of the tag;
   * null: it came from no registry.
   */
  readonly repositoryDigest: string | null
  /**
   * Size of the disk that instances begin with, in GiB, rounded up; null: it brings none, or nobody
   * has looked.
   */
  readonly diskGiB: number | null
  /** The host that inspects the location first, or that has the source instance. */
  readonly host: HostName
  /** What it is made of (CreateImage); null when it was registered. */
  readonly sourceInstance: InstanceId | null
  /**
   * Whether a running source may be interrupted so that its disk is consistent; null when it was
   * registered.
   */
  readonly capture: 'reboot' | 'no-reboot' | null
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
  readonly isDefault: boolean
}

export interface Subnet {
  readonly id: SubnetId
  readonly vpc: VpcId
  readonly account: AccountId
  readonly cidr: Cidr
  readonly zone: string
  readonly isDefault: boolean
}

/** A security group. What it lets pass are its rules. */
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
  /** The group's. */
  readonly vpc: VpcId
  readonly account: AccountId
  /** Empty: none was given. */
  readonly description: string
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
  /** What runs it; null: an older daemon launched it (`driverOf`). */
  readonly driver: DriverName | null
  readonly host: HostName
  readonly keyName: string | null
  /** As it came, base64. */
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
  /** The boot whose "running" fact is in. A reboot is done when it equals `bootCount`. */
  readonly bootSeen: number
  /** EC2's `reason`: "User initiated (2026-11-22 08:33:27 GMT)" or empty. */
  readonly transitionReason: string
  readonly stateReason: StateReason | null
  readonly clientToken: string | null
  /** When it was launched or last started (EC2 LaunchTime moves on start). */
  readonly launchedAt: string
  readonly terminatedAt: string | null
  /** How it may read its metadata; null: an older daemon launched it. */
  readonly metadata: MetadataOptions | null
  /** Left out: nothing was said. */
  readonly options?: InstanceOptions
}

export interface Nic {
  readonly id: NicId
  readonly instance: InstanceId
  readonly account: AccountId
  readonly vpc: VpcId
  readonly subnet: SubnetId
  readonly deviceIndex: number
  /** Unique among all NICs: VPCs must not overlap. */
  readonly ip: Ipv4
  readonly mac: Mac
  readonly groups: readonly GroupId[]
  readonly createdAt: string
}

/** A NIC with what other hosts need to know of its instance. */
export interface PlacedNic extends Nic {
  /** The host of the instance. */
  readonly host: HostName
  /**
   * The instance's tag `Name` while it is running, else null. Several instances may have the same
   * one, and DNS names only running ones.
   */
  readonly nameTag: string | null
}

/**
 * `in-use`: the disk of an instance. `available`: its instance is terminated. `deleting`: its host
 * is about to remove it.
 */
type VolumeState = 'in-use' | 'available' | 'deleting'

/**
 * A disk. Only root disks of virtual machines exist so far; an instance that an older daemon
 * launched has no such record.
 */
export interface Volume {
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
  /**
   * The requested volume type. All types behave the same. Absent if none was requested.
   */
  readonly volumeType?: string
  readonly state: VolumeState
  readonly createdAt: string
}

export interface KeyPair {
  readonly id: KeyPairId
  readonly account: AccountId
  readonly name: string
  readonly type: 'rsa' | 'ed25519'
  /** As EC2 computes it for the way the key came to be (see `api/ssh-keys.ts`). */
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

export interface Host {
  readonly name: HostName
  readonly zone: string
  /**
   * `draining`: takes no new instances. `forgotten`: removed by the operator; the name is free.
   */
  readonly state: 'active' | 'draining' | 'forgotten'
  /** Whether its lease had not run out when it was read, by the store's clock. */
  readonly live: boolean
  readonly version: string
  /** What placement may hand out, overcommit included. */
  readonly vcpus: number
  readonly memoryMiB: number
  /** For volumes; null: an older daemon does not say. */
  readonly diskGiB: number | null
  /** What placement has handed out. */
  readonly usedVcpus: number
  readonly usedMemoryMiB: number
  readonly usedDiskGiB: number
  /**
   * Grows with every change to this host's part of the records; an agent never applies an older
   * one.
   */
  readonly generation: number
  /** Its address for other hosts; null on a single host. */
  readonly fabricAddress: Ipv4 | null
  /**
   * The machine behind this name, so that two machines never act under one. Null if unknown.
   */
  readonly identity: string | null
  /**
   * The last run of its daemon. Copies of its disk have the same identity. Null if unknown.
   */
  readonly life?: string | null
  /** For people: why it takes no new instances; null if it does. */
  readonly shortOf: string | null
  /** When it last renewed its lease, by its own clock: for people, never for decisions. */
  readonly lastSeenAt: string
}

/** The part of a host row that other hosts need. */
export type PeerHost = Pick<
  Host,
  'name' | 'identity' | 'life' | 'state' | 'generation' | 'fabricAddress'
>

/** One request that must happen once: (account, action, token) is unique in the cluster. */
export interface ClientToken {
  readonly account: AccountId
  readonly action: string
  readonly token: string
  /** Hash of the request's parameters: the same token with others is refused. */
  readonly parametersHash: string
  /** What the first request made. */
  readonly result: string
  readonly createdAt: string
}

/**
 * A row that was left out because it is unreadable or contradicts others. It still exists: nothing
 * may be removed, handed out or created because a list lacks it.
 */
export interface UnreadableRow {
  /** The table, or what was selected from several (`placedNics`, `peers`). */
  readonly table: string
  /** Its key, made printable. */
  readonly key: string
  /** The first column that is wrong, and how. */
  readonly problem: string
  /** What the row is about, as far as that can be read. */
  readonly instance: InstanceId | null
  readonly host: HostName | null
  readonly ip: Ipv4 | null
}
