/**
 * Encodes requests to the kernel: rtnetlink(7) messages for links, addresses, routes and
 * neighbours. Pure.
 *
 * The `netlink` package lays out the fields. This file knows which fields a request needs.
 */
import { AttrStream, ifla, rt } from 'netlink'
import type { Ipv4, Mac } from '../../model/addr.ts'
import { ipv4ToBytes, macToBytes } from '../../model/addr.ts'
import { ROUTE_PROTOCOL } from '../../model/names.ts'
import { uint32 } from './attributes.ts'
import type { AddressState, RouteKind } from './ip-decode.ts'
import { AF_BRIDGE, AF_INET, MAIN_TABLE } from './ip-decode.ts'

/** A route to create, in the main table by default. */
export interface RouteSpec {
  readonly kind: RouteKind
  readonly destination: Ipv4
  readonly prefix: number
  readonly protocol: number
  readonly index?: number
  readonly via?: Ipv4
  /** Treat the next hop as reachable through the link, whatever addresses the link has. */
  readonly onLink?: boolean
  readonly source?: Ipv4
  /** The lowest wins among routes to the same destination. 0 by default. */
  readonly metric?: number
  /** Below 256. The main table by default. */
  readonly table?: number
}

/**
 * What to change of a link. `namespaceFd` moves it; a new `name` then applies in the new namespace.
 */
export interface LinkChange {
  readonly up?: boolean
  readonly mtu?: number
  readonly mac?: Mac
  readonly name?: string
  readonly namespaceFd?: number
  readonly alias?: string
}

/** A veth pair to create. */
export interface VethSpec {
  readonly name: string
  readonly mac: Mac
  readonly peerName: string
  readonly peerMac: Mac
  readonly mtu: number
}

/**
 * A VXLAN device to create. It learns nothing, and its only destinations are forwarding entries.
 */
export interface VxlanSpec {
  readonly name: string
  readonly mac: Mac
  readonly mtu: number
  readonly vni: number
  /** Source address of its packets. */
  readonly local: Ipv4
  /** UDP port, on all hosts. */
  readonly port: number
}

/** The payload of a message, in pieces. */
export type Payload = Uint8Array[]

/** RTEXT_FILTER_SKIP_STATS: without counters, a dump has a third of the size. */
const SKIP_STATISTICS = 8
/** RTNH_F_ONLINK (linux/rtnetlink.h): a flag of the next hop, stored among the route's flags. */
const NEXT_HOP_ON_LINK = 4
/** VETH_INFO_PEER (linux/veth.h): the other end, as a complete link message. */
const VETH_PEER = 1

/** Queries one link by name, or all links. */
export function encodeLinkQuery(name?: string): Payload {
  const extMask = uint32(SKIP_STATISTICS)
  return encodeLink({}, name === undefined ? { extMask } : { extMask, ifname: name })
}

/** Queries one link by index. */
export function encodeLinkAt(index: number): Payload {
  return encodeLink({ index }, { extMask: uint32(SKIP_STATISTICS) })
}

/** Queries all objects of one kind, IPv4 only. */
export function encodeQuery(kind: 'address' | 'route'): Payload {
  const out = new AttrStream()
  const message = { data: { family: AF_INET }, attrs: {} }
  if (kind === 'address') rt.formatAddressMessage({ kind, ...message }, out)
  else rt.formatRouteMessage({ kind, ...message }, out)
  return out.bufs
}

/** Names a link to delete. */
export function encodeLinkName(name: string): Payload {
  return encodeLink({}, { ifname: name })
}

/** A bridge without ports. */
export function encodeBridge(name: string): Payload {
  return encodeLink({}, { ifname: name, linkinfo: linkInfo('bridge') })
}

/** A veth pair with both ends in the socket's namespace. */
export function encodeVeth({ name, mac, peerName, peerMac, mtu }: VethSpec): Payload {
  const peer = encodeLink({}, { ifname: peerName, address: bytesOf(peerMac), mtu })
  const linkinfo = linkInfo('veth', attribute(VETH_PEER, peer))
  return encodeLink({}, { ifname: name, address: bytesOf(mac), mtu, linkinfo })
}

/** A VXLAN device, down. */
export function encodeVxlan({ name, mac, mtu, vni, local, port }: VxlanSpec): Payload {
  const settings = new AttrStream()
  settings.emit(
    ifla.formatVxlan({ id: vni, local: addressBytes(local), learning: 0, port: uint16Be(port) }),
  )
  const linkinfo = linkInfo('vxlan', Buffer.concat(settings.bufs))
  return encodeLink({}, { ifname: name, address: bytesOf(mac), mtu, linkinfo })
}

/** Changes only what `change` names. */
export function encodeLinkChange(index: number, change: LinkChange): Payload {
  const { up, mtu, mac, name, namespaceFd, alias } = change
  const flags: rt.Link =
    up === undefined ? {} : { flags: up ? { up: true } : {}, change: { up: true } }
  return encodeLink(
    { index, ...flags },
    {
      ...(mtu === undefined ? {} : { mtu }),
      ...(mac === undefined ? {} : { address: bytesOf(mac) }),
      ...(name === undefined ? {} : { ifname: name }),
      ...(alias === undefined ? {} : { ifalias: alias }),
      ...(namespaceFd === undefined ? {} : { netNsFd: namespaceFd }),
    },
  )
}

/** An address of a link. `metric`: of the route to its network that the kernel makes. */
export function encodeAddress({ index, ip, prefix }: AddressState, metric?: number): Payload {
  const out = new AttrStream()
  const bytes = addressBytes(ip)
  const data = { family: AF_INET, prefixlen: prefix, index }
  const attrs = {
    ...{ local: bytes, address: bytes },
    ...(metric === undefined ? {} : { rtPriority: metric }),
  }
  rt.formatAddressMessage({ kind: 'address', data, attrs }, out)
  return out.bufs
}

const ROUTE_TYPES = {
  unicast: rt.RouteType.UNICAST,
  unreachable: rt.RouteType.UNREACHABLE,
  throw: rt.RouteType.THROW,
} as const satisfies Record<RouteKind, rt.RouteType>

/** A route of the main table, or of that which it names. */
export function encodeRoute(route: RouteSpec): Payload {
  const out = new AttrStream()
  const isDirect = route.kind === 'unicast' && route.via === undefined
  const data: rt.Route = {
    family: AF_INET,
    dstLen: route.prefix,
    // What does not fit in there is in the attribute.
    table: route.table === undefined ? MAIN_TABLE : 0,
    protocol: route.protocol,
    scope: isDirect ? rt.RouteScope.LINK : rt.RouteScope.UNIVERSE,
    type: ROUTE_TYPES[route.kind],
    ...(route.onLink === true ? { flags: { __unknown: NEXT_HOP_ON_LINK } } : {}),
  }
  const attrs: rt.RouteAttrs = {
    ...(route.prefix === 0 ? {} : { dst: addressBytes(route.destination) }),
    ...(route.index === undefined ? {} : { oif: route.index }),
    ...(route.via === undefined ? {} : { gateway: addressBytes(route.via) }),
    ...(route.source === undefined ? {} : { prefsrc: addressBytes(route.source) }),
    ...(route.metric === undefined ? {} : { priority: route.metric }),
    ...(route.table === undefined ? {} : { table: route.table }),
  }
  rt.formatRouteMessage({ kind: 'route', data, attrs }, out)
  return out.bufs
}

/** A permanent neighbour entry or, without `mac`, one to delete. */
export function encodeNeighbour(index: number, ip: Ipv4, mac: Mac | null): Payload {
  const out = new AttrStream()
  const data = { family: AF_INET, ifindex: index, state: { permanent: true } as const }
  const lladdr = mac === null ? {} : { lladdr: bytesOf(mac) }
  rt.formatNeighborMessage(
    { kind: 'neighbor', data, attrs: { dst: addressBytes(ip), ...lladdr } },
    out,
  )
  return out.bufs
}

/** Queries the entry of one address on a link. */
export function encodeNeighbourQuery(index: number, ip: Ipv4): Payload {
  const out = new AttrStream()
  const data = { family: AF_INET, ifindex: index }
  rt.formatNeighborMessage({ kind: 'neighbor', data, attrs: { dst: addressBytes(ip) } }, out)
  return out.bufs
}

/**
 * The query for all neighbours, or for those of a link, which only the attribute selects
 * (`neigh_dump_info` in net/core/neighbour.c).
 */
export function encodeNeighboursQuery(index: number | undefined): Payload {
  const out = new AttrStream()
  const attrs = index === undefined ? {} : { ifindex: uint32(index) }
  rt.formatNeighborMessage({ kind: 'neighbor', data: { family: AF_INET }, attrs }, out)
  return out.bufs
}

/** An address that the host answers ARP for on a link, or, without `ip`, the query for all such. */
export function encodeProxy(at: { readonly index: number; readonly ip: Ipv4 } | null): Payload {
  const out = new AttrStream()
  const data = {
    family: AF_INET,
    flags: { proxy: true } as const,
    ...(at && { ifindex: at.index }),
  }
  const attrs = at === null ? {} : { dst: addressBytes(at.ip), protocol: Buffer.of(ROUTE_PROTOCOL) }
  rt.formatNeighborMessage({ kind: 'neighbor', data, attrs }, out)
  return out.bufs
}

/**
 * An entry of a VXLAN device's forwarding database: frames to `mac` go to the host at
 * `destination`, which an entry to delete need not name. NTF_SELF speaks of the device's own
 * database, and not of that of a bridge above it.
 */
export function encodeForwarding(index: number, mac: string, destination: Ipv4 | null): Payload {
  const out = new AttrStream()
  const data: rt.Neighbor = {
    family: AF_BRIDGE,
    ifindex: index,
    state: { permanent: true, noarp: true },
    flags: { self: true },
  }
  const lladdr = Buffer.from(mac.replaceAll(':', ''), 'hex')
  const dst = destination === null ? {} : { dst: addressBytes(destination) }
  rt.formatNeighborMessage({ kind: 'neighbor', data, attrs: { lladdr, ...dst } }, out)
  return out.bufs
}

/** Queries the forwarding entries of all devices. */
export function encodeForwardingQuery(): Payload {
  const out = new AttrStream()
  rt.formatNeighborMessage({ kind: 'neighbor', data: { family: AF_BRIDGE }, attrs: {} }, out)
  return out.bufs
}

function encodeLink(data: rt.Link, attrs: ifla.LinkAttrs): Payload {
  const out = new AttrStream()
  rt.formatLinkMessage({ kind: 'link', data, attrs }, out)
  return out.bufs
}

function linkInfo(kind: string, data?: Buffer): Buffer {
  const out = new AttrStream()
  out.emit(ifla.formatInfo(data === undefined ? { kind } : { kind, data }))
  return Buffer.concat(out.bufs)
}

function attribute(type: number, payload: Uint8Array[]): Buffer {
  const out = new AttrStream()
  out.push(type, payload)
  return Buffer.concat(out.bufs)
}

function bytesOf(mac: Mac): Buffer {
  return Buffer.from(macToBytes(mac))
}

function addressBytes(ip: Ipv4): Buffer {
  return Buffer.from(ipv4ToBytes(ip))
}

/** These values are in network byte order. */
function uint16Be(value: number): Buffer {
  return Buffer.of(value >> 8, value & 255)
}
