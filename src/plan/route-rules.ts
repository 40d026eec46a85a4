/**
 * Routes of subnets as nft rules: which packets may leave a VPC, and which may come in from
 * outside. Pure: `isRouted` gives the same answer as the rules.
 *
 * Only the first packet of a connection is looked at. Subnets with the same routes share chains:
 *
 * - `routes_N` for what leaves: the longest prefix that has the destination decides.
 * - `routes_back_N` for what comes from outside: answers must go out by an internet gateway.
 * - `routes_float_N` and `routes_float_back_N` for a floating IP of the same host, by which a
 *   packet would leave the VPC and come in again if the host did not translate it at once.
 * - `routes_peers_N` and `routes_peers_back_N` for a peer: by a route to the connection only. In
 *   the machine's own namespace the link tells what is from or for a peer, else its network does.
 * - `routes_nat_N`, before floating IPs become sources: what goes by a NAT gateway is masqueraded.
 *
 * Each returns what may pass. Between subnets of a VPC there is always a route (`local`).
 */
import { type Cidr, cidrContains, formatCidr, type Ipv4 } from '../model/addr.ts'
import type { Flow, TrackedFlow } from '../model/flow.ts'
import { FABRIC_LINK } from '../model/names.ts'
import type { PeeredVpc, RoutedPeer } from '../model/peering.ts'
import { addressesOf, floatingIpsOf, type HostWant, type NicWant } from '../model/want.ts'
import type { RouteWant, WayOut } from '../model/ways-out.ts'
import { type AlikeSubnets, alikeSubnets, destinedTo, routeLines } from './alike-subnets.ts'
import { isCarriedHere } from './carried-gateways.ts'
import { TRANSLATE } from './nat.ts'
import type { Networks } from './networks.ts'
import { chain, type NftObject } from './nft-tables.ts'
import { ANY_NIC, ANY_PEER, drop } from './nft-text.ts'
import { leadsToPeer, routedPeerAt } from './routed-peers.ts'
import {
  isRouter,
  isUntranslated,
  type LedSubnets,
  LINK_LOCAL,
  ledSubnets,
  type RouterRouteRules,
  wayToRouter,
} from './router-routes.ts'
import { routeTo, subnetsById } from './routes.ts'
import { withStandby } from './standby.ts'

/** Chains, and the lines of others that lead to them. */
export interface RouteRules {
  /** In an order in which they can be created. */
  readonly objects: readonly NftObject[]
  /** The chain for what leaves the host. */
  readonly leaving: string
  /** Of a packet that begins a connection between an instance and whomever. */
  readonly beginning: readonly string[]
  /** Of a packet from another VPC to a floating IP. */
  readonly entering: readonly string[]
  /** Of a packet to the host itself at an open port. */
  readonly toHost: readonly string[]
  /** Before a source becomes a floating IP. */
  readonly outbound: readonly string[]
  /** Of what keeps its source. */
  readonly untranslated: readonly string[]
}

const NONE: RouteRules = {
  objects: [],
  leaving: 'leave_host',
  beginning: [],
  entering: [],
  toHost: [],
  outbound: [],
  untranslated: [],
}

/** What a way out does with a packet, by what is asked. */
const PASSES = {
  /** From an instance to outside. */
  leaves: ({ kind }: WayOut) => kind === 'internet' || kind === 'nat' || kind === 'nat-address',
  /** From outside to an instance. */
  arrives: ({ kind }: WayOut) => kind === 'internet',
} as const

/** The rules. Without routes in the want, as an older daemon wrote it, there are none. */
export function routeRules(
  want: HostWant,
  nics: readonly NicWant[],
  {
    vpcs,
    hasFloatingIps,
    routers,
  }: {
    readonly vpcs: Networks
    readonly hasFloatingIps: boolean
    readonly routers: RouterRouteRules
  },
): RouteRules {
  const alike = alikeSubnets(usedSubnets(want, nics), 'routed')
  if (alike.length === 0)
    return { ...NONE, beginning: routers.beginning, untranslated: routers.untranslated }
  const hasRouters = want.shared.vpcs.some((vpc) => vpc.hasRouters === true)
  const byNat = hasFloatingIps
    ? alike.filter(({ routes }) => routes.some(({ to }) => to.kind === 'nat'))
    : []
  const to = (
    all: readonly AlikeSubnets[],
    field: 'ip saddr' | 'ip daddr',
    more: string,
    verdict: string,
  ) =>
    all.flatMap(({ name, subnets }) =>
      subnets.match(field).map((own) => `${own} ${more}jump ${verdict}_${name}`),
    )
  const hairpin = 'ct status dnat '
  const { peered = [], routedPeers = [] } = want
  const peers = [...peered, ...routedPeers]
  const ofPeers = (own: 'ip saddr' | 'ip daddr', other: string, verdict: string, side: string) => [
    ...peered.flatMap(({ cidr }) => to(alike, own, `${other} ${formatCidr(cidr)} `, verdict)),
    ...routedPeers.flatMap(({ cidr, link }) =>
      to(alike, own, `${side} "${link}" ${other} ${formatCidr(cidr)} `, verdict),
    ),
  ]
  const ofRouted = (line: string) => (routedPeers.length === 0 ? [] : [line])
  return {
    objects: [
      ...alike.flatMap(({ subnets }) => subnets.sets),
      ...alike.flatMap((one) => chainsOf(one, hasFloatingIps)),
      ...byNat.map(natChain),
      ...(peers.length === 0 ? [] : alike.flatMap((one) => peerChains(one, peers))),
      chain('leave_subnet', [
        ...routers.leaving,
        ...ofPeers('ip saddr', 'ip daddr', 'routes_peers', 'oifname'),
        ...ofRouted(`oifname ${ANY_PEER} goto leave_host`),
        ...vpcs.match('ip daddr').map((ours) => `${ours} goto leave_host`),
        ...to(alike, 'ip saddr', '', 'routes'),
        'goto leave_host',
      ]),
      chain('enter_subnet', [
        ...ofPeers('ip daddr', 'ip saddr', 'routes_peers_back', 'iifname'),
        ...ofRouted(`iifname ${ANY_PEER} return`),
        // From a router on another host, which may forward what is from outside.
        ...(hasRouters ? [`iifname "${FABRIC_LINK}" return`] : []),
        ...vpcs.match('ip saddr').map((ours) => `${ours} return`),
        ...to(alike, 'ip daddr', '', 'routes_back'),
      ]),
    ],
    leaving: 'leave_subnet',
    beginning: [
      ...routers.beginning,
      ...(hasFloatingIps
        ? [
            ...to(alike, 'ip saddr', `iifname ${ANY_NIC} ${hairpin}`, 'routes_float'),
            ...to(alike, 'ip daddr', `iifname ${ANY_NIC} ${hairpin}`, 'routes_float_back'),
          ]
        : []),
      `iifname != ${ANY_NIC} jump enter_subnet`,
    ],
    entering: ['jump enter_subnet'],
    toHost: to(alike, 'ip saddr', 'ip daddr != @services ', 'routes'),
    outbound: to(byNat, 'ip saddr', '', 'routes_nat'),
    untranslated: routers.untranslated,
  }
}

/** The subnets of these NICs. */
function usedSubnets(want: HostWant, nics: readonly NicWant[]) {
  const used = new Set(nics.map(({ subnet }) => subnet))
  return want.shared.subnets.flatMap(({ id, cidr, routes }) =>
    routes !== undefined && used.has(id) ? [{ cidr, routes }] : [],
  )
}

function chainsOf({ name, routes }: AlikeSubnets, hasFloatingIps: boolean): readonly NftObject[] {
  const judged = (field: string, passes: (to: WayOut) => boolean) => [
    ...routeLines(routes, field, (to) => (passes(to) ? 'return' : drop('route'))),
    drop('route'),
  ]
  const { leaves, arrives } = PASSES
  return [
    chain(`routes_${name}`, judged('ip daddr', leaves)),
    chain(`routes_back_${name}`, judged('ip saddr', arrives)),
    ...(hasFloatingIps
      ? [
          chain(`routes_float_${name}`, judged('ct original ip daddr', leaves)),
          chain(`routes_float_back_${name}`, judged('ct original ip daddr', arrives)),
        ]
      : []),
  ]
}

/** What goes to a peer, or comes from one. */
function peerChains(
  { name, routes }: AlikeSubnets,
  peered: readonly PeeredVpc[],
): readonly NftObject[] {
  const judged = (field: string) => [
    ...routes.flatMap(({ destination, to }) => {
      const there = destinedTo(destination, field)
      const peers = to.kind === 'peering' ? peered.filter(({ id }) => id === to.peering) : []
      const ranges = new Set(peers.map(({ cidr }) => formatCidr(cidr)))
      const passing = [...ranges].map((range) => `${there}${field} ${range} return`)
      return [...passing, `${there}${drop('route')}`]
    }),
    drop('route'),
  ]
  return [
    chain(`routes_peers_${name}`, judged('ip daddr')),
    chain(`routes_peers_back_${name}`, judged('ip saddr')),
  ]
}

function natChain({ name, routes }: AlikeSubnets): NftObject {
  const lines = routeLines(routes, 'ip daddr', ({ kind }) =>
    kind === 'nat' ? `goto ${TRANSLATE}` : 'return',
  )
  return chain(`routes_nat_${name}`, lines)
}

/** What decides whether a flow is routed. */
export interface Ways {
  /** The networks of the namespace's VPCs. */
  readonly vpcs: readonly Cidr[]
  /** The routes of each address of a NIC; undefined: it has a way out. */
  readonly routes: ReadonlyMap<Ipv4, readonly RouteWant[] | undefined>
  /** Private addresses by floating IPs of these NICs. */
  readonly floats: ReadonlyMap<Ipv4, Ipv4>
  readonly peered: readonly PeeredVpc[]
  readonly routedPeers: readonly RoutedPeer[]
  /** Subnets with routes to routers, those of NICs on other hosts, too. */
  readonly led: LedSubnets
  /** Whether instances may get, by a router, what is from outside. */
  readonly hasRouters: boolean
}

/** The ways of a host's NICs. */
export function waysOf(want: HostWant): Ways {
  const nics = withStandby(want).local.instances.flatMap((instance) => instance.nics)
  const subnets = subnetsById(want.shared)
  return {
    vpcs: want.shared.vpcs.map(({ cidr }) => cidr),
    routes: new Map(
      nics.flatMap((nic) =>
        addressesOf(nic).map((ip) => [ip, subnets.get(nic.subnet)?.routes] as const),
      ),
    ),
    floats: new Map(
      nics.flatMap((nic) => floatingIpsOf(nic).map(({ ip, publicIp }) => [publicIp, ip] as const)),
    ),
    peered: want.peered ?? [],
    routedPeers: want.routedPeers ?? [],
    led: ledSubnets(want),
    hasRouters: nics.some(isRouter) || want.shared.vpcs.some((vpc) => vpc.hasRouters === true),
  }
}

/** Whether the routes of this host's NICs let the flow begin, with the translation that it has. */
export function isRouted(flow: Flow | TrackedFlow, ways: Ways): boolean {
  const { vpcs, routes, floats } = ways
  const isInside = (ip: Ipv4) =>
    cidrContains(LINK_LOCAL, ip) || vpcs.some((net) => cidrContains(net, ip))
  const to = floats.get(flow.destination) ?? flow.destination
  const own = routes.get(flow.source)
  const other = routes.get(to)
  const router = wayToRouter(flow, ways.led)
  // One that leads back to the router itself leads nowhere.
  if (router !== undefined)
    return isUntranslated(flow) && (router.kind !== 'nic' || router.ip !== flow.source)
  const isPlain = 'answerTo' in flow && isUntranslated(flow)
  const peerAt = (ip: Ipv4) => ways.peered.find(({ cidr }) => cidrContains(cidr, ip))
  const [toPeer, fromPeer] = [peerAt(flow.destination), peerAt(flow.source)]
  if (toPeer !== undefined) return leadsToPeer(flow.destination, own, toPeer)
  if (fromPeer !== undefined) return leadsToPeer(flow.source, other, fromPeer)
  // What was translated has gone elsewhere before there was the route.
  if (routedPeerOf(flow, ways) !== undefined) return isUntranslated(flow)
  if (own !== undefined && !isInside(flow.destination)) {
    const way = routeTo(flow.destination, own)?.to
    if (way === undefined || !PASSES.leaves(way)) return false
    // A route to a NAT gateway has come since it began.
    const isFloating = 'answerTo' in flow && floats.get(flow.answerTo) === flow.source
    if (way.kind === 'nat' && isFloating) return false
    if (way.kind === 'nat-address' && 'answerTo' in flow && flow.answerTo !== way.ip) return false
  }
  const isFromVpc = vpcs.some((net) => cidrContains(net, flow.source))
  if (own === undefined && isFromVpc && !isInside(flow.destination)) {
    // From an instance on another host, it was led to a router here.
    if (isPlain) return false
    // One that is here may have no routes of its own.
    if (!routes.has(flow.source) && isSentOnFrom(flow) && !isByItsGateway(flow, ways.led))
      return false
  }
  if (other === undefined) return true
  const isOfNic = routes.has(flow.source)
  if (isOfNic && isInside(flow.destination)) return true
  if (!isOfNic && isInside(flow.source)) return true
  // From a router, which its groups have judged.
  if (isPlain && ways.hasRouters) return true
  const back = routeTo(isOfNic ? flow.destination : flow.source, other)?.to
  return back !== undefined && PASSES.arrives(back)
}

/** Whether it has gone out with another address than that of who began it. */
function isSentOnFrom(flow: Flow | TrackedFlow): flow is TrackedFlow {
  return 'answerTo' in flow && flow.answerTo !== flow.source
}

/** Whether it has the address of the NAT gateway here that the routes of its subnet lead to. */
function isByItsGateway({ source, destination, answerTo }: TrackedFlow, { led }: LedSubnets) {
  const routes = led.find(({ cidr }) => cidrContains(cidr, source))?.routes ?? []
  const to = routeTo(destination, routes)?.to
  return to !== undefined && isCarriedHere(to) && to.ip === answerTo
}

/** The peer to which a flow is led by a route of its subnet, or by which it comes from there. */
function routedPeerOf(
  { source, destination }: Flow,
  { routes, routedPeers }: Ways,
): RoutedPeer['id'] | undefined {
  const at = (own: Ipv4, other: Ipv4) =>
    routes.has(own) ? routedPeerAt(other, routes.get(own), routedPeers)?.id : undefined
  return at(source, destination) ?? at(destination, source)
}

/**
 * Whether a flow that was led to a router is not any more, or one that was led to a peer, or came
 * from there, would be of another peer or of the outside.
 */
export function isLedAway(flow: Flow, before: Ways, now: Ways): boolean {
  return (
    (wayToRouter(flow, before.led) !== undefined && wayToRouter(flow, now.led) === undefined) ||
    routedPeerOf(flow, before) !== routedPeerOf(flow, now)
  )
}

/** Whether `now` may forbid a flow that `before` let begin. */
export function isRerouted(before: Ways, now: Ways): boolean {
  if (JSON.stringify(before.led.led) !== JSON.stringify(now.led.led)) return true
  if (JSON.stringify(before.routedPeers) !== JSON.stringify(now.routedPeers)) return true
  // NICs of one subnet share its list.
  const compared = new Map<unknown, unknown>()
  return [...before.routes].some(([ip, routes]) => {
    const after = now.routes.get(ip)
    if (!now.routes.has(ip) || (compared.has(routes) && compared.get(routes) === after))
      return false
    compared.set(routes, after)
    return JSON.stringify(routes) !== JSON.stringify(after)
  })
}
