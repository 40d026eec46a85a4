/**
 * The want: everything that one host should be, as one read-only value; and the facts that a host
 * reports.
 *
 * `plan/want.ts` computes the want from the records, services apply it, and the ledger stores the
 * last one as JSON. `local` has the host's generation, and an older generation is never applied. Of
 * `shared`, the latest reading counts.
 */
import type { Cidr, Ipv4, Mac } from './addr.ts'
import type { DhcpConfiguration } from './dhcp-options.ts'
import type { DriverName } from './driver.ts'
import type { FlowLogWant } from './flow-log.ts'
import type { EnforcedMatch } from './group-rule.ts'
import type {
  AccountId,
  AttachmentId,
  GroupId,
  HostName,
  ImageId,
  InstanceId,
  NetworkAclId,
  NicId,
  ReservationId,
  SecurityGroupRuleId,
  SubnetId,
  VolumeId,
  VpcId,
} from './ids.ts'
import type { CheckFact } from './instance-check.ts'
import type { LeverEvent } from './lever.ts'
import type { MetadataOptions } from './metadata-options.ts'
import type { MoveFact, MoveWant } from './move.ts'
import type { NatShare } from './nat.ts'
import type { AclRule } from './network-acl.ts'
import type { DetachingNic, NicAttaching, NicFact } from './nic-changes.ts'
import type { ActivePeering, PeeredVpc, RoutedPeer } from './peering.ts'
import type { PlacementMembership } from './placement-group.ts'
import type { ProfileWant } from './profile-want.ts'
import type { RecoverWant } from './recovery.ts'
import type { ReservedTag } from './reserved-tags.ts'
import type { StoredWant } from './storage.ts'
import type { StandIn, Transit } from './transit.ts'
import type { RouteWant } from './ways-out.ts'

export interface HostWant {
  readonly local: LocalWant
  readonly shared: SharedWant
  /**
   * Of a want that is restricted to the machine's own network namespace (`plan/vpc-wants.ts`): the
   * links to the namespaces of VPCs on this host. Not in the ledger.
   */
  readonly transits?: readonly Transit[] | undefined
  /**
   * Of a want that is restricted to the namespace of a VPC: the VPCs that are peered with it. Not
   * in the ledger.
   */
  readonly peered?: readonly PeeredVpc[] | undefined
  /**
   * Of a want that is restricted to the machine's own network namespace: the VPCs with a namespace
   * that are peered with one in there which this host has instances of. Not in the ledger.
   */
  readonly routedPeers?: readonly RoutedPeer[] | undefined
  /** The ports that its NICs go out with (`plan/nat-shares.ts`); absent: any. Not in the ledger. */
  readonly natShares?: readonly NatShare[] | undefined
  /** By which its addresses are seen outside (`plan/stand-ins.ts`). Not in the ledger. */
  readonly standIns?: readonly StandIn[] | undefined
}

export interface LocalWant {
  readonly host: HostName
  readonly generation: number
  /** This host's instances that are not yet gone, by id in ascending order. */
  readonly instances: readonly InstanceWant[]
  /** Pending images that this host inspects. */
  readonly images: readonly ImageWant[]
  /** Disks on this host whose instance is terminated, by id in ascending order. */
  readonly volumes: readonly VolumeWant[]
  /** Images to make from instances on this host. */
  readonly captures: readonly CaptureWant[]
  /**
   * All images that were made on this host and exist only here. Null when unknown: then nothing is
   * removed.
   */
  readonly keptImages: readonly ImageId[] | null
  /** Instances that move here or away. Absent: none. */
  readonly moves?: readonly MoveWant<ImageWant>[] | undefined
  /** Those that move here while they run: their NICs are made before. Absent: none. */
  readonly arriving?: readonly InstanceWant[] | undefined
  /** This host's instances whose rows were never readable. They are left alone. */
  readonly unreadable: UnreadableInstances
}

export interface UnreadableInstances {
  readonly ids: readonly InstanceId[]
  /** Whether there is a row whose id is unreadable as well. It may belong to any instance. */
  readonly any: boolean
}

export interface VolumeWant extends StoredWant {
  readonly id: VolumeId
  readonly run: 'keep' | 'delete'
}

/** The root disk of a virtual machine. */
export interface DiskWant extends StoredWant {
  readonly volume: VolumeId
  /** The minimum size. The disk of an image may be larger. */
  readonly sizeGiB: number
  /** Whether it stays as a volume when its instance is terminated. */
  readonly keep: boolean
}

/** The wanted state of an instance. `stop` keeps disk and address; `terminate` keeps nothing. */
type InstanceRun = 'run' | 'stop' | 'terminate'

export interface InstanceWant {
  readonly id: InstanceId
  readonly account: AccountId
  readonly reservation: ReservationId
  readonly launchIndex: number
  readonly launchedAt: string
  readonly run: InstanceRun
  /** Whether this host has claimed it. It must not be started before. */
  readonly claimed: boolean
  /** A workload that runs an earlier boot must be rebooted. */
  readonly bootCount: number
  /** Whether it has ever run. Then its disk exists and must not be created again. */
  readonly ran: boolean
  readonly image: ImageWant
  readonly type: {
    readonly name: string
    readonly vcpus: number
    readonly memoryMiB: number
    readonly diskGiB: number
  }
  /** Null: a container, or of an older daemon. Then its type has the size, and it is not kept. */
  readonly disk: DiskWant | null
  readonly zone: string
  /** First label of its canonical DNS name: the instance id (EC2's resource name). */
  readonly hostname: string
  readonly keyName: string | null
  readonly publicKey: string | null
  /** Base64, at most 16 KiB decoded. */
  readonly userData: string | null
  readonly tags: readonly { readonly key: string; readonly value: string }[]
  readonly metadata: MetadataOptions
  /** The driver that runs it. */
  readonly driver: DriverName
  /**
   * Other hosts may start it again, or are to be allowed to. Absent: only this host may ever start
   * it.
   */
  readonly recover?: RecoverWant | undefined
  /** Its placement group, for its metadata. Absent: none. */
  readonly placementGroup?: Pick<PlacementMembership, 'name' | 'partition'> | undefined
  /** Its instance profile. Absent: it has none, or the profile is gone. */
  readonly profile?: ProfileWant | undefined
  /** What is announced for it. Absent: nothing. */
  readonly events?: readonly LeverEvent[] | undefined
  /** At least one, with ascending `deviceIndex`. The first is eth0. */
  readonly nics: readonly NicWant[]
  /** NICs to be taken off the instance. Absent: none. */
  readonly detaching?: readonly DetachingNic[] | undefined
  /** Those of `nics` to report when they are plugged in. Absent: none. */
  readonly attaching?: readonly NicAttaching[] | undefined
}

export interface ImageWant {
  readonly id: ImageId
  readonly location: string
  /** The driver that inspects the image and runs its instances. */
  readonly driver: DriverName
  /** The pinned content. Null: not inspected yet. */
  readonly digest: string | null
  /**
   * The registry's digest of that content. Null or absent: not from a registry, or pinned by an
   * older daemon.
   */
  readonly repositoryDigest?: string | null | undefined
  /** The owner. Absent if the image's row is gone, and in wants of older daemons. */
  readonly account?: AccountId | undefined
}

/** An image to make from an instance. */
export interface CaptureWant extends ImageWant {
  readonly instance: InstanceId
  /**
   * Location of the image that the instance was launched from. Empty when the instance is not here.
   */
  readonly origin: string
  /** Whether a running instance may be rebooted for a consistent copy of its disk. */
  readonly reboot: boolean
}

export interface NicWant {
  readonly id: NicId
  /** Of this attachment. Absent: it was attached when an older daemon made it. */
  readonly attachment?: AttachmentId | undefined
  readonly deviceIndex: number
  readonly ip: Ipv4
  /** Further addresses. Absent: none. */
  readonly secondary?: readonly SecondaryAddress[] | undefined
  /** It may send and receive what is from or for others. */
  readonly sourceDestCheck?: false | undefined
  readonly mac: Mac
  readonly vpc: VpcId
  readonly vpcCidr: Cidr
  readonly moreVpcCidrs?: readonly Cidr[] | undefined
  /** As of its VPC. */
  readonly network?: number | undefined
  readonly subnet: SubnetId
  readonly subnetCidr: Cidr
  readonly gateway: Ipv4
  /** The floating IP that leads to it; null or left out: none. */
  readonly publicIp?: Ipv4 | null | undefined
  readonly groups: readonly { readonly id: GroupId; readonly name: string }[]
  /** Its VPC's set of DHCP options. Absent: the cloud's own. */
  readonly dhcp?: DhcpConfiguration | undefined
  /** Absent: it has the cloud's resolver. */
  readonly resolver?: false | undefined
  /** Its own flow logs, and those of its subnet and VPC. Absent: none. */
  readonly flowLogs?: readonly FlowLogWant[] | undefined
}

/** A further address of a NIC. */
interface SecondaryAddress {
  readonly ip: Ipv4
  /** The floating IP that leads to it. Absent: none. */
  readonly publicIp?: Ipv4 | undefined
}

/** All addresses of a NIC, the primary one first. */
export function addressesOf({ ip, secondary }: Pick<NicWant, 'ip' | 'secondary'>): readonly Ipv4[] {
  return secondary === undefined ? [ip] : [ip, ...secondary.map((one) => one.ip)]
}

/** By which a driver knows a NIC of an instance: attached once more, it is another one. */
export function plugName({ attachment, id }: Pick<NicWant, 'attachment' | 'id'>): string {
  return attachment ?? id
}

/** The floating IPs that lead to addresses of a NIC, with the addresses. */
export function floatingIpsOf({
  ip,
  publicIp,
  secondary = [],
}: Pick<NicWant, 'ip' | 'publicIp' | 'secondary'>): readonly {
  readonly ip: Ipv4
  readonly publicIp: Ipv4
}[] {
  return [{ ip, publicIp }, ...secondary].flatMap((one) =>
    one.publicIp ? [{ ip: one.ip, publicIp: one.publicIp }] : [],
  )
}

/**
 * What each part is of, by `vpc`, is absent in wants of older daemons, whose VPCs all are in the
 * machine's own network namespace.
 */
export interface SharedWant {
  /** Every subnet. Each host has all gateway addresses (anycast). */
  readonly subnets: readonly {
    readonly id: SubnetId
    readonly cidr: Cidr
    readonly gateway: Ipv4
    readonly vpc?: VpcId | undefined
    /**
     * Its ways out of the VPC, in the order in which they are looked at: what no route has does not
     * go out. Absent: everything goes out, as in wants of older daemons.
     */
    readonly routes?: readonly RouteWant[] | undefined
    /** Absent: no network ACL restricts it. */
    readonly acl?: AclWant | undefined
  }[]
  /** Each range of every VPC. Traffic inside a VPC is routed and never masqueraded. */
  readonly vpcs: readonly {
    readonly id: VpcId
    readonly cidr: Cidr
    /**
     * The number of the VPC, if it has a network namespace of its own on each of its hosts. Only
     * then it may have addresses that others have, too.
     */
    readonly network?: number | undefined
    /** Whether NICs on other hosts may send there what is from others. */
    readonly hasRouters?: true | undefined
  }[]
  /** Pairs of VPCs whose instances reach each other. Absent: there are none. */
  readonly peerings?: readonly ActivePeering[] | undefined
  readonly groups: readonly GroupWant[]
  /**
   * DNS names to serve, as first labels in lower case: instance ids, IP-based names and Name tags.
   * A name may have several addresses. `primary` marks the name that the reverse lookup of its
   * address returns.
   */
  readonly names: readonly {
    readonly name: string
    readonly ip: Ipv4
    readonly primary: boolean
    readonly vpc?: VpcId | undefined
  }[]
  /** The other hosts on the fabric, by name in ascending order. Empty on a single host. */
  readonly peers: readonly PeerWant[]
  /** Instances on other hosts, and the peer's address to send their packets to. */
  readonly routes: readonly {
    readonly ip: Ipv4
    readonly via: Ipv4
    readonly vpc?: VpcId | undefined
    /** The NIC that has the address, as `plugName`. Absent in wants of older daemons. */
    readonly nic?: string | undefined
  }[]
}

/** The network ACL of a subnet. */
export interface AclWant {
  readonly id: NetworkAclId
  /** In the order in which they are looked at, for each direction. */
  readonly rules: readonly AclRule[]
}

/** Another host on the fabric. */
interface PeerWant {
  readonly host: HostName
  /** By which routes name it. */
  readonly address: Ipv4
  /** Where VXLAN reaches it; absent: at `address`. */
  readonly underlay?: Ipv4 | undefined
}

/** The result of inspecting an image. */
export interface ImageFindings {
  readonly digest: string
  /** `sha256:…` of the manifest in the image's registry. Null or absent: not from a registry. */
  readonly repositoryDigest?: string | null
  readonly architecture: string
  /** Size of an instance's initial disk in GiB, rounded up. Null: the image has none. */
  readonly diskGiB: number | null
}

/** A security group. */
export interface GroupWant {
  readonly id: GroupId
  /** On all hosts. */
  readonly members: readonly Ipv4[]
  /** By id in ascending order. */
  readonly rules: readonly RuleWant[]
  readonly vpc?: VpcId | undefined
}

/** One that names a prefix list is one for each network, all with the rule's id. */
export interface RuleWant extends EnforcedMatch {
  readonly id: SecurityGroupRuleId
}

/**
 * What a service found out. Facts are safe to repeat and may be late. `model/lifecycle.ts` decides
 * what they change.
 */
export type Fact =
  /** Ready for its first start. The host will claim it in the records. */
  | { readonly kind: 'ready'; readonly instance: InstanceId }
  | { readonly kind: 'running'; readonly instance: InstanceId; readonly bootCount: number }
  | CheckFact
  | NicFact
  /** It has stopped, requested or not. Disk and address stay. */
  | {
      readonly kind: 'stopped'
      readonly instance: InstanceId
      readonly bootCount: number
      readonly code: string
      readonly message: string
    }
  /** The instance must have this reserved tag (`model/reserved-tags.ts`). */
  | { readonly kind: 'marked'; readonly marked: InstanceId; readonly mark: ReservedTag }
  /** Nothing of it remains on the host, so its address may be reused. */
  | { readonly kind: 'gone'; readonly instance: InstanceId }
  /** It can never run. It is terminated, which removes what was created for it. */
  | {
      readonly kind: 'failed'
      readonly instance: InstanceId
      readonly code: string
      readonly message: string
    }
  | ({ readonly kind: 'image-available'; readonly image: ImageId } & ImageFindings)
  /** Nothing remains on the host of a volume that was to be deleted. */
  | { readonly kind: 'volume-gone'; readonly volume: VolumeId }
  | { readonly kind: 'image-progress'; readonly image: ImageId; readonly message: string }
  | { readonly kind: 'image-failed'; readonly image: ImageId; readonly message: string }
  | MoveFact
