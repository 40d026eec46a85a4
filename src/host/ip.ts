/**
 * Links, addresses, routes and neighbours of one network namespace, through rtnetlink and in our own words.
 *
 * This is the only file that knows how the `netlink` package lays out its messages. IPv4 only: instances speak nothing else.
 * Errors: `NetlinkError` with the kernel's errno; the callers in this room wrap it.
 */
import { AttrStream, FlagsNew, ifla, parseAttributes, rt } from 'netlink'
import type { Ipv4, Mac } from '../model/addr.ts'
import { formatMacBytes, ipv4FromBytes, ipv4ToBytes, macToBytes } from '../model/addr.ts'
import { errnoCode } from './libc.ts'
import type { Netlink } from './netlink.ts'

/** A link as the kernel has it. */
export interface LinkState {
  readonly index: number
  readonly name: string
  readonly mac: string
  readonly mtu: number
  readonly up: boolean
  /** Index of the other end of a veth pair, in the other end's namespace. */
  readonly peerIndex: number | null
  readonly peerElsewhere: boolean
  /** IPv4 settings: that with `IPV4_DEVCONF` number n (linux/ip.h, counted from 1) is at index n - 1. */
  readonly ipv4Settings: Uint32Array
  /** Null where the kernel has no IPv6. */
  readonly ipv6Disabled: boolean | null
}

export interface AddressState {
  readonly index: number
  readonly ip: Ipv4
  readonly prefix: number
}

export type RouteKind = 'unicast' | 'unreachable'

export interface RouteState {
  readonly kind: RouteKind
  readonly destination: Ipv4
  readonly prefix: number
  readonly protocol: number
  /** Outgoing link; 0 when it has none. */
  readonly index: number
  readonly via: Ipv4 | null
  readonly source: Ipv4 | null
}

export interface NeighbourState {
  readonly index: number
  readonly ip: Ipv4
  readonly mac: string
  readonly permanent: boolean
}

/** A route to make. It goes to the main table. */
export interface RouteSpec {
  readonly kind: RouteKind
  readonly destination: Ipv4
  readonly prefix: number
  readonly protocol: number
  readonly index?: number
  readonly via?: Ipv4
  readonly source?: Ipv4
  /** Lower wins among routes to the same destination; 0 when left out. */
  readonly metric?: number
}

/** What to change about a link, by index. `namespaceFd` moves it; a new `name` then holds over there. */
export interface LinkChange {
  readonly up?: boolean
  readonly mtu?: number
  readonly mac?: Mac
  readonly name?: string
  readonly namespaceFd?: number
}

export interface Ip {
  links(): Promise<readonly LinkState[]>
  /** One link by name, or undefined. */
  link(name: string): Promise<LinkState | undefined>
  addresses(): Promise<readonly AddressState[]>
  /** Routes of the main table. */
  routes(): Promise<readonly RouteState[]>
  neighbours(): Promise<readonly NeighbourState[]>

  addBridge(name: string): Promise<void>
  /** A veth pair, both ends in this namespace and down. */
  addVeth(pair: {
    readonly name: string
    readonly mac: Mac
    readonly peerName: string
    readonly peerMac: Mac
    readonly mtu: number
  }): Promise<void>
  setLink(index: number, change: LinkChange): Promise<void>
  deleteLink(name: string): Promise<void>
  addAddress(index: number, ip: Ipv4, prefix: number): Promise<void>
  /** Absent is well, here and with every deletion but that of a link. */
  deleteAddress(address: AddressState): Promise<void>
  /** Adds the route or replaces the one with the same destination and metric. */
  replaceRoute(route: RouteSpec): Promise<void>
  deleteRoute(route: RouteState): Promise<void>
  /** A permanent entry: it is never resolved, never ages. */
  replaceNeighbour(index: number, ip: Ipv4, mac: Mac): Promise<void>
  deleteNeighbour(index: number, ip: Ipv4): Promise<void>
  close(): void
}

const AF_INET = 2
const AF_INET6 = 10
const MAIN_TABLE = 254
/** Offset of the index in struct ifinfomsg, with the flags behind it, and the size of the struct. */
const IFINFO_INDEX = 4
const IFINFO_BYTES = 16
const IFF_UP = 1
/** IFLA_… attribute numbers. */
const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  peer: 5,
  familySettings: 26,
  peerNamespace: 37,
} as const
/** IFLA_INET_CONF (linux/if_link.h): all of one link's IPv4 settings. */
const INET_CONF = 1
/** IFLA_INET6_CONF and DEVCONF_DISABLE_IPV6 (linux/if_link.h, linux/ipv6.h). */
const INET6_CONF = 2
const INET6_CONF_DISABLE = 26
/** RTEXT_FILTER_SKIP_STATS: a dump without counters is a third of the size. */
const SKIP_STATISTICS = 8
/** VETH_INFO_PEER (linux/veth.h): the other end, as a whole link message. */
const VETH_PEER = 1
const CREATE = FlagsNew.CREATE | FlagsNew.EXCL
const REPLACE = FlagsNew.CREATE | FlagsNew.REPLACE

/** The namespace behind `netlink`. Closing it closes the socket. */
export function createIp(netlink: Netlink): Ip {
  const requestLink = (type: rt.MessageType, data: rt.Link, attrs: ifla.LinkAttrs, flags = 0) =>
    netlink.request(type, encodeLink(data, attrs), flags)
  const requestAddress = (type: rt.MessageType, address: AddressState, flags = 0) =>
    netlink.request(type, encodeAddress(address), flags)
  const requestRoute = (type: rt.MessageType, route: RouteSpec, flags = 0) =>
    netlink.request(type, encodeRoute(route), flags)
  const neighbour = (type: rt.MessageType, index: number, ip: Ipv4, mac: Mac | null, flags = 0) =>
    netlink.request(type, encodeNeighbour(index, ip, mac), flags)

  return {
    links: async () => {
      const attrs = { extMask: uint32(SKIP_STATISTICS) }
      const found = await netlink.dump(rt.MessageType.GETLINK, encodeLink({}, attrs))
      return found.flatMap(readable(decodeLink))
    },
    link: async (name) => {
      try {
        const payload = encodeLink({}, { ifname: name, extMask: uint32(SKIP_STATISTICS) })
        return decodeLink(await netlink.get(rt.MessageType.GETLINK, payload))[0]
      } catch (error) {
        if (errnoCode(error) === 'ENODEV') return undefined
        throw error
      }
    },
    addresses: async () => {
      const out = new AttrStream()
      rt.formatAddressMessage({ kind: 'address', data: { family: AF_INET }, attrs: {} }, out)
      return (await netlink.dump(rt.MessageType.GETADDR, out.bufs)).flatMap(readable(decodeAddress))
    },
    routes: async () => {
      const out = new AttrStream()
      rt.formatRouteMessage({ kind: 'route', data: { family: AF_INET }, attrs: {} }, out)
      return (await netlink.dump(rt.MessageType.GETROUTE, out.bufs)).flatMap(readable(decodeRoute))
    },
    neighbours: async () => {
      const out = new AttrStream()
      rt.formatNeighborMessage({ kind: 'neighbor', data: { family: AF_INET }, attrs: {} }, out)
      return (await netlink.dump(rt.MessageType.GETNEIGH, out.bufs)).flatMap(
        readable(decodeNeighbour),
      )
    },

    addBridge: (name) =>
      requestLink(
        rt.MessageType.NEWLINK,
        {},
        { ifname: name, linkinfo: linkInfo('bridge') },
        CREATE,
      ),
    addVeth: (pair) => {
      const peer = encodeLink(
        {},
        { ifname: pair.peerName, address: bytesOf(pair.peerMac), mtu: pair.mtu },
      )
      const linkinfo = linkInfo('veth', attribute(VETH_PEER, peer))
      const attrs = { ifname: pair.name, address: bytesOf(pair.mac), mtu: pair.mtu, linkinfo }
      return requestLink(rt.MessageType.NEWLINK, {}, attrs, CREATE)
    },
    setLink: (index, change) => {
      const flags: rt.Link =
        change.up === undefined
          ? {}
          : { flags: change.up ? { up: true } : {}, change: { up: true } }
      return requestLink(
        rt.MessageType.NEWLINK,
        { index, ...flags },
        {
          ...(change.mtu === undefined ? {} : { mtu: change.mtu }),
          ...(change.mac === undefined ? {} : { address: bytesOf(change.mac) }),
          ...(change.name === undefined ? {} : { ifname: change.name }),
          ...(change.namespaceFd === undefined ? {} : { netNsFd: change.namespaceFd }),
        },
      )
    },
    deleteLink: (name) => requestLink(rt.MessageType.DELLINK, {}, { ifname: name }),
    addAddress: (index, ip, prefix) =>
      requestAddress(rt.MessageType.NEWADDR, { index, ip, prefix }, REPLACE),
    deleteAddress: (address) => absentIsWell(requestAddress(rt.MessageType.DELADDR, address)),
    replaceRoute: (route) => requestRoute(rt.MessageType.NEWROUTE, route, REPLACE),
    deleteRoute: ({ via, source, index, ...route }) =>
      absentIsWell(
        requestRoute(rt.MessageType.DELROUTE, {
          ...route,
          ...(index === 0 ? {} : { index }),
          ...(via === null ? {} : { via }),
          ...(source === null ? {} : { source }),
        }),
      ),
    replaceNeighbour: (index, ip, mac) =>
      neighbour(rt.MessageType.NEWNEIGH, index, ip, mac, REPLACE),
    deleteNeighbour: (index, ip) =>
      absentIsWell(neighbour(rt.MessageType.DELNEIGH, index, ip, null)),
    close: () => netlink.close(),
  }
}

/** What was to be deleted may be gone already: each kind of object has an errno of its own for that. */
async function absentIsWell(deletion: Promise<void>): Promise<void> {
  try {
    await deletion
  } catch (error) {
    if (!['ENOENT', 'ESRCH', 'EADDRNOTAVAIL'].includes(errnoCode(error) ?? '')) throw error
  }
}

function bytesOf(mac: Mac): Buffer {
  return Buffer.from(macToBytes(mac))
}

function addressBytes(ip: Ipv4): Buffer {
  return Buffer.from(ipv4ToBytes(ip))
}

/** Netlink numbers are in the machine's own byte order. */
function uint32(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer)
}

/** The unsigned 32-bit numbers of an attribute whose payload is an array of them; copied, because the payload may lie unaligned. */
function uint32s(bytes: Buffer): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 4))
}

function attribute(type: number, payload: Uint8Array[]): Buffer {
  const out = new AttrStream()
  out.push(type, payload)
  return Buffer.concat(out.bufs)
}

function linkInfo(kind: string, data?: Buffer): Buffer {
  const out = new AttrStream()
  out.emit(ifla.formatInfo(data === undefined ? { kind } : { kind, data }))
  return Buffer.concat(out.bufs)
}

function encodeLink(data: rt.Link, attrs: ifla.LinkAttrs): Uint8Array[] {
  const out = new AttrStream()
  rt.formatLinkMessage({ kind: 'link', data, attrs }, out)
  return out.bufs
}

function encodeAddress({ index, ip, prefix }: AddressState): Uint8Array[] {
  const out = new AttrStream()
  const bytes = addressBytes(ip)
  const data = { family: AF_INET, prefixlen: prefix, index }
  rt.formatAddressMessage({ kind: 'address', data, attrs: { local: bytes, address: bytes } }, out)
  return out.bufs
}

function encodeRoute(route: RouteSpec): Uint8Array[] {
  const out = new AttrStream()
  const onLink = route.kind === 'unicast' && route.via === undefined
  const data: rt.Route = {
    family: AF_INET,
    dstLen: route.prefix,
    table: MAIN_TABLE,
    protocol: route.protocol,
    scope: onLink ? rt.RouteScope.LINK : rt.RouteScope.UNIVERSE,
    type: route.kind === 'unicast' ? rt.RouteType.UNICAST : rt.RouteType.UNREACHABLE,
  }
  const attrs: rt.RouteAttrs = {
    ...(route.prefix === 0 ? {} : { dst: addressBytes(route.destination) }),
    ...(route.index === undefined ? {} : { oif: route.index }),
    ...(route.via === undefined ? {} : { gateway: addressBytes(route.via) }),
    ...(route.source === undefined ? {} : { prefsrc: addressBytes(route.source) }),
    ...(route.metric === undefined ? {} : { priority: route.metric }),
  }
  rt.formatRouteMessage({ kind: 'route', data, attrs }, out)
  return out.bufs
}

function encodeNeighbour(index: number, ip: Ipv4, mac: Mac | null): Uint8Array[] {
  const out = new AttrStream()
  const data = { family: AF_INET, ifindex: index, state: { permanent: true } as const }
  const lladdr = mac === null ? {} : { lladdr: bytesOf(mac) }
  rt.formatNeighborMessage(
    { kind: 'neighbor', data, attrs: { dst: addressBytes(ip), ...lladdr } },
    out,
  )
  return out.bufs
}

/**
 * A dump shows everybody's objects, and the package refuses a message with an attribute of an unexpected length. Such an object is
 * none of ours and is passed over: somebody's exotic link must not blind the daemon to its own.
 */
function readable<T>(decode: (message: Buffer) => readonly T[]): (message: Buffer) => readonly T[] {
  return (message) => {
    try {
      return decode(message)
    } catch {
      return []
    }
  }
}

/**
 * By hand, because the package decodes every attribute of every link, counters and all: at a thousand NICs that was most of a
 * pass. Layout: struct ifinfomsg (linux/rtnetlink.h), then attributes (linux/if_link.h).
 */
function decodeLink(message: Buffer): readonly LinkState[] {
  const [index, flags] = uint32s(message.subarray(IFINFO_INDEX, IFINFO_INDEX + 8))
  const attrs = attributesOf(message.subarray(IFINFO_BYTES))
  const name = attrs.get(IFLA.name)
  if (index === undefined || flags === undefined || name === undefined) return []
  const settings = attrs.get(IFLA.familySettings)
  const families = settings === undefined ? new Map<number, Buffer>() : attributesOf(settings)
  return [
    {
      index,
      name: name.toString('utf8', 0, name.length - 1),
      mac: formatMacBytes(attrs.get(IFLA.address) ?? Buffer.alloc(0)),
      mtu: numberIn(attrs.get(IFLA.mtu)) ?? 0,
      up: (flags & IFF_UP) !== 0,
      peerIndex: numberIn(attrs.get(IFLA.peer)) ?? null,
      peerElsewhere: attrs.has(IFLA.peerNamespace),
      ipv4Settings: nestedNumbers(families.get(AF_INET), INET_CONF),
      ipv6Disabled: ipv6Disabled(families.get(AF_INET6)),
    },
  ]
}

function attributesOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  parseAttributes(bytes, (item) => found.set(item.type, item.data))
  return found
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

function decodeAddress(message: Buffer): readonly AddressState[] {
  const { data, attrs } = rt.parseAddressMessage(message)
  const bytes = attrs.local ?? attrs.address
  if (data.family !== AF_INET || bytes === undefined || data.index === undefined) return []
  return [{ index: data.index, ip: ipv4FromBytes(bytes), prefix: data.prefixlen ?? 32 }]
}

function decodeRoute(message: Buffer): readonly RouteState[] {
  const { data, attrs } = rt.parseRouteMessage(message)
  const table = attrs.table ?? data.table
  const kind = routeKind(data.type)
  if (data.family !== AF_INET || table !== MAIN_TABLE || kind === undefined) return []
  return [
    {
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

/** The package names the protocols it knows and leaves the others as numbers. */
function routeProtocol(protocol: rt.Route['protocol']): number {
  return typeof protocol === 'string' ? rt.RouteProtocol[protocol] : (protocol ?? 0)
}

function routeKind(type: rt.Route['type']): RouteKind | undefined {
  if (type === rt.RouteType.UNICAST || type === 'UNICAST') return 'unicast'
  if (type === rt.RouteType.UNREACHABLE || type === 'UNREACHABLE') return 'unreachable'
  return undefined
}

function decodeNeighbour(message: Buffer): readonly NeighbourState[] {
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
