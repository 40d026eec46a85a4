/**
 * Ownership marks: how a daemon that knows nothing recognises what an older one left behind.
 *
 * Everything that Atoll makes for instances carries one of these marks, and `atoll teardown`
 * removes what carries one. No other file of `src` spells such a name. The daemon's own files
 * (keys, ledger, records) are named where they are opened. Pure.
 */
import type { InstanceId, NicId, VolumeId } from './ids.ts'
import { parseId } from './ids.ts'

/** Links of ours start with this (the kernel allows 15 characters, IFNAMSIZ - 1). */
export const LINK_PREFIX = 'at-'
/**
 * The device that carries the gateways' and the link-local service addresses, alike on every host.
 */
export const GATEWAY_LINK = 'at-gw'
/** Host ends of instance NICs start with this: one wildcard in a rule matches them all. */
export const NIC_LINK_PREFIX = 'at-h'
/** The VXLAN device through which instances on other hosts are reached (`fabric.mode: vxlan`). */
export const FABRIC_LINK = 'at-fabric'
const GUEST_LINK_PREFIX = 'at-g'
const NIC_DIGITS = 11

/** The host end of a NIC: veth or tap. */
export function nicLinkName(nic: NicId): string {
  return `${NIC_LINK_PREFIX}${nic.slice('eni-'.length, 'eni-'.length + NIC_DIGITS)}`
}

/**
 * The guest end of a container's veth while it is still in the host's namespace; inside it is
 * called eth0.
 */
export function guestLinkName(nic: NicId): string {
  return `${GUEST_LINK_PREFIX}${nic.slice('eni-'.length, 'eni-'.length + NIC_DIGITS)}`
}

/** Whether a link is the host end of some instance's NIC. */
export function isNicLink(name: string): boolean {
  return new RegExp(`^${NIC_LINK_PREFIX}[0-9a-f]{${NIC_DIGITS}}$`).test(name)
}

/**
 * Route protocol number of our routes (`ip route … proto 167`; unassigned in iproute2's rt_protos).
 */
export const ROUTE_PROTOCOL = 167

/** The nftables table, in family `inet`. Every table of ours is named `atoll…`. */
export const NFT_TABLE = 'atoll'
/**
 * The tables of families `inet` and `arp` that hold each NIC to its budget, and outlive
 * replacements of the others.
 */
export const BUDGETS_TABLE = 'atoll_budgets'
/** The table that drops what the other has not let through (`plan/guard.ts`). */
export const GUARD_TABLE = 'atoll_guard'
/**
 * Bit of a packet's mark: the source is not verified yet. The lock on a NIC sets it, and the source
 * check clears it. Few programs use the upper bits; Calico uses 0xffff0000 by default.
 */
export const UNVERIFIED_MARK = 0x1000_0000
/** Bit of a packet's mark: the main table has accepted the packet. */
export const ACCEPTED_MARK = 0x2000_0000
/** Priority of our policy rule (`ip rule`), which refuses to route packets with that mark. */
export const LOCK_RULE_PRIORITY = 167
/**
 * Of the programs of traffic control that are the lock on a NIC. With other programs it has another
 * number, so that they are put in place.
 */
export const CLASSIFIER_NAME = 'atoll_2'
/** Comment on our rules in Docker's DOCKER-USER chain. */
export const DOCKER_USER_COMMENT = 'atoll'

/** Container label whose value is the instance id. */
export const INSTANCE_LABEL = 'atoll.instance'
/** Label of Docker images that Atoll imported from a root file system archive. */
export const IMAGE_LABEL = 'atoll.image'
/** Repository of the images that were imported from archives; the tag names the content. */
export const IMAGE_REPOSITORY = 'atoll-image'
/**
 * Label of a Docker image that says how its guests get their address: `dhcp` when they ask for it
 * themselves.
 */
export const NETWORK_LABEL = 'atoll.network'
/** Label of a Docker image that says `none` when its command is to be the first program itself. */
export const INIT_LABEL = 'atoll.init'
/** Container label that remembers which kind of guest it was made as (`containers/spec.ts`). */
export const GUEST_LABEL = 'atoll.guest'

/** Container label that says how many GiB of the host's disk it may use. */
export const DISK_LABEL = 'atoll.diskGiB'

/**
 * Directory of control groups, and first part of systemd scopes' names, in which virtual machines
 * run.
 */
export const MACHINE_GROUP = 'atoll-machines'

/**
 * Where what is known of containers is kept below the state directory; each has a directory of its
 * own.
 */
export const CONTAINERS_DIRECTORY = 'instances'
/** Where the programs that every container is given are kept below the state directory. */
export const GUEST_KIT_DIRECTORY = 'guest'
/**
 * Where the operator's image files are published, below the state directory. They are the
 * operator's: teardown leaves them.
 */
export const PUBLISHED_IMAGES_DIRECTORY = 'images'
/** Where images that were fetched for virtual machines are kept below the state directory. */
export const IMAGE_CACHE_DIRECTORY = 'image-cache'
/**
 * Where virtual machines are kept below the state directory; each has a directory of its own, named
 * after it.
 */
export const MACHINES_DIRECTORY = 'machines'
/** Where images that were made of virtual machines are kept below the state directory. */
export const CREATED_IMAGES_DIRECTORY = 'created-images'
/**
 * Where images that are being made of containers are put together, below the state directory; each
 * has a directory of its own.
 */
export const LAYERS_DIRECTORY = 'layers'
/**
 * Held, below the state directory, by the process that keeps consoles within their limits
 * (`host/processes/console-trimmer.ts`).
 */
export const TRIMMER_LOCK = 'console-trimmer.lock'
/** In the directory of a virtual machine: what its process may be given files in. */
export const HANDED_DIRECTORY = 'handed'
/** Where what the consoles of terminated instances said last is kept below the state directory. */
export const CONSOLES_DIRECTORY = 'consoles'
/** Where virtual machines' sockets are below the runtime directory. */
export const MACHINE_SOCKETS_DIRECTORY = 'vm'
/**
 * Below the state directory: whether the machine forwarded before Atoll came
 * (`host/network/forwarding.ts`).
 */
export const FORWARDING_FILE = 'forwarding'
/**
 * Where disks are kept that have outlived their instance, below the state directory; each has a
 * directory of its own.
 */
export const VOLUMES_DIRECTORY = 'volumes'
/** User numbers are told apart by this many hexadecimal digits of the instance id. */
const USER_DIGITS = 6

/**
 * The value of `-name` that a virtual machine's process is started with; `home` is its own
 * directory, so that two daemons with states of their own do not take each other's.
 */
export function machineName(home: string): string {
  return `guest=atoll:${home.replaceAll(',', ',,')},debug-threads=on`
}

/**
 * User numbers that containers' users have on the host are the 65,536 from 0x70000000 on
 * (scripts/lib.sh); this one is next to them.
 */
export const JAIL_USER = 0x7001_0000

/** The number of the user that a virtual machine's process runs as. */
export function machineUser(firstUser: number, instance: InstanceId): number {
  return firstUser + Number.parseInt(instance.slice(-USER_DIGITS), 16)
}

/** The container of an instance. */
export function containerName(instance: InstanceId): string {
  return `atoll-${instance}`
}

/** The instance a label or directory name speaks of, or undefined if it is not ours. */
export function instanceFromMark(mark: string | undefined): InstanceId | undefined {
  return mark === undefined ? undefined : parseId('i', mark)
}

/** The volume that a directory name speaks of, or undefined if it is not ours. */
export function volumeFromMark(mark: string): VolumeId | undefined {
  return parseId('vol', mark)
}

/**
 * The instance that a container is: it has our label *and* our name, because an image or a person
 * may set the one or the other. `names` as the engine lists them, each with a slash before it.
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
 * What the guest's root disk is called towards EC2 clients and in its metadata (EC2 user guide,
 * "Device names").
 */
export const ROOT_DEVICE_NAME = '/dev/sda1'
