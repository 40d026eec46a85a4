/**
 * The want: everything one host should be, as one read-only value; and the facts that it reports.
 *
 * `plan/want.ts` makes the want from records, services apply it, and the ledger keeps the last one
 * on disk as JSON. `local` has the host's generation, and an older one is never applied. Of
 * `shared` the latest reading counts.
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
  NicId,
  ReservationId,
  SecurityGroupRuleId,
  SubnetId,
  VolumeId,
  VpcId,
} from './ids.ts'
import type { MetadataOptions } from './metadata-options.ts'
import type { ReservedTag } from './reserved-tags.ts'

export interface HostWant {
  readonly local: LocalWant
  readonly shared: SharedWant
}

export interface LocalWant {
  readonly host: HostName
  readonly generation: number
  /** This host's instances that are not yet gone, by id in ascending order. */
  readonly instances: readonly InstanceWant[]
  /** Pending images that this host has to inspect. */
  readonly images: readonly ImageWant[]
  /** Disks on this host whose instance is terminated, by id in ascending order. */
  readonly volumes: readonly VolumeWant[]
  /** Images that are to be made of instances on this host. */
  readonly captures: readonly CaptureWant[]
  /**
   * All images that were made on this host and are kept on it only; null when that is not known, so
   * nothing is removed.
   */
  readonly keptImages: readonly ImageId[] | null
  /**
   * Instances of this host whose rows were never readable. They are not touched.
   */
  readonly unreadable: UnreadableInstances
}

export interface UnreadableInstances {
  readonly ids: readonly InstanceId[]
  /** Whether there is a row whose id is unreadable, too. It may be of any instance. */
  readonly any: boolean
}

export interface VolumeWant {
  readonly id: VolumeId
  readonly run: 'keep' | 'delete'
}

/** The root disk of a virtual machine. */
export interface DiskWant {
  readonly volume: VolumeId
  /** The least size: the disk of an image may be larger. */
  readonly sizeGiB: number
  /** Whether it is kept, as a volume of its own, when its instance is terminated. */
  readonly keep: boolean
}

/**
 * What an instance should be: `stop` keeps disk and address, `terminate` keeps nothing once the
 * workload is gone.
 */
type InstanceRun = 'run' | 'stop' | 'terminate'

export interface InstanceWant {
  readonly id: InstanceId
  readonly account: AccountId
  readonly reservation: ReservationId
  readonly launchIndex: number
  readonly launchedAt: string
  readonly run: InstanceRun
  /** Whether this host has claimed it. Only then it may be started. */
  readonly claimed: boolean
  /** A running workload that was last booted for a lower number must be rebooted. */
  readonly bootCount: number
  /** Whether it has ever run: then its disk exists and must not be created again. */
  readonly ran: boolean
  readonly image: ImageWant
  readonly type: {
    readonly name: string
    readonly vcpus: number
    readonly memoryMiB: number
    readonly diskGiB: number
  }
  /**
   * Null for a container, and for what an older daemon launched: then the type says how large the
   * disk is, and nothing is kept.
   */
  readonly disk: DiskWant | null
  readonly zone: string
  /** First label of its canonical DNS name: the instance id, EC2's resource-name form. */
  readonly hostname: string
  readonly keyName: string | null
  readonly publicKey: string | null
  /** Base64, at most 16 KiB decoded. */
  readonly userData: string | null
  readonly tags: readonly { readonly key: string; readonly value: string }[]
  readonly metadata: MetadataOptions
  /** What runs it. */
  readonly driver: DriverName
  /** At least one; `deviceIndex` ascending. The first is eth0. */
  readonly nics: readonly NicWant[]
}

export interface ImageWant {
  readonly id: ImageId
  readonly location: string
  /** The driver that inspects the image and runs its instances. */
  readonly driver: DriverName
  /** The pinned content, or null if it was not inspected yet. */
  readonly digest: string | null
  /**
   * What a registry calls that content; null or absent: it came from none, or an older daemon
   * pinned it.
   */
  readonly repositoryDigest?: string | null | undefined
  /** The owner; absent if the image's row is gone, and in wants of older daemons. */
  readonly account?: AccountId | undefined
}

/** An image that is to be made of an instance. */
export interface CaptureWant extends ImageWant {
  readonly instance: InstanceId
  /**
   * Location of the image that the instance was made from; empty when there is no such instance
   * here.
   */
  readonly origin: string
  /** Whether a running instance may be rebooted for a consistent copy of its disk. */
  readonly reboot: boolean
}

export interface NicWant {
  readonly id: NicId
  readonly deviceIndex: number
  readonly ip: Ipv4
  readonly mac: Mac
  readonly vpc: VpcId
  readonly vpcCidr: Cidr
  readonly subnet: SubnetId
  readonly subnetCidr: Cidr
  readonly gateway: Ipv4
  readonly groups: readonly { readonly id: GroupId; readonly name: string }[]
}

export interface SharedWant {
  /** Every subnet: each host carries all gateway addresses (anycast). */
  readonly subnets: readonly {
    readonly id: SubnetId
    readonly cidr: Cidr
    readonly gateway: Ipv4
  }[]
  /** Every VPC's network: traffic inside them is routed, never masqueraded. */
  readonly vpcs: readonly { readonly id: VpcId; readonly cidr: Cidr }[]
  readonly groups: readonly GroupWant[]
  /**
   * Names to serve, first labels in lower case: instance ids, IP-based host names and Name tags. A
   * name may have several addresses. `primary` marks the one that the reverse lookup of its address
   * answers.
   */
  readonly names: readonly { readonly name: string; readonly ip: Ipv4; readonly primary: boolean }[]
  /** The other hosts that are on the fabric, by name in ascending order. Empty on a single host. */
  readonly peers: readonly { readonly host: HostName; readonly address: Ipv4 }[]
  /** Instances on other hosts: where to send their packets, which is always a peer's address. */
  readonly routes: readonly { readonly ip: Ipv4; readonly via: Ipv4 }[]
}

/** What an image turned out to be. */
export interface ImageFindings {
  readonly digest: string
  /**
   * `sha256:…` of the manifest by which the image's registry has this content; null or absent: it
   * came from none.
   */
  readonly repositoryDigest?: string | null
  readonly architecture: string
  /** Size of the disk that instances begin with, in GiB, rounded up; null: it brings none. */
  readonly diskGiB: number | null
}

/** A security group. */
export interface GroupWant {
  readonly id: GroupId
  /** On all hosts. */
  readonly members: readonly Ipv4[]
  /** By id in ascending order. */
  readonly rules: readonly RuleWant[]
}

export interface RuleWant extends RuleMatch {
  readonly id: SecurityGroupRuleId
}

/**
 * What a service found out. Facts are safe to repeat and may be late: `model/lifecycle.ts` decides
 * what they change.
 */
export type Fact =
  /** Ready for its first start. The host claims it in the records next. */
  | { readonly kind: 'ready'; readonly instance: InstanceId }
  | { readonly kind: 'running'; readonly instance: InstanceId; readonly bootCount: number }
  /** It has ended, requested or not. Disk and address stay. */
  | {
      readonly kind: 'stopped'
      readonly instance: InstanceId
      readonly bootCount: number
      readonly code: string
      readonly message: string
    }
  /** It must have this reserved tag (`model/reserved-tags.ts`). */
  | { readonly kind: 'marked'; readonly marked: InstanceId; readonly mark: ReservedTag }
  /** Nothing of it is left on the host: its address may be given to another. */
  | { readonly kind: 'gone'; readonly instance: InstanceId }
  /** It can never run. It is terminated like any other, which removes what was made of it. */
  | {
      readonly kind: 'failed'
      readonly instance: InstanceId
      readonly code: string
      readonly message: string
    }
  | ({ readonly kind: 'image-available'; readonly image: ImageId } & ImageFindings)
  /** Nothing of a volume that is to be deleted is left on the host. */
  | { readonly kind: 'volume-gone'; readonly volume: VolumeId }
  | { readonly kind: 'image-progress'; readonly image: ImageId; readonly message: string }
  | { readonly kind: 'image-failed'; readonly image: ImageId; readonly message: string }
