/**
 * Links, addresses, routes and neighbours of one network namespace, through one rtnetlink socket.
 *
 * Errors: `NetlinkError` with the kernel's errno; the callers in this room wrap it.
 */
import { FlagsNew, rt } from 'netlink'
import type { Ipv4, Mac } from '../model/addr.ts'
import type { AddressState, LinkState, NeighbourState, RouteState } from './ip-decode.ts'
import { decodeAddress, decodeLink, decodeNeighbour, decodeRoute, readable } from './ip-decode.ts'
import type { LinkChange, Payload, RouteSpec, VethSpec } from './ip-encode.ts'
import {
  encodeAddress,
  encodeBridge,
  encodeLinkChange,
  encodeLinkName,
  encodeLinkQuery,
  encodeNeighbour,
  encodeQuery,
  encodeRoute,
  encodeVeth,
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

  addBridge(name: string): Promise<void>
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

  return {
    links: () => all(MessageType.GETLINK, encodeLinkQuery(), decodeLink),
    link: async (name) => {
      try {
        return decodeLink(await netlink.get(MessageType.GETLINK, encodeLinkQuery(name)))[0]
      } catch (error) {
        if (errnoCode(error) === 'ENODEV') return undefined
        throw error
      }
    },
    addresses: () => all(MessageType.GETADDR, encodeQuery('address'), decodeAddress),
    routes: () => all(MessageType.GETROUTE, encodeQuery('route'), decodeRoute),
    neighbours: () => all(MessageType.GETNEIGH, encodeQuery('neighbor'), decodeNeighbour),

    addBridge: (name) => request(MessageType.NEWLINK, encodeBridge(name), CREATE),
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
