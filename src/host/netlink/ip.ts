/**
 * Links, addresses, routes and neighbours of one network namespace, through one rtnetlink socket.
 *
 * Errors: `NetlinkError` with the kernel's errno, which the callers in this room wrap.
 */
import { FlagsNew, rt } from 'netlink'
import { errnoOf } from '../../lib/errno.ts'
import type { Ipv4, Mac } from '../../model/addr.ts'
import { CLASSIFIER_NAME } from '../../model/names.ts'
import { here, type Inside } from '../network/netns.ts'
import type {
  AddressState,
  ForwardingState,
  HopState,
  LinkState,
  NeighbourState,
  ProxyState,
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
  decodeProxy,
  decodeRoute,
  decodeTableRoute,
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
  encodeNeighbourQuery,
  encodeNeighboursQuery,
  encodeProxy,
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
  encodeRuleFrom,
} from './lock-encode.ts'
import type { Netlink } from './netlink.ts'
import {
  decodePolicyRule,
  decodeSubnetRule,
  encodePolicyQuery,
  encodePolicyRule,
  encodeSubnetRule,
  type PolicyRule,
  type SubnetRule,
} from './policy-encode.ts'

/** The objects of a namespace. Methods with plural nouns read all of them, verbs change one. */
export interface Ip {
  /** The socket's port (`Netlink.port`). */
  readonly port: number
  /** Does something else in the namespace, such as with its settings (`network/sysctl.ts`). */
  readonly inside: Inside
  links(): Promise<readonly LinkState[]>
  /** The link with this name. Undefined if there is none. */
  link(name: string): Promise<LinkState | undefined>
  /** The name of the link with this index. Undefined if there is none. */
  linkName(index: number): Promise<string | undefined>
  addresses(): Promise<readonly AddressState[]>
  /** Routes of the main table. */
  routes(): Promise<readonly RouteState[]>
  /** Routes of ours with this protocol number in other tables than the main one. */
  tableRoutes(protocol: number): Promise<readonly RouteState[]>
  /** Policy rules of ours that look sources up in a table. */
  policyRules(): Promise<readonly PolicyRule[]>
  addPolicyRule(rule: PolicyRule): Promise<void>
  deletePolicyRule(rule: PolicyRule): Promise<void>
  /** Policy rules of ours for subnets and routers (`network/router-routes.ts`). */
  subnetRules(): Promise<readonly SubnetRule[]>
  addSubnetRule(rule: SubnetRule): Promise<void>
  deleteSubnetRule(rule: SubnetRule): Promise<void>
  /** Next hops of the unicast routes of all tables. */
  hops(): Promise<readonly HopState[]>
  /** Of one link, or of all. */
  neighbours(index?: number): Promise<readonly NeighbourState[]>
  /** The neighbour entry of one address on a link. Undefined if there is none. */
  neighbour(index: number, ip: Ipv4): Promise<NeighbourState | undefined>
  /** Indexes of the links with a clsact queueing discipline. */
  classified(): Promise<ReadonlySet<number>>
  /** Whether such a link has our programs in both directions. */
  hasClassifiers(index: number): Promise<boolean>

  /** Settings of the VXLAN device with this name. Undefined if there is no such device. */
  vxlan(name: string): Promise<VxlanState | undefined>
  /** Entries of every device's forwarding database. */
  forwarding(): Promise<readonly ForwardingState[]>

  addBridge(name: string): Promise<void>
  addVxlan(device: VxlanSpec): Promise<void>
  /** A veth pair, both ends in this namespace and down. */
  addVeth(pair: VethSpec): Promise<void>
  setLink(index: number, change: LinkChange): Promise<void>
  deleteLink(name: string): Promise<void>
  /** `metric`: of the route to its network. Absent: 0, which comes first. */
  addAddress(index: number, ip: Ipv4, prefix: number, metric?: number): Promise<void>
  /** Adds the address where it is missing, without reading any other. Whether it was missing. */
  ensureAddress(index: number, ip: Ipv4, prefix: number): Promise<boolean>
  /** Deletions, except of a link, do nothing if the object does not exist. */
  deleteAddress(address: AddressState): Promise<void>
  /** Adds the route or replaces the one with the same destination and metric. */
  replaceRoute(route: RouteSpec): Promise<void>
  deleteRoute(route: RouteState): Promise<void>
  /** A permanent entry. It is not resolved and does not expire. */
  replaceNeighbour(index: number, ip: Ipv4, mac: Mac): Promise<void>
  deleteNeighbour(index: number, ip: Ipv4): Promise<void>
  /** Addresses that the host answers ARP for, beside its own, by link; those that we made. */
  proxies(): Promise<readonly ProxyState[]>
  addProxy(index: number, ip: Ipv4): Promise<void>
  deleteProxy(proxy: ProxyState): Promise<void>
  /** Frames to `mac` go through device `index` to the host at `destination`. */
  replaceForwarding(index: number, mac: Mac, destination: Ipv4): Promise<void>
  deleteForwarding(entry: ForwardingState): Promise<void>
  /** The policy rule of the lock (`lock.ts`). */
  addLockRule(): Promise<void>
  /** What is sent from this address is routed by this table. */
  addRuleFrom(ip: Ipv4, table: number): Promise<void>
  /** Deletes every such rule of this address. */
  deleteRulesFrom(ip: Ipv4): Promise<void>
  /** Attaches loaded programs in both directions of a link, replacing our earlier ones. */
  addClassifiers(
    index: number,
    programs: { readonly fromGuest: number; readonly toGuest: number },
  ): Promise<void>
  /** Does nothing if the rule does not exist. */
  deleteLockRule(): Promise<void>
  close(): void
}

/** More rules of one address are not looked for. */
const RULES_MAX = 64
const CREATE = FlagsNew.CREATE | FlagsNew.EXCL
const REPLACE = FlagsNew.CREATE | FlagsNew.REPLACE

/**
 * The namespace behind `netlink`, which `inside` enters. Closing it closes the socket.
 */
export function createIp(netlink: Netlink, inside: Inside = here): Ip {
  const { MessageType } = rt
  const { request } = netlink
  const { all, one } = readersOf(netlink)
  const linkNamed = (query: Payload) => one(MessageType.GETLINK, query, 'ENODEV')
  const linkMessage = (name: string) => linkNamed(encodeLinkQuery(name))

  return {
    ...policyRulesOf(netlink),
    ...neighboursOf(netlink),
    port: netlink.port,
    inside,
    links: () => all(MessageType.GETLINK, encodeLinkQuery(), decodeLink),
    link: async (name) => (await linkMessage(name)).flatMap(decodeLink)[0],
    linkName: async (index) => (await linkNamed(encodeLinkAt(index))).flatMap(decodeLink)[0]?.name,
    addresses: () => all(MessageType.GETADDR, encodeQuery('address'), decodeAddress),
    routes: () => all(MessageType.GETROUTE, encodeQuery('route'), decodeRoute),
    tableRoutes: (protocol) =>
      all(MessageType.GETROUTE, encodeQuery('route'), decodeTableRoute(protocol)),
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
    vxlan: async (name) => (await linkMessage(name)).map(decodeVxlan)[0],

    addBridge: (name) => request(MessageType.NEWLINK, encodeBridge(name), CREATE),
    addVxlan: (device) => request(MessageType.NEWLINK, encodeVxlan(device), CREATE),
    addVeth: (pair) => request(MessageType.NEWLINK, encodeVeth(pair), CREATE),
    setLink: (index, change) => request(MessageType.NEWLINK, encodeLinkChange(index, change)),
    deleteLink: (name) => request(MessageType.DELLINK, encodeLinkName(name)),
    addAddress: (index, ip, prefix, metric) =>
      request(MessageType.NEWADDR, encodeAddress({ index, ip, prefix }, metric), REPLACE),
    ensureAddress: (index, ip, prefix) =>
      isNew(request(MessageType.NEWADDR, encodeAddress({ index, ip, prefix }), CREATE)),
    deleteAddress: (address) => ignoreAbsent(request(MessageType.DELADDR, encodeAddress(address))),
    replaceRoute: (route) => request(MessageType.NEWROUTE, encodeRoute(route), REPLACE),
    deleteRoute: (route) => ignoreAbsent(request(MessageType.DELROUTE, encodeRoute(specOf(route)))),
    addLockRule: () => ignoreExisting(request(MessageType.NEWRULE, encodeLockRule(), CREATE)),
    ...sourceRules(netlink),
    addClassifiers: async (index, { fromGuest, toGuest }) => {
      await ignoreExisting(request(MessageType.NEWQDISC, encodeClsact(index), CREATE))
      await request(MessageType.NEWTFILTER, encodeClassifier(index, 'ingress', fromGuest), REPLACE)
      await request(MessageType.NEWTFILTER, encodeClassifier(index, 'egress', toGuest), REPLACE)
    },
    deleteLockRule: () => ignoreAbsent(request(MessageType.DELRULE, encodeLockRule())),
    close: () => netlink.close(),
  }
}

/** What reads objects: all of a kind, or one. */
function readersOf({ dump, get }: Netlink) {
  return {
    all: async <T>(
      type: rt.MessageType,
      query: Payload,
      decode: (message: Buffer) => readonly T[],
    ): Promise<readonly T[]> => (await dump(type, query)).flatMap(readable(decode)),
    /** Empty if there is no such object: the kernel answers with `absent`. */
    one: async (
      type: rt.MessageType,
      query: Payload,
      absent: string,
    ): Promise<readonly Buffer[]> => {
      try {
        return [await get(type, query)]
      } catch (error) {
        if (errnoOf(error) === absent) return []
        throw error
      }
    },
  }
}

/** The methods for neighbours, and for what else is in their tables. */
function neighboursOf(
  netlink: Netlink,
): Pick<
  Ip,
  | 'neighbours'
  | 'neighbour'
  | 'replaceNeighbour'
  | 'deleteNeighbour'
  | 'proxies'
  | 'addProxy'
  | 'deleteProxy'
  | 'forwarding'
  | 'replaceForwarding'
  | 'deleteForwarding'
> {
  const { GETNEIGH, NEWNEIGH, DELNEIGH } = rt.MessageType
  const { all, one } = readersOf(netlink)
  const set = (entry: Payload) => netlink.request(NEWNEIGH, entry, REPLACE)
  const remove = (entry: Payload) => ignoreAbsent(netlink.request(DELNEIGH, entry))
  return {
    neighbours: (index) => all(GETNEIGH, encodeNeighboursQuery(index), decodeNeighbour),
    neighbour: async (index, ip) =>
      (await one(GETNEIGH, encodeNeighbourQuery(index, ip), 'ENOENT')).flatMap(decodeNeighbour)[0],
    replaceNeighbour: (index, ip, mac) => set(encodeNeighbour(index, ip, mac)),
    deleteNeighbour: (index, ip) => remove(encodeNeighbour(index, ip, null)),
    proxies: () => all(GETNEIGH, encodeProxy(null), decodeProxy),
    addProxy: (index, ip) => set(encodeProxy({ index, ip })),
    deleteProxy: (proxy) => remove(encodeProxy(proxy)),
    forwarding: () => all(GETNEIGH, encodeForwardingQuery(), decodeForwarding),
    replaceForwarding: (index, mac, destination) => set(encodeForwarding(index, mac, destination)),
    deleteForwarding: ({ index, mac, destination }) =>
      remove(encodeForwarding(index, mac, destination)),
  }
}

/** The methods for policy rules. */
function policyRulesOf({
  dump,
  request,
}: Netlink): Pick<
  Ip,
  | 'policyRules'
  | 'addPolicyRule'
  | 'deletePolicyRule'
  | 'subnetRules'
  | 'addSubnetRule'
  | 'deleteSubnetRule'
> {
  const { MessageType } = rt
  const rules = <T>(decode: (message: Buffer) => readonly T[]) =>
    dump(MessageType.GETRULE, encodePolicyQuery()).then((all) => all.flatMap(readable(decode)))
  const add = (rule: Payload) => ignoreExisting(request(MessageType.NEWRULE, rule, CREATE))
  const remove = (rule: Payload) => ignoreAbsent(request(MessageType.DELRULE, rule))
  return {
    policyRules: () => rules(decodePolicyRule),
    addPolicyRule: (rule) => add(encodePolicyRule(rule)),
    deletePolicyRule: (rule) => remove(encodePolicyRule(rule)),
    subnetRules: () => rules(decodeSubnetRule),
    addSubnetRule: (rule) => add(encodeSubnetRule(rule)),
    deleteSubnetRule: (rule) => remove(encodeSubnetRule(rule)),
  }
}

/** Policy rules by source. */
function sourceRules({ request }: Netlink): Pick<Ip, 'addRuleFrom' | 'deleteRulesFrom'> {
  const { MessageType } = rt
  return {
    addRuleFrom: (ip, table) =>
      ignoreExisting(request(MessageType.NEWRULE, encodeRuleFrom(ip, table), CREATE)),
    async deleteRulesFrom(ip) {
      // Each request deletes one.
      for (let at = 0; at < RULES_MAX; at += 1)
        try {
          await request(MessageType.DELRULE, encodeRuleFrom(ip, null))
        } catch (error) {
          if (errnoOf(error) === 'ENOENT') return
          throw error
        }
    },
  }
}

async function ignoreExisting(creation: Promise<void>): Promise<void> {
  await isNew(creation)
}

/** Whether the object did not exist before. */
async function isNew(creation: Promise<void>): Promise<boolean> {
  try {
    await creation
    return true
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    return false
  }
}

/** The request for a route that exists. */
function specOf({ via, source, index, ...route }: RouteState): RouteSpec {
  return {
    ...route,
    ...(index === 0 ? {} : { index }),
    ...(via === null ? {} : { via }),
    ...(source === null ? {} : { source }),
  }
}

/** The object may be gone already. Each kind of object has its own errno for that. */
async function ignoreAbsent(deletion: Promise<void>): Promise<void> {
  try {
    await deletion
  } catch (error) {
    if (!['ENOENT', 'ESRCH', 'EADDRNOTAVAIL'].includes(errnoOf(error) ?? '')) throw error
  }
}
