/**
 * Links, addresses, routes and neighbours of one network namespace, through one rtnetlink socket.
 *
 * Errors: `NetlinkError` with the kernel's errno; the callers in this room wrap it.
 */
import { FlagsNew, rt } from 'netlink'
import type { Ipv4, Mac } from '../model/addr.ts'
import type {
  AddressState,
  ForwardingState,
  LinkState,
  NeighbourState,
  RouteState,
  VxlanState,
} from './ip-decode.ts'
import {
  decodeAddress,
  decodeForwarding,
  decodeLink,
  decodeNeighbour,
  decodeRoute,
  decodeVxlan,
  readable,
} from './ip-decode.ts'
import type { LinkChange, Payload, RouteSpec, VethSpec, VxlanSpec } from './ip-encode.ts'
import {
  encodeAddress,
  encodeBridge,
  encodeForwarding,
  encodeForwardingQuery,
  encodeLinkChange,
  encodeLinkName,
  encodeLinkQuery,
  encodeNeighbour,
  encodeQuery,
  encodeRoute,
  encodeVeth,
  encodeVxlan,
} from './ip-encode.ts'
import { errnoCode } from './libc.ts'
import type { Netlink } from './netlink.ts'

/** The objects of one namespace: plural nouns read all of them, verbs change one. */
export interface Ip {
  links(): Promise<readonly LinkState[]>
  /** One link by name, or undefined. */
  link(name: string): Promise<LinkState | undefined>
  addresses(): Promise<readonly AddressState[]>
  /** Routes of the main table. */
  routes(): Promise<readonly RouteState[]>
  neighbours(): Promise<readonly NeighbourState[]>

  /** Settings of a VXLAN device by name; undefined when there is no link of that name, or of another kind. */
  vxlan(name: string): Promise<VxlanState | undefined>
  /** Entries of every device's forwarding database. */
  forwarding(): Promise<readonly ForwardingState[]>

  addBridge(name: string): Promise<void>
  addVxlan(device: VxlanSpec): Promise<void>
  /** A veth pair, both ends in this namespace and down. */
  addVeth(pair: VethSpec): Promise<void>
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
  /** Frames to `mac` go through device `index` to the host at `destination`. */
  replaceForwarding(index: number, mac: Mac, destination: Ipv4): Promise<void>
  deleteForwarding(entry: ForwardingState): Promise<void>
  close(): void
}

const CREATE = FlagsNew.CREATE | FlagsNew.EXCL
const REPLACE = FlagsNew.CREATE | FlagsNew.REPLACE

/** The namespace behind `netlink`. Closing it closes the socket. */
export function createIp(netlink: Netlink): Ip {
  const { MessageType } = rt
  const { request } = netlink
  const all = async <T>(
    type: rt.MessageType,
    query: Payload,
    decode: (message: Buffer) => readonly T[],
  ): Promise<readonly T[]> => (await netlink.dump(type, query)).flatMap(readable(decode))

  /** None when there is no such link. */
  const linkMessage = async (name: string): Promise<readonly Buffer[]> => {
    try {
      return [await netlink.get(MessageType.GETLINK, encodeLinkQuery(name))]
    } catch (error) {
      if (errnoCode(error) === 'ENODEV') return []
      throw error
    }
  }

  return {
    links: () => all(MessageType.GETLINK, encodeLinkQuery(), decodeLink),
    link: async (name) => (await linkMessage(name)).flatMap(decodeLink)[0],
    addresses: () => all(MessageType.GETADDR, encodeQuery('address'), decodeAddress),
    routes: () => all(MessageType.GETROUTE, encodeQuery('route'), decodeRoute),
    neighbours: () => all(MessageType.GETNEIGH, encodeQuery('neighbor'), decodeNeighbour),

    vxlan: async (name) => (await linkMessage(name)).map(decodeVxlan)[0],
    forwarding: () => all(MessageType.GETNEIGH, encodeForwardingQuery(), decodeForwarding),

    addBridge: (name) => request(MessageType.NEWLINK, encodeBridge(name), CREATE),
    addVxlan: (device) => request(MessageType.NEWLINK, encodeVxlan(device), CREATE),
    addVeth: (pair) => request(MessageType.NEWLINK, encodeVeth(pair), CREATE),
    setLink: (index, change) => request(MessageType.NEWLINK, encodeLinkChange(index, change)),
    deleteLink: (name) => request(MessageType.DELLINK, encodeLinkName(name)),
    addAddress: (index, ip, prefix) =>
      request(MessageType.NEWADDR, encodeAddress({ index, ip, prefix }), REPLACE),
    deleteAddress: (address) => absentIsWell(request(MessageType.DELADDR, encodeAddress(address))),
    replaceRoute: (route) => request(MessageType.NEWROUTE, encodeRoute(route), REPLACE),
    deleteRoute: (route) => absentIsWell(request(MessageType.DELROUTE, encodeRoute(specOf(route)))),
    replaceNeighbour: (index, ip, mac) =>
      request(MessageType.NEWNEIGH, encodeNeighbour(index, ip, mac), REPLACE),
    deleteNeighbour: (index, ip) =>
      absentIsWell(request(MessageType.DELNEIGH, encodeNeighbour(index, ip, null))),
    replaceForwarding: (index, mac, destination) =>
      request(MessageType.NEWNEIGH, encodeForwarding(index, mac, destination), REPLACE),
    deleteForwarding: ({ index, mac, destination }) =>
      absentIsWell(request(MessageType.DELNEIGH, encodeForwarding(index, mac, destination))),
    close: () => netlink.close(),
  }
}

/** A route that exists, as one would ask for it. */
function specOf({ via, source, index, ...route }: RouteState): RouteSpec {
  return {
    ...route,
    ...(index === 0 ? {} : { index }),
    ...(via === null ? {} : { via }),
    ...(source === null ? {} : { source }),
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
