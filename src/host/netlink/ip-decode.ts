/**
 * Decodes the kernel's messages about links, addresses, routes and neighbours (rtnetlink(7)). Pure.
 *
 * IPv4 only, because instances have nothing else.
 */
import { ifla, rt } from 'netlink'
import type { Ipv4 } from '../../model/addr.ts'
import { formatMacBytes, ipv4FromBytes } from '../../model/addr.ts'
import { ROUTE_PROTOCOL } from '../../model/names.ts'
import { attributesOf } from './attributes.ts'

/** A link. */
export interface LinkState {
  readonly index: number
  readonly name: string
  readonly mac: string
  readonly mtu: number
  readonly up: boolean
  /** Index of the other end of a veth pair, in the other end's namespace. */
  /** Whether it can carry packets (IFF_LOWER_UP, netdevice(7)). */
  readonly carrier: boolean
  readonly peerIndex: number | null
  readonly peerElsewhere: boolean
  /**
   * IPv4 settings. The one with `IPV4_DEVCONF` number n (linux/ip.h, counted from 1) has index n -
   * 1.
   */
  readonly ipv4Settings: Uint32Array
  /** Null if the kernel has no IPv6. */
  readonly ipv6Disabled: boolean | null
  /** What somebody has noted at it (`ip link set … alias`). Absent: nothing. */
  readonly alias?: string
}

/** An address. */
export interface AddressState {
  readonly index: number
  readonly ip: Ipv4
  readonly prefix: number
}

/** Whether packets are forwarded, or rejected with an ICMP error. */
/** `throw`: the table has no route, and the next rule is asked. */
export type RouteKind = 'unicast' | 'unreachable' | 'throw'

/** A route. */
export interface RouteState {
  readonly kind: RouteKind
  readonly destination: Ipv4
  readonly prefix: number
  readonly protocol: number
  /** Outgoing link. 0 if it has none. */
  readonly index: number
  readonly via: Ipv4 | null
  readonly source: Ipv4 | null
  /** Absent: the main table. */
  readonly table?: number
}

/** A next hop of a route, in any table. */
export interface HopState {
  readonly network: Ipv4
  readonly prefix: number
  readonly protocol: number
  readonly index: number
  readonly gateway: Ipv4 | null
}

/** A neighbour entry. */
export interface NeighbourState {
  readonly index: number
  readonly ip: Ipv4
  readonly mac: string
  readonly permanent: boolean
}

/** An address that the host answers ARP for on a link. */
export interface ProxyState {
  readonly index: number
  readonly ip: Ipv4
}

/** The settings of a VXLAN device. */
export interface VxlanState {
  readonly vni: number
  readonly local: Ipv4 | null
  readonly port: number
  readonly learns: boolean
}

/**
 * An entry of a VXLAN device's forwarding database: the host behind which an Ethernet address is.
 */
export interface ForwardingState {
  readonly index: number
  readonly mac: string
  /** Null for an entry without a host. */
  readonly destination: Ipv4 | null
}

/** Address family numbers (linux/socket.h). */
export const AF_INET = 2
const AF_INET6 = 10
/** The family of forwarding databases of bridges and VXLAN devices. */
export const AF_BRIDGE = 7
/** The main routing table (rtnetlink(7)). */
export const MAIN_TABLE = 254
/** Offset of the index in struct ifinfomsg, which the flags follow, and the size of the struct. */
const IFINFO_INDEX = 4
const IFINFO_BYTES = 16
const IFF_UP = 1
const IFF_LOWER_UP = 0x10000
/** IFLA_… attribute numbers. */
const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  peer: 5,
  linkInfo: 18,
  alias: 20,
  familySettings: 26,
  peerNamespace: 37,
} as const
/** IFLA_INET_CONF (linux/if_link.h): all IPv4 settings of a link. */
const INET_CONF = 1
/** IFLA_INET6_CONF and DEVCONF_DISABLE_IPV6 (linux/if_link.h, linux/ipv6.h). */
const INET6_CONF = 2
const INET6_CONF_DISABLE = 26

/**
 * Skips an object that cannot be decoded. A dump contains objects of others, and the package throws
 * for an attribute of unexpected length. Such an object is not ours, and must not prevent reading
 * our own.
 */
export function readable<T>(
  decode: (message: Buffer) => readonly T[],
): (message: Buffer) => readonly T[] {
  return (message) => {
    try {
      return decode(message)
    } catch {
      return []
    }
  }
}

/**
 * Decodes a link. This does not use the package, which decodes every attribute of every link,
 * including counters: at a thousand NICs that took most of a pass. Layout: struct ifinfomsg
 * (linux/rtnetlink.h), then attributes (linux/if_link.h).
 */
export function decodeLink(message: Buffer): readonly LinkState[] {
  const [index, flags] = uint32s(message.subarray(IFINFO_INDEX, IFINFO_INDEX + 8))
  const attrs = attributesOf(message.subarray(IFINFO_BYTES))
  const name = attrs.get(IFLA.name)
  if (index === undefined || flags === undefined || name === undefined) return []
  const settings = attrs.get(IFLA.familySettings)
  const alias = attrs.get(IFLA.alias)
  const families = settings === undefined ? new Map<number, Buffer>() : attributesOf(settings)
  return [
    {
      index,
      name: name.toString('utf8', 0, name.length - 1),
      mac: formatMacBytes(attrs.get(IFLA.address) ?? Buffer.alloc(0)),
      mtu: numberIn(attrs.get(IFLA.mtu)) ?? 0,
      up: (flags & IFF_UP) !== 0,
      carrier: (flags & IFF_LOWER_UP) !== 0,
      peerIndex: numberIn(attrs.get(IFLA.peer)) ?? null,
      peerElsewhere: attrs.has(IFLA.peerNamespace),
      ipv4Settings: nestedNumbers(families.get(AF_INET), INET_CONF),
      ipv6Disabled: ipv6Disabled(families.get(AF_INET6)),
      ...(alias === undefined ? {} : { alias: alias.toString('utf8').replace(/\0.*$/, '') }),
    },
  ]
}

/** The VXLAN settings in a link message. Undefined for other kinds of device. */
export function decodeVxlan(message: Buffer): VxlanState | undefined {
  const linkInfo = attributesOf(message.subarray(IFINFO_BYTES)).get(IFLA.linkInfo)
  if (linkInfo === undefined) return undefined
  const { kind, data } = ifla.parseInfo(linkInfo)
  if (kind !== 'vxlan' || data === undefined) return undefined
  const { id, local, port, learning } = ifla.parseVxlan(data)
  return {
    vni: id ?? 0,
    local: local === undefined ? null : ipv4FromBytes(local),
    port: port?.readUInt16BE() ?? 0,
    learns: learning !== 0,
  }
}

/** The forwarding entry in a message. */
export function decodeForwarding(message: Buffer): readonly ForwardingState[] {
  const { data, attrs } = rt.parseNeighborMessage(message)
  if (data.family !== AF_BRIDGE || attrs.lladdr === undefined || data.ifindex === undefined)
    return []
  const destination = attrs.dst?.length === 4 ? ipv4FromBytes(attrs.dst) : null
  return [{ index: data.ifindex, mac: formatMacBytes(attrs.lladdr), destination }]
}

function numberIn(bytes: Buffer | undefined): number | undefined {
  return bytes === undefined ? undefined : uint32s(bytes)[0]
}

function nestedNumbers(nested: Buffer | undefined, type: number): Uint32Array {
  const numbers = nested === undefined ? undefined : attributesOf(nested).get(type)
  return uint32s(numbers ?? Buffer.alloc(0))
}

function ipv6Disabled(nested: Buffer | undefined): boolean | null {
  const value = nestedNumbers(nested, INET6_CONF)[INET6_CONF_DISABLE]
  return value === undefined ? null : value !== 0
}

/** The address in a message. Nothing if it is not IPv4. */
export function decodeAddress(message: Buffer): readonly AddressState[] {
  const { data, attrs } = rt.parseAddressMessage(message)
  const bytes = attrs.local ?? attrs.address
  if (data.family !== AF_INET || bytes === undefined || data.index === undefined) return []
  return [{ index: data.index, ip: ipv4FromBytes(bytes), prefix: data.prefixlen ?? 32 }]
}

/** The route in a message. Nothing if it is not a plain one of the main table. */
export function decodeRoute(message: Buffer): readonly RouteState[] {
  return decodeAnyRoute(message).filter(({ table }) => table === undefined)
}

/** A route of ours, with this protocol number, in another table than the main one. */
export function decodeTableRoute(protocol: number): (message: Buffer) => readonly RouteState[] {
  return (message) =>
    decodeAnyRoute(message).filter(
      (route) => route.table !== undefined && route.protocol === protocol,
    )
}

function decodeAnyRoute(message: Buffer): readonly RouteState[] {
  const { data, attrs } = rt.parseRouteMessage(message)
  const table = Number(attrs.table ?? data.table)
  const kind = routeKind(data.type)
  if (data.family !== AF_INET || kind === undefined) return []
  return [
    {
      ...(table === MAIN_TABLE ? {} : { table }),
      kind,
      destination: ipv4FromBytes(attrs.dst ?? Buffer.alloc(4)),
      prefix: data.dstLen ?? 0,
      protocol: routeProtocol(data.protocol),
      index: attrs.oif ?? 0,
      via: attrs.gateway === undefined ? null : ipv4FromBytes(attrs.gateway),
      source: attrs.prefsrc === undefined ? null : ipv4FromBytes(attrs.prefsrc),
    },
  ]
}

/**
 * Size of struct rtmsg and of struct rtnexthop (linux/rtnetlink.h), and RTA_… attribute numbers.
 */
const RTMSG_BYTES = 12
const NEXTHOP_BYTES = 8
const RTA = { destination: 1, link: 4, gateway: 5, multipath: 9, via: 18 } as const
const RTN_UNICAST = 1

/**
 * The next hops of a route. Those with a gateway of another family are left out. This does not use
 * the package, as with links: a router has many routes.
 */
export function decodeHops(message: Buffer): readonly HopState[] {
  const [family, prefix = 0, , , , protocol = 0, , type] = message
  if (family !== AF_INET || type !== RTN_UNICAST) return []
  const attrs = attributesOf(message.subarray(RTMSG_BYTES))
  const route = {
    network: ipv4FromBytes(attrs.get(RTA.destination) ?? Buffer.alloc(4)),
    prefix,
    protocol,
  }
  const paths = attrs.get(RTA.multipath)
  if (paths === undefined) return hopOf(route, numberIn(attrs.get(RTA.link)), attrs)
  const hops: HopState[] = []
  for (let at = 0; at + NEXTHOP_BYTES <= paths.length; ) {
    const bytes = Math.max(NEXTHOP_BYTES, uint16(paths, at))
    const index = numberIn(paths.subarray(at + 4, at + NEXTHOP_BYTES))
    hops.push(...hopOf(route, index, attributesOf(paths.subarray(at + NEXTHOP_BYTES, at + bytes))))
    at += (bytes + 3) & ~3
  }
  return hops
}

function hopOf(
  route: Pick<HopState, 'network' | 'prefix' | 'protocol'>,
  index: number | undefined,
  attrs: ReadonlyMap<number, Buffer>,
): readonly HopState[] {
  if (index === undefined || attrs.has(RTA.via)) return []
  const gateway = attrs.get(RTA.gateway)
  return [{ ...route, index, gateway: gateway === undefined ? null : ipv4FromBytes(gateway) }]
}

function uint16(bytes: Buffer, at: number): number {
  return new Uint16Array(new Uint8Array(bytes.subarray(at, at + 2)).buffer)[0] ?? 0
}

/** Index of the link with a clsact queueing discipline (struct tcmsg). Nothing for other kinds. */
export function decodeClsact(message: Buffer): readonly number[] {
  const kind = attributesOf(message.subarray(TCMSG_BYTES)).get(TCA_KIND)
  const index = numberIn(message.subarray(4, 8))
  return kind?.toString('latin1') === 'clsact\0' && index !== undefined ? [index] : []
}

/** The name of a classifier's program (`TCA_BPF_NAME`). Nothing for other kinds. */
export function decodeClassifier(message: Buffer): readonly string[] {
  const attributes = attributesOf(message.subarray(TCMSG_BYTES))
  const options = attributes.get(TCA_OPTIONS)
  if (attributes.get(TCA_KIND)?.toString('latin1') !== 'bpf\0' || options === undefined) return []
  const name = attributesOf(options).get(TCA_BPF_NAME)
  return name === undefined ? [] : [name.toString('utf8').replace(/\0$/, '')]
}

const TCMSG_BYTES = 20
const TCA_KIND = 1
const TCA_OPTIONS = 2
const TCA_BPF_NAME = 7

/** The package names the protocols that it knows, and returns others as numbers. */
function routeProtocol(protocol: rt.Route['protocol']): number {
  return typeof protocol === 'string' ? rt.RouteProtocol[protocol] : (protocol ?? 0)
}

function routeKind(type: rt.Route['type']): RouteKind | undefined {
  if (type === rt.RouteType.UNICAST || type === 'UNICAST') return 'unicast'
  if (type === rt.RouteType.UNREACHABLE || type === 'UNREACHABLE') return 'unreachable'
  if (type === rt.RouteType.THROW || type === 'THROW') return 'throw'
  return undefined
}

/** The neighbour in a message. Nothing if it is not IPv4. */
export function decodeNeighbour(message: Buffer): readonly NeighbourState[] {
  const { data, attrs } = rt.parseNeighborMessage(message)
  if (data.family !== AF_INET || attrs.dst === undefined || data.ifindex === undefined) return []
  return [
    {
      index: data.ifindex,
      ip: ipv4FromBytes(attrs.dst),
      mac: formatMacBytes(attrs.lladdr ?? Buffer.alloc(0)),
      permanent: data.state?.permanent === true,
    },
  ]
}

/** An entry of ours for proxy ARP. */
export function decodeProxy(message: Buffer): readonly ProxyState[] {
  const { data, attrs } = rt.parseNeighborMessage(message)
  const isOurs = data.flags?.proxy === true && attrs.protocol?.[0] === ROUTE_PROTOCOL
  if (!isOurs || attrs.dst === undefined || data.ifindex === undefined) return []
  return data.family === AF_INET ? [{ index: data.ifindex, ip: ipv4FromBytes(attrs.dst) }] : []
}

/**
 * The unsigned 32-bit numbers in an attribute's payload. Copied, because the payload may be
 * unaligned.
 */
function uint32s(bytes: Buffer): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 4))
}
