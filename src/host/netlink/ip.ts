/**
 * Links, addresses, routes and neighbours of one network namespace, through one rtnetlink socket.
 *
 * Errors: `NetlinkError` with the kernel's errno; the callers in this room wrap it.
 */
import { FlagsNew, rt } from 'netlink'
import { errnoOf } from '../../lib/errno.ts'
import type { Ipv4, Mac } from '../../model/addr.ts'
import { CLASSIFIER_NAME } from '../../model/names.ts'
import type {
  AddressState,
  ForwardingState,
  HopState,
  LinkState,
  NeighbourState,
  RouteState,
  VxlanState,
} from './ip-decode.ts'
import {
  decodeAddress,
  decodeClassifier,
  decodeClsact,
  decodeForwarding,
  decodeHops,
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
  encodeLinkAt,
  encodeLinkChange,
  encodeLinkName,
  encodeLinkQuery,
  encodeNeighbour,
  encodeQuery,
  encodeRoute,
  encodeVeth,
  encodeVxlan,
} from './ip-encode.ts'
import {
  encodeClassifier,
  encodeClassifierQuery,
  encodeClsact,
  encodeLockRule,
  encodeQdiscQuery,
} from './lock-encode.ts'
import type { Netlink } from './netlink.ts'

/** The objects of one namespace: plural nouns read all of them, verbs change one. */
export interface Ip {
  /** That of its socket (`Netlink.port`). */
  readonly port: number
  links(): Promise<readonly LinkState[]>
  /** One link by name, or undefined. */
  link(name: string): Promise<LinkState | undefined>
  /** The name of the link with this index, or undefined. */
  linkName(index: number): Promise<string | undefined>
  addresses(): Promise<readonly AddressState[]>
  /** Routes of the main table. */
  routes(): Promise<readonly RouteState[]>
  /** Next hops of the unicast routes of all tables. */
  hops(): Promise<readonly HopState[]>
  neighbours(): Promise<readonly NeighbourState[]>
  /** Indexes of the links that can carry classifiers. */
  classified(): Promise<ReadonlySet<number>>
  /** Whether programs of ours are on both sides of such a link. */
  hasClassifiers(index: number): Promise<boolean>

  /**
   * Settings of a VXLAN device by name; undefined when there is no link of that name, or of another
   * kind.
   */
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
  /** The policy rule of the lock (`lock.ts`). */
  addLockRule(): Promise<void>
  /** Puts loaded programs on both sides of a link, in place of those that it has from us. */
  addClassifiers(
    index: number,
    programs: { readonly fromGuest: number; readonly toGuest: number },
  ): Promise<void>
  /** Absent is well. */
  deleteLockRule(): Promise<void>
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
  const linkNamed = async (query: Payload): Promise<readonly Buffer[]> => {
    try {
      return [await netlink.get(MessageType.GETLINK, query)]
    } catch (error) {
      if (errnoOf(error) === 'ENODEV') return []
      throw error
    }
  }
  const linkMessage = (name: string) => linkNamed(encodeLinkQuery(name))

  return {
    port: netlink.port,
    links: () => all(MessageType.GETLINK, encodeLinkQuery(), decodeLink),
    link: async (name) => (await linkMessage(name)).flatMap(decodeLink)[0],
    linkName: async (index) => (await linkNamed(encodeLinkAt(index))).flatMap(decodeLink)[0]?.name,
    addresses: () => all(MessageType.GETADDR, encodeQuery('address'), decodeAddress),
    routes: () => all(MessageType.GETROUTE, encodeQuery('route'), decodeRoute),
    hops: () => all(MessageType.GETROUTE, encodeQuery('route'), decodeHops),
    classified: async () =>
      new Set(await all(MessageType.GETQDISC, encodeQdiscQuery(), decodeClsact)),
    hasClassifiers: async (index) => {
      for (const side of ['ingress', 'egress'] as const) {
        const query = encodeClassifierQuery(index, side)
        const names = await all(MessageType.GETTFILTER, query, decodeClassifier)
        if (!names.includes(CLASSIFIER_NAME)) return false
      }
      return true
    },
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
    deleteAddress: (address) => ignoreAbsent(request(MessageType.DELADDR, encodeAddress(address))),
    replaceRoute: (route) => request(MessageType.NEWROUTE, encodeRoute(route), REPLACE),
    deleteRoute: (route) => ignoreAbsent(request(MessageType.DELROUTE, encodeRoute(specOf(route)))),
    replaceNeighbour: (index, ip, mac) =>
      request(MessageType.NEWNEIGH, encodeNeighbour(index, ip, mac), REPLACE),
    deleteNeighbour: (index, ip) =>
      ignoreAbsent(request(MessageType.DELNEIGH, encodeNeighbour(index, ip, null))),
    replaceForwarding: (index, mac, destination) =>
      request(MessageType.NEWNEIGH, encodeForwarding(index, mac, destination), REPLACE),
    deleteForwarding: ({ index, mac, destination }) =>
      ignoreAbsent(request(MessageType.DELNEIGH, encodeForwarding(index, mac, destination))),
    addLockRule: () => ignoreExisting(request(MessageType.NEWRULE, encodeLockRule(), CREATE)),
    addClassifiers: async (index, { fromGuest, toGuest }) => {
      await ignoreExisting(request(MessageType.NEWQDISC, encodeClsact(index), CREATE))
      await request(MessageType.NEWTFILTER, encodeClassifier(index, 'ingress', fromGuest), REPLACE)
      await request(MessageType.NEWTFILTER, encodeClassifier(index, 'egress', toGuest), REPLACE)
    },
    deleteLockRule: () => ignoreAbsent(request(MessageType.DELRULE, encodeLockRule())),
    close: () => netlink.close(),
  }
}

async function ignoreExisting(creation: Promise<void>): Promise<void> {
  try {
    await creation
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
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

/**
 * What was to be deleted may be gone already: each kind of object has an errno of its own for that.
 */
async function ignoreAbsent(deletion: Promise<void>): Promise<void> {
  try {
    await deletion
  } catch (error) {
    if (!['ENOENT', 'ESRCH', 'EADDRNOTAVAIL'].includes(errnoOf(error) ?? '')) throw error
  }
}
