/**
 * The names of everything that Atoll makes for instances. By them a daemon recognises what an older
 * one created, without knowing more.
 *
 * `atoll teardown` removes what has one of these names. No other file of `src` spells them. The
 * daemon's own files (keys, ledger, records) are named where they are opened. Pure.
 */
import type { InstanceId, NicId, VolumeId } from './ids.ts'
import { parseId } from './ids.ts'

/** Prefix of our links. The kernel allows 15 characters (IFNAMSIZ - 1). */
export const LINK_PREFIX = 'at-'
/**
 * The device with the addresses of the gateways and of the link-local services, the same on every
 * host.
 */
export const GATEWAY_LINK = 'at-gw'
/** Prefix of the host ends of instance NICs. One wildcard in a rule matches them all. */
export const NIC_LINK_PREFIX = 'at-h'
/** The VXLAN device to the instances on other hosts (`fabric.mode: vxlan`). */
export const FABRIC_LINK = 'at-fabric'
/**
 * Links to the namespaces of VPCs, by the VPC's number. Their other end, inside, is `WORLD_LINK`.
 */
export const TRANSIT_LINK_PREFIX = 'at-t-'
/**
 * Links between the namespaces of two peered VPCs, by the number of the VPC at the other end; 0:
 * the machine's own namespace is there.
 */
export const PEER_LINK_PREFIX = 'at-p-'
/** The way out of the namespace of a VPC. */
export const WORLD_LINK = 'at-world'
/** The VXLAN device of a VPC on its way from the machine's own namespace to the VPC's. */
const PASSING_LINK_PREFIX = 'at-v-'
const GUEST_LINK_PREFIX = 'at-g'
const NIC_DIGITS = 11

/** The host end of a NIC: veth or tap. */
export function nicLinkName(nic: NicId): string {
  return `${NIC_LINK_PREFIX}${nic.slice('eni-'.length, 'eni-'.length + NIC_DIGITS)}`
}

/**
 * The guest end of a container's veth while it is in the host's namespace. In the container it is
 * eth0.
 */
export function guestLinkName(nic: NicId): string {
  return `${GUEST_LINK_PREFIX}${nic.slice('eni-'.length, 'eni-'.length + NIC_DIGITS)}`
}

/** Alias of a guest end whose address the host has set while the guest ran. */
export const GIVEN_ADDRESS_ALIAS = 'atoll: address set by the host'

/** Whether a link is the host end of an instance's NIC. */
export function isNicLink(name: string): boolean {
  return new RegExp(`^${NIC_LINK_PREFIX}[0-9a-f]{${NIC_DIGITS}}$`).test(name)
}

/** Whether a link leads to the namespace of a VPC. */
export function isTransitLink(name: string): boolean {
  return name.startsWith(TRANSIT_LINK_PREFIX)
}

/** The link to the namespace of a peered VPC with this number. */
export function peerLinkName(network: number): string {
  return `${PEER_LINK_PREFIX}${network}`
}

/** Whether a link leads to the namespace of a peered VPC. */
export function isPeerLink(name: string): boolean {
  return name.startsWith(PEER_LINK_PREFIX)
}

/** What the VXLAN device of the VPC with this number is called before it is in its namespace. */
export function passingLinkName(network: number): string {
  return `${PASSING_LINK_PREFIX}${network}`
}

const NAMESPACE_PREFIX = 'atoll-vpc-'

/** The network namespace of the VPC with this number, as `ip netns` lists it. */
export function namespaceName(network: number): string {
  return `${NAMESPACE_PREFIX}${network}`
}

/** The number of the VPC whose namespace has this name; undefined if it is not ours. */
export function networkOfNamespace(name: string): number | undefined {
  const digits = name.startsWith(NAMESPACE_PREFIX) ? name.slice(NAMESPACE_PREFIX.length) : ''
  return /^[1-9]\d{0,4}$/.test(digits) ? Number(digits) : undefined
}

/**
 * Route protocol number of our routes (`ip route … proto 167`; unassigned in iproute2's rt_protos).
 */
export const ROUTE_PROTOCOL = 167
/** The lock of the daemon (`lib/process-lock.ts`): one runs in each network namespace. */
export const DAEMON_LOCK = 'atolld'

/** Our nftables table, in family `inet`. The names of all our tables start with `atoll`. */
export const NFT_TABLE = 'atoll'
/**
 * The tables of families `inet` and `arp` that limit the packets of each NIC. They remain when the
 * other tables are replaced.
 */
export const BUDGETS_TABLE = 'atoll_budgets'
/** The table that drops what the main table has not accepted (`plan/guard.ts`). */
export const GUARD_TABLE = 'atoll_guard'
/** Below the state directory: records of calls. */
export const AUDIT_DIRECTORY = 'audit'
/** Has the records where processes of the API use them. */
export const RECORDS_DIRECTORY = 'records'
/** Below the runtime directory: what the process `fence` must not forget (`fence/files.ts`). */
export const FENCE_DIRECTORY = 'fence'
/** Below the state directory: flow logs that go to a log group. */
export const FLOW_LOG_DIRECTORY = 'flow-logs'
/**
 * The tables of families `inet` and `arp` that drop what instances send and receive while this host
 * may not run them (`host/nftables/permission-gate.ts`).
 */
export const PERMISSION_TABLE = 'atoll_permission'
/** The table that marks the packet of `atoll trace`, for a second (`plan/trace-rules.ts`). */
export const TRACE_TABLE = 'atoll_trace'
/**
 * Bit of the packet mark: the source is not verified. The lock on a NIC sets it, and the source
 * check clears it. Few programs use the upper bits; Calico uses 0xffff0000 by default.
 */
export const UNVERIFIED_MARK = 0x1000_0000
/** Bit of the packet mark: the main table has accepted the packet. */
export const ACCEPTED_MARK = 0x2000_0000
/** Priority of our policy rule (`ip rule`), which rejects packets with `UNVERIFIED_MARK`. */
export const LOCK_RULE_PRIORITY = 167
/**
 * Priority of policy rules for what a subnet of the machine's own namespace sends to a peered VPC.
 * They come before those for floating IPs: what goes to a peer has none.
 */
export const PEER_RULE_PRIORITY = 168
/**
 * Priority of the first of two policy rules for a source that leaves by the gateway of a pool; the
 * second has the next (`host/network/pool-gateways.ts`). They come after those of subnets: by a NAT
 * gateway or a router nothing leaves with a floating IP of its own.
 */
export const POLICY_RULE_PRIORITY = 171
/**
 * Route protocol number of routes of subnets, to instances that are routers and to peers, and of
 * the policy rules for them. They are in tables of their own (`host/network/router-routes.ts`).
 */
export const ROUTER_ROUTE_PROTOCOL = 168
/**
 * Priority of policy rules for what comes from a router; those for what comes from a subnet have
 * the next.
 */
export const ROUTER_RULE_PRIORITY = 169
/**
 * Name of the traffic control programs that lock a NIC. The number changes with the programs, so
 * that older ones are replaced.
 */
export const CLASSIFIER_NAME = 'atoll_2'
/** Comment on our rules in Docker's DOCKER-USER chain. */
export const DOCKER_USER_COMMENT = 'atoll'

/** Container label with the instance id. */
export const INSTANCE_LABEL = 'atoll.instance'
/** Label of Docker images that Atoll imported from root file system archives. */
export const IMAGE_LABEL = 'atoll.image'
/** Repository of images that were imported from archives. The tag is derived from the content. */
export const IMAGE_REPOSITORY = 'atoll-image'
/**
 * Label of a Docker image that says how its guests get their address: `dhcp` when they use a DHCP
 * client.
 */
export const NETWORK_LABEL = 'atoll.network'
/** Label of a Docker image: `none` runs its command as process 1, without our init. */
export const INIT_LABEL = 'atoll.init'
/** Container label with the kind of guest that it was created as (`containers/spec.ts`). */
export const GUEST_LABEL = 'atoll.guest'

/**
 * Label of a container that was started before a launch asked for it (`containers/warm.ts`), with
 * its own id. It stays when a launch has taken it, and in images that are made of it.
 */
export const WARM_LABEL = 'atoll.warm'

/** Container label with the GiB of the host's disk that it may use. */
export const DISK_LABEL = 'atoll.diskGiB'

/** Directory of control groups, and prefix of systemd scopes, for virtual machines. */
export const MACHINE_GROUP = 'atoll-machines'

/** Directory for the files of containers, below the state directory. Each has its own directory. */
export const CONTAINERS_DIRECTORY = 'instances'
/** Directory of the programs that every container gets, below the state directory. */
export const GUEST_KIT_DIRECTORY = 'guest'
/**
 * Directory where the operator publishes image files, below the state directory. Teardown does not
 * remove it.
 */
export const PUBLISHED_IMAGES_DIRECTORY = 'images'
/** Directory of images that were fetched for virtual machines, below the state directory. */
export const IMAGE_CACHE_DIRECTORY = 'image-cache'
/**
 * Directory of virtual machines, below the state directory. Each has its own directory, with its
 * name.
 */
export const MACHINES_DIRECTORY = 'machines'
/** Directory of images that were made from virtual machines, below the state directory. */
export const CREATED_IMAGES_DIRECTORY = 'created-images'
/**
 * Directory for assembling images from containers, below the state directory. Each has its own
 * directory.
 */
export const LAYERS_DIRECTORY = 'layers'
/**
 * Lock file of the process that keeps consoles within their limits
 * (`host/processes/console-trimmer.ts`), below the state directory.
 */
export const TRIMMER_LOCK = 'console-trimmer.lock'
/** In the directory of a virtual machine: files that its process may be given. */
export const HANDED_DIRECTORY = 'handed'
/** Directory of the last console output of terminated instances, below the state directory. */
export const CONSOLES_DIRECTORY = 'consoles'
/** Directory of the sockets of virtual machines, below the runtime directory. */
export const MACHINE_SOCKETS_DIRECTORY = 'vm'
/**
 * File that says whether the machine forwarded packets before Atoll started
 * (`host/network/forwarding.ts`), below the state directory.
 */
export const FORWARDING_FILE = 'forwarding'
/**
 * File with the floating IPs that the operator's program has announced (`services/next-hops.ts`),
 * below the state directory.
 */
export const NEXT_HOPS_FILE = 'next-hops.json'
/**
 * Directory of disks that remain after their instance, below the state directory. Each has its own
 * directory.
 */
export const VOLUMES_DIRECTORY = 'volumes'
/** Hexadecimal digits of the instance id that determine the user number. */
const USER_DIGITS = 6

/**
 * The value of `-name` of a virtual machine's process. `home` is its directory, so that two daemons
 * with different state directories do not confuse their machines.
 */
export function machineName(home: string): string {
  return `guest=atoll:${home.replaceAll(',', ',,')},debug-threads=on`
}

/**
 * Containers' users have the 65,536 user numbers from 0x70000000 on (scripts/lib.sh). This one
 * follows them.
 */
export const JAIL_USER = 0x7001_0000
/** The user of the process of DHCP, DNS and metadata, where no service manager chooses one. */
export const SERVICES_USER = 0x7001_0001
/** Sockets of that process, in the runtime directory: for the agent, and for descriptors. */
export const SERVICES_SOCKETS = ['services.sock', 'services-descriptors.sock'] as const
/** User and group number of the processes of the API. */
export const API_USER = 0x7001_0002

/** User number of a virtual machine's process. */
export function machineUser(firstUser: number, instance: InstanceId): number {
  return firstUser + Number.parseInt(instance.slice(-USER_DIGITS), 16)
}

/** Name of an instance's container. */
export function containerName(instance: InstanceId): string {
  return `atoll-${instance}`
}

/** The instance that a label or directory is named after. Undefined if it is not ours. */
export function instanceFromMark(mark: string | undefined): InstanceId | undefined {
  return mark === undefined ? undefined : parseId('i', mark)
}

/** The volume that a directory is named after. Undefined if it is not ours. */
export function volumeFromMark(mark: string): VolumeId | undefined {
  return parseId('vol', mark)
}

/**
 * The instance of a container. The container must have our label *and* our name, because an image
 * or a person may set one of them. `names` is as the engine lists them, each with a slash before
 * it.
 */
export function instanceOfContainer(
  labels: Readonly<Record<string, string>>,
  names: readonly string[],
): InstanceId | undefined {
  const instance = instanceFromMark(labels[INSTANCE_LABEL])
  return instance !== undefined && names.includes(`/${containerName(instance)}`)
    ? instance
    : undefined
}

/**
 * Device name of the root disk for EC2 clients and in metadata (EC2 user guide, "Device names").
 */
export const ROOT_DEVICE_NAME = '/dev/sda1'
