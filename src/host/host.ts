/**
 * The port to the machine: kernel network objects, rules and device-bound sockets.
 *
 * Services say what should be; the port does it without starting a process where the kernel has a
 * socket for it. Every `ensure` is safe to repeat and repairs what differs; every object carries a
 * mark of `model/names.ts`. Errors: `AtollError` `unavailable` with the kernel's errno as cause.
 */
import type { Socket } from 'node:dgram'
import type { Cidr, Ipv4, Mac } from '../model/addr.ts'
import type { LinkType } from '../model/driver.ts'
import type { Surroundings } from '../model/host-routing.ts'
import type { InstanceLimits } from '../model/limits.ts'
import type { FlowFilter } from './network/conntrack.ts'

/**
 * A NIC as the kernel needs to know it. The host end's name and the guest end's come from
 * `model/names.ts`.
 */
export interface NicSpec {
  readonly kind: LinkType
  readonly hostLink: string
  /** The guest end of a veth while it is still here. A tap has none. */
  readonly guestLink: string
  /** The guest's own Ethernet address. */
  readonly mac: Mac
  readonly ip: Ipv4
  /** Source of what the host itself sends to the guest (the route's prefsrc). */
  readonly gateway: Ipv4
  readonly mtu: number
}

/** How a guest's NIC is set up from outside once it is in the guest's namespace. */
export interface GuestSetup {
  /** Name inside, e.g. `eth0`. */
  readonly name: string
  /** Null for a guest that asks DHCP. */
  readonly address: {
    readonly ip: Ipv4
    readonly prefix: number
    /** Null for a NIC that is not the guest's way out. */
    readonly gateway: Ipv4 | null
  } | null
}

/** What `nics` reads back from the kernel. */
export interface NicState {
  readonly hostLink: string
  readonly index: number
  readonly mtu: number
  readonly up: boolean
  /** Whether somebody is at the other end: of a tap, a process that holds it open. */
  readonly carrier: boolean
  /** Whether the guest end is still in the host's own namespace. */
  readonly guestAtHome: boolean
  /**
   * Where the kernel sends to through this link: routes of ours, with the source the host itself
   * uses.
   */
  readonly routes: readonly { readonly ip: Ipv4; readonly gateway: Ipv4 | null }[]
  /** Permanent neighbour entries on this link. */
  readonly neighbours: readonly { readonly ip: Ipv4; readonly mac: string }[]
  /** Whether the lock is on it, or this kernel has none (`lock.ts`). */
  readonly locked: boolean
  /** Names of the kernel settings of this link that are not as the packet path needs them. */
  readonly wrongSettings: readonly string[]
}

/** The VXLAN device to the other hosts. */
export interface FabricSpec {
  /** This host's own fabric address: what its packets come from. */
  readonly address: Ipv4
  readonly vni: number
  readonly port: number
  readonly mtu: number
  /** Fabric addresses of the other hosts. */
  readonly peers: readonly Ipv4[]
}

/** A UDP socket that knows one device only. */
export interface LinkSocket {
  readonly socket: Socket
  /**
   * Sends from `source`, an address of the host's, at once or not at all: on a device without
   * addresses the kernel would choose the source of a broadcast from another. Throws the kernel's
   * error, or Node's when the socket is closed.
   */
  sendFrom(source: Ipv4, bytes: Uint8Array, port: number, to: Ipv4): void
}

/** A file descriptor to hand to another process. Whoever got it closes it, once. */
export interface OpenFile {
  readonly fd: number
  close(): void
}

/** What the kernel's shared tables have come to. */
export interface SharedTables {
  /** Entries that the connection table has room for, and has. */
  readonly connections: number
  readonly entries: number
  readonly changed: readonly string[]
}

export interface Host {
  /** Sets what the packet path needs of the kernel: IPv4 forwarding on. Returns what it changed. */
  ensureForwarding(): Promise<readonly string[]>
  /**
   * Gives the kernel's shared tables room for so many connections, for fragments and for
   * neighbours, where they have less and this namespace may say so. Returns the connections that
   * there is room for now, those that there are, and what it changed.
   */
  ensureSharedTables(connections: number): Promise<SharedTables>
  /** What else is on this host's network, as it is now. */
  surroundings(): Promise<Surroundings>
  /** One address-only device with exactly these `/32`s, up. */
  ensureGateway(link: string, addresses: readonly Ipv4[]): Promise<void>

  /** All links of ours that are NIC host ends. */
  nics(): Promise<readonly NicState[]>
  /**
   * Interface indexes of those links by name: all that a socket needs to know, and far less work
   * than `nics`.
   */
  nicIndexes(): Promise<ReadonlyMap<string, number>>
  /**
   * Makes the host side of a NIC equal to the spec: veth pair or persistent tap, locked, up, MTU,
   * proxy ARP with no delay, IPv6 off, permanent neighbour, `/32` route. Returns what it had to
   * repair (empty when all was well).
   */
  ensureNic(spec: NicSpec): Promise<readonly string[]>
  /**
   * Removes a NIC by its host end's name; its guest end, route and neighbour go with it. Absent is
   * well.
   */
  removeNic(hostLink: string): Promise<void>
  /**
   * Puts the guest end into the network namespace of process `pid` and sets it up there, lo
   * included. A guest end that sits in some dead or other namespace is replaced by a new pair
   * first. It gets its name there after `limited` has resolved: guests wait for that name.
   * Repeating it is harmless. Rejects as `limited` does.
   */
  plugNic(spec: NicSpec, pid: number, setup: GuestSetup, limited?: Promise<void>): Promise<void>
  /** Whether the namespace of `pid` has this NIC, set up as asked. */
  isPlugged(spec: NicSpec, pid: number, setup: GuestSetup): Promise<boolean>

  /**
   * Limits what the user namespace of process `pid` may take of the tables that the whole machine
   * shares, and sets its domain name. Errors: `unavailable`.
   */
  limitUserNamespace(pid: number, limits: InstanceLimits, domain: string): Promise<void>

  /**
   * Opens a NIC's tap for a virtual machine. Errors: `unavailable` when there is none, or another
   * process has it.
   */
  openTap(hostLink: string): Promise<OpenFile>
  /**
   * A UNIX socket that listens at `path` for its owner alone; what was there before, of a process
   * that is gone, gives way.
   */
  listenUnix(path: string): Promise<OpenFile>

  /** Makes the VXLAN device equal to the spec; null: there is none. Returns what it changed. */
  ensureFabric(link: string, spec: FabricSpec | null): Promise<readonly string[]>
  /**
   * Makes our routes that do not lead to a NIC equal to these: `/32`s of instances on other hosts,
   * through the device `link` or, when it is null, through whichever the next hop is on; and one
   * `unreachable` for each network in `vpcs`, so that an address nobody has is neither answered for
   * by proxy ARP nor sent out by the default route. Returns what it changed. A route that the
   * kernel refuses does not keep the others from being made; it rejects afterwards.
   */
  ensureRoutes(
    routes: readonly { readonly ip: Ipv4; readonly via: Ipv4 }[],
    vpcs: readonly Cidr[],
    link?: string | null,
  ): Promise<readonly string[]>

  /**
   * Runs an nft script atomically (`nft -f -`); rejects with its message and leaves all as it was
   * on any error.
   */
  applyRules(script: string): Promise<void>
  /** The named table as `nft -j` lists it, or null when it does not exist. */
  listTable(family: string, name: string): Promise<string | null>
  /**
   * A number that changes with every change to any nftables rules of the namespace, by whomever.
   * Equal numbers mean that nothing was touched; a table's packet counters do not count as a
   * change.
   */
  rulesGeneration(): Promise<number>
  /**
   * Tables, as `inet atoll`, that anybody has changed after generation `from`, up to `now`, which
   * `rulesGeneration` has just given. Null when that is not known: then only listing them tells.
   */
  rulesChanged(from: number, now: number): Promise<ReadonlySet<string> | null>
  /** Packets counted by each named counter of a table; empty when there is no such table. */
  ruleCounters(family: 'inet' | 'arp', table: string): Promise<ReadonlyMap<string, number>>
  /**
   * Accepts traffic of our links in Docker's DOCKER-USER chain where that exists. Returns whether
   * it had to add something.
   */
  ensureDockerCoexistence(nicLinkPattern: string): Promise<boolean>

  /**
   * Makes the kernel forget the connections that fit, so that what goes on is judged anew: for an
   * address that changes its owner, and for permissions that are withdrawn.
   */
  forgetFlows(filter: FlowFilter): Promise<void>
  /**
   * Calls `heard` when somebody else may have changed rules, routes, addresses, or links of ours
   * and what is on them, until the returned function is called. Some of what this port itself does
   * is heard, too.
   */
  watchKernel(heard: () => void): () => void

  /**
   * A UDP socket bound to one device (SO_BINDTODEVICE, socket(7)) and port, broadcast allowed: what
   * it receives came in through that link, which the kernel proves. The caller closes it.
   */
  bindUdp(link: string, port: number): Promise<LinkSocket>

  close(): Promise<void>
}
