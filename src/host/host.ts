/**
 * The port to the machine: links, routes, rules and sockets of the kernel.
 *
 * Services say what should exist, and the port creates it. It uses netlink where that is possible,
 * and starts a process only where it is not. Every `ensure` may be repeated, and repairs what
 * differs. Every object carries a mark of `model/names.ts`. Errors: `unavailable` with the kernel's
 * errno as cause.
 */
import type { Socket } from 'node:dgram'
import type { Socket as Connection, Server } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { Cidr, Ipv4, Mac } from '../model/addr.ts'
import type { CarriedFlow } from '../model/carried-flow.ts'
import type { Count, CounterTable, CounterValues, ElementCount } from '../model/counters.ts'
import type { LinkType } from '../model/driver.ts'
import type { FlowTraffic, TrackedFlow } from '../model/flow.ts'
import type { ForeignChain } from '../model/foreign-rules.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { InstanceLimits } from '../model/limits.ts'
import type { PeerNetwork } from '../model/peering.ts'
import type { RouterRoutes } from '../model/router-routes.ts'
import type { TraceEvent } from '../model/trace.ts'
import type { GuestPlace, GuestSetup, TapHolder } from './guest-setup.ts'
import type { ArpQuestion } from './network/arp-question.ts'
import type { FlowFilter } from './network/conntrack.ts'
import type { ServiceDescriptors } from './sockets/socket-place.ts'
import type { LinkSocket } from './sockets/udp.ts'

/** A NIC as the kernel needs it. The names of both ends come from `model/names.ts`. */
export interface NicSpec {
  readonly kind: LinkType
  readonly hostLink: string
  /** Name of a veth's guest end while it is in the host's namespace. A tap has none. */
  readonly guestLink: string
  /** The guest's own Ethernet address. */
  readonly mac: Mac
  readonly ip: Ipv4
  /** Further addresses of the guest. Absent: none. */
  readonly secondaryIps?: readonly Ipv4[]
  /** Whether the guest may send from addresses that are not its own. */
  readonly isRouter?: boolean
  /** Source address of packets of the host to the guest (the route's prefsrc). */
  readonly gateway: Ipv4
  readonly mtu: number
  /** The number of the VPC whose namespace it is in; absent: it is in the machine's own. */
  readonly network?: number | undefined
  /** The attachment that it is for, as its alias. Absent: an older daemon made it. */
  readonly attachment?: string
  /** Its guest runs on another host yet: no route leads to it here. */
  readonly isArriving?: true
}

/** What `nics` reads back from the kernel. */
export interface NicState {
  readonly hostLink: string
  readonly index: number
  readonly mtu: number
  readonly up: boolean
  /** Whether the other end is in use: for a tap, a process holds it open. */
  readonly carrier: boolean
  /** Whether the guest end is still in the host's own namespace. */
  readonly guestAtHome: boolean
  /** Atoll's routes through this link, with the host's source address. */
  readonly routes: readonly { readonly ip: Ipv4; readonly gateway: Ipv4 | null }[]
  /** Permanent neighbour entries on this link. */
  readonly neighbours: readonly { readonly ip: Ipv4; readonly mac: string }[]
  /** Whether the link is locked, or this kernel has no such locks (`lock.ts`). */
  readonly locked: boolean
  /** Names of the link's kernel settings that differ from what the packet path needs. */
  readonly wrongSettings: readonly string[]
  /** Whether sources are accepted that are routed to another link. Absent: they are not. */
  readonly takesForeignSources?: boolean
  /** The attachment that it was made for. Absent: it does not say. */
  readonly attachment?: string
}

/** The VXLAN device to the other hosts. */
export interface FabricSpec extends FabricEnd {
  readonly vni: number
  readonly port: number
  readonly mtu: number
  /** The other hosts. */
  readonly peers: readonly FabricEnd[]
}

/** A host on the fabric. */
interface FabricEnd {
  /** On the device, where it is the next hop of the host's instances. */
  readonly address: Ipv4
  /** Its fabric address, between which the outer packets go. */
  readonly underlay: Ipv4
}

/** A file descriptor to pass to another process. The receiver closes it, once. */
export interface OpenFile {
  readonly fd: number
  close(): void
}

/** Sockets of services that Node makes, in one network namespace. Errors: `unavailable`. */
export interface ServiceSockets {
  /** Has the server listen there. */
  listenTcp(server: Server, address: Ipv4, port: number): Promise<void>
  /**
   * Binds the socket there. Returns its descriptor, which belongs to the socket: nobody else closes
   * it.
   */
  bindUdp(socket: Socket, address: Ipv4, port: number): Promise<number>
}

/** The sizes of the kernel's shared tables. */
export interface SharedTables {
  /** Limit and number of entries of the connection table. */
  readonly connections: number
  readonly entries: number
  readonly changed: readonly string[]
}

/** What is done in one network namespace: the machine's own, or that of a VPC. */
export interface NamespaceHost {
  /** Switches IPv4 forwarding on. Returns what it changed. */
  ensureForwarding(): Promise<readonly string[]>
  /**
   * Enlarges the kernel's shared tables for connections, fragments and neighbours, if they are
   * smaller and this namespace may change them. Returns the limit and number of connections now,
   * and what it changed.
   */
  ensureSharedTables(connections: number): Promise<SharedTables>
  /** What else is on this host's network, as it is now. */
  surroundings(): Promise<HostRouting>
  /** Makes one device with exactly these `/32` addresses, up. */
  ensureGateway(link: string, addresses: readonly Ipv4[]): Promise<void>

  /** All host ends of NICs. */
  nics(): Promise<readonly NicState[]>
  /** Interface indexes of those links by name. Far less work than `nics`. */
  nicIndexes(): Promise<ReadonlyMap<string, number>>
  /**
   * Makes the host side of a NIC equal to the spec: veth pair or persistent tap, locked, up, MTU,
   * proxy ARP without delay, IPv6 off, permanent neighbour, `/32` route. Returns what it repaired;
   * empty when nothing differed.
   */
  ensureNic(spec: NicSpec): Promise<readonly string[]>
  /**
   * Removes a NIC by the name of its host end, with its guest end, route and neighbour. Does
   * nothing when it is absent.
   */
  removeNic(hostLink: string): Promise<void>
  /**
   * Moves the guest end into the network namespace of process `pid` and configures it there, and
   * lo. A guest end in another namespace is first replaced by a new pair. It gets its final name
   * after `limited` has resolved, because guests wait for that name. May be repeated. Rejects when
   * `limited` does. Returns the inode of that namespace.
   */
  plugNic(spec: NicSpec, pid: number, setup: GuestSetup, limited?: Promise<void>): Promise<number>
  /**
   * As `plugNic`, while the process is in that namespace. With `unlessUp`, a NIC that is in there
   * is left alone: its guest may be at it. Returns what it repaired; null: the guest is gone.
   */
  replugNic(spec: NicSpec, guest: GuestPlace, setup: GuestSetup): Promise<readonly string[] | null>
  /** Whether the namespace of `pid` has this NIC, configured as asked. */
  isPlugged(spec: NicSpec, pid: number, setup: GuestSetup): Promise<boolean>
  /**
   * Opens the tap of a NIC for a virtual machine. Errors: `unavailable` when it is absent or in
   * use.
   */
  openTap(hostLink: string): Promise<OpenFile>
  /**
   * Gives a process the tap of a NIC back that was deleted, renamed or moved, and made again.
   * Returns false when it has it. Errors: `unavailable`, also when the tap is absent or in use.
   */
  reattachTap(hostLink: string, holder: TapHolder): Promise<boolean>

  /** Makes the VXLAN device equal to the spec; null: removes it. Returns what it changed. */
  ensureFabric(link: string, spec: FabricSpec | null): Promise<readonly string[]>
  /**
   * Makes Atoll's routes that do not lead to a NIC equal to these. `routes` are the `/32`s of
   * instances on other hosts, through the device `link`, or through the next hop's device when
   * `link` is null. Each network of `vpcs` gets an `unreachable` route, so that an unused address
   * is neither answered by proxy ARP nor sent to the default route. Returns what it changed. If the
   * kernel refuses a route, the others are made first; then it rejects.
   */
  ensureRoutes(
    routes: readonly { readonly ip: Ipv4; readonly via: Ipv4 }[],
    vpcs: readonly Cidr[],
    link?: string | null,
  ): Promise<readonly string[]>

  /** As `ensureRoutes`, the routes of subnets. Those whose link is not there lead nowhere. */
  ensureRouterRoutes(wanted: RouterRoutes): Promise<readonly string[]>

  /**
   * Runs an nft script as one transaction (`nft -f -`). On an error nothing changes, and it rejects
   * with nft's message.
   */
  applyRules(script: string): Promise<void>
  /** The named table as `nft -j` lists it, or null when it does not exist. */
  listTable(family: string, name: string): Promise<string | null>
  /**
   * A number that changes with every change of nftables rules in the namespace, by any program.
   * Packet counters do not count as a change.
   */
  rulesGeneration(): Promise<number>
  /**
   * Tables, such as `inet atoll`, that any program has changed after generation `from`, up to
   * `now`, which `rulesGeneration` has just returned. Null when that is not known.
   */
  rulesChanged(from: number, now: number): Promise<ReadonlySet<string> | null>
  /** Calls `heard` with the tables of each transaction (null: unknown), until the end is called. */
  watchRules(heard: (tables: ReadonlySet<string> | null) => void): () => void
  /** Filtering chains of others. Without tables of others it is one question to the kernel. */
  foreignChains(): Promise<readonly ForeignChain[]>
  /** What the named counters of all tables have counted. */
  ruleCounters(): Promise<CounterValues>
  /**
   * What the elements of a set with counters have counted, by the names of the links that they are;
   * empty when there is no such set.
   */
  linkCounters(table: CounterTable, set: string): Promise<ReadonlyMap<string, Count>>
  /** The same of a set with keys of any type, as bytes. */
  elementCounters(table: CounterTable, set: string): Promise<readonly ElementCount[]>
  /** Rules of a table as nft(8) prints them, by `CHAIN HANDLE`; empty when there is none. */
  ruleTexts(family: string, table: string): Promise<ReadonlyMap<string, string>>
  /**
   * Calls `heard` for what rules do with traced packets (`meta nftrace set 1`), until the returned
   * function is called. Some events may be missing.
   */
  watchTrace(heard: (event: TraceEvent) => void): () => void
  /**
   * Lets an Ethernet frame arrive on a link as if its other end had sent it. The twelve bytes of
   * its addresses are overwritten: it is sent to the link, by `from`.
   */
  injectFrame(link: string, from: Mac, frame: Uint8Array): Promise<void>
  /** Asks the guest at the link of its NIC; see `askArp`. Errors: `unavailable`. */
  answersArp(
    hostLink: string,
    asked: ArpQuestion,
    clock: Pick<Clock, 'sleep'>,
  ): Promise<boolean | null>
  /** Names of the links of the namespace, by index. */
  linkNames(): Promise<ReadonlyMap<number, string>>
  /**
   * Accepts traffic of links that match a pattern (iptables(8) -i) in Docker's DOCKER-USER chain,
   * if there is one. Returns whether it added something.
   */
  ensureDockerCoexistence(patterns: readonly string[]): Promise<boolean>

  /**
   * Deletes the kernel's entries of these connections, so that their packets are checked again. For
   * an address that changes its owner.
   */
  forgetFlows(filter: FlowFilter): Promise<void>
  /**
   * Deletes the kernel's entries of those connections through this host that `isOver` is true of.
   * Connections of the host itself stay. Returns the number of entries.
   */
  endFlows(isOver: (flow: TrackedFlow) => boolean): Promise<number>
  /** Connections of an address that can go on on another host. */
  carriedFlows(address: Ipv4): Promise<readonly CarriedFlow[]>
  /**
   * Makes entries for connections that another host had, or refreshes them. Those of the host
   * itself are left out.
   */
  carryOn(flows: readonly CarriedFlow[]): Promise<void>
  /** What IPv4 connections through this namespace have carried; those before the first call not. */
  flowTraffic(): Promise<readonly FlowTraffic[]>
  /**
   * Calls `heard` when another program may have changed rules, routes, addresses or Atoll's links,
   * until the returned function is called. It is also called for some changes of this port itself.
   */
  watchKernel(heard: () => void): () => void

  /**
   * A UDP socket bound to one device (SO_BINDTODEVICE, socket(7)) and port, broadcast allowed. The
   * kernel guarantees that what it receives came through that link. The caller closes it.
   */
  bindUdp(link: string, port: number): Promise<LinkSocket>
  /** Of the services at the host's addresses in this namespace. */
  readonly sockets: ServiceSockets
  /** The same for another process, which cannot make them. */
  readonly descriptors: ServiceDescriptors

  close(): Promise<void>
}

/** Where packets for a floating IP go. */
export interface FloatingIpRoute {
  readonly address: Ipv4
  /** By name. Where the address is translated here, a device that leads nowhere. */
  readonly link: string
  /** The next hop, in the namespace of a VPC; null: none. */
  readonly via: Ipv4 | null
  /** That of its pool. Where no network has the address, it is answered for on that link. */
  readonly gateway?: Ipv4 | undefined
}

/** Where packets for the stand-ins of a NIC go: by the link to the namespace of its VPC. */
export interface StandInRoute {
  readonly net: Cidr
  readonly link: string
  readonly via: Ipv4
}

type AnsweredIp = Pick<FloatingIpRoute, 'address' | 'gateway'>

/** By which gateway the packets of a source leave. */
export interface PoolGatewayRoute {
  readonly source: Ipv4
  readonly gateway: Ipv4
}

/**
 * The machine. What it inherits is of the machine's own network namespace, except that a NIC is in
 * the namespace which its spec names.
 */
export interface Host extends NamespaceHost {
  /**
   * Makes the floating IPs that this host answers for equal to these: a route for each, and proxy
   * ARP where the network of the address is. What has just come is announced there (RFC 5227,
   * section 3), so that neighbours forget who had it. Returns what came and went.
   */
  ensureFloatingIps(
    routes: readonly FloatingIpRoute[],
  ): Promise<{ readonly came: readonly Ipv4[]; readonly went: readonly Ipv4[] }>
  /** An address of the link of the default route; null without one. */
  ownAddress(): Promise<Ipv4 | null>
  /**
   * Makes packets of these sources leave by these gateways, and of no others. Returns what it
   * changed.
   */
  ensurePoolGateways(routes: readonly PoolGatewayRoute[]): Promise<readonly string[]>
  /**
   * Makes the routes to stand-ins equal to these. One whose link is not there yet is left out.
   * Returns what it changed.
   */
  ensureStandInRoutes(routes: readonly StandInRoute[]): Promise<readonly string[]>
  /** Announces these of them once more: an announcement may be lost. */
  announceFloatingIps(addresses: readonly AnsweredIp[]): Promise<void>
  /** Which of these another machine answers for on its network. Takes two seconds. */
  answeredElsewhere(addresses: readonly AnsweredIp[]): Promise<readonly Ipv4[]>

  /**
   * Limits how much of the machine's shared tables the user namespace of process `pid` may use, and
   * sets its domain name. Errors: `unavailable`.
   */
  limitUserNamespace(pid: number, limits: InstanceLimits, domain: string): Promise<void>

  /** This and the next two: as in `NamespaceHost`, of a NIC in the namespace of a VPC. */
  openTap(hostLink: string, network?: number): Promise<OpenFile>
  reattachTap(hostLink: string, holder: TapHolder, network?: number): Promise<boolean>
  removeNic(hostLink: string, network?: number): Promise<void>
  /**
   * A UNIX socket that listens at `path`, to which only its owner may connect. Replaces the socket
   * of a process that has ended.
   */
  listenUnix(path: string): Promise<OpenFile>
  /** A connection with another process, and its end of it; each end is closed by itself. */
  pairedUnix(): { readonly here: Connection; readonly there: OpenFile }
  /**
   * Sends bytes over a connected UNIX socket, together with a copy of a descriptor. Nothing else
   * may wait to be sent.
   */
  sendDescriptor(socket: Connection, bytes: Uint8Array, fd: number): void
  readonly vpcs: VpcNamespaces
}

/** Network namespaces of VPCs, by the VPC's number. They outlive this process. */
export interface VpcNamespaces {
  /** Those that there are. */
  list(): Promise<readonly number[]>
  /** Those of the given whose namespace, as this process has it open, still has its name. */
  named(networks: readonly number[]): ReadonlySet<number>
  /** Those of the given whose link to the machine's own namespace is right on this side. */
  linked(networks: readonly number[]): Promise<ReadonlySet<number>>
  /**
   * Makes a namespace, its name, and its link to the machine's own (`model/transit.ts`), or repairs
   * them. Returns the port in it, which is the same as long as the namespace is, and what it
   * changed.
   */
  ensure(network: number): Promise<{
    readonly host: NamespaceHost
    readonly changed: readonly string[]
  }>
  /** The port in a namespace that `ensure` has made or found; undefined before. */
  opened(network: number): NamespaceHost | undefined
  /**
   * Makes the links of a namespace that `ensure` has returned to those of peers that are ready, and
   * removes its links to all others but peers. Returns what it changed. If the kernel refuses some,
   * the others are made first; then it rejects.
   */
  ensurePeerLinks(
    own: PeerNetwork,
    peers: readonly (PeerNetwork & { readonly isReady: boolean })[],
  ): Promise<readonly string[]>
  /** Closes the port in a namespace, removes its NICs, its link and its name. */
  remove(network: number): Promise<void>
}
