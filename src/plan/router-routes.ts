/**
 * Routes to instances that are routers, and to hosts that carry NAT gateways: what the kernel's
 * routing tables say, the rules that hold them to it, and the same judgement in code. Pure.
 *
 * The routing tables lead packets to the link of the router, or to its host
 * (`host/network/router-routes.ts`). The rules look at the first packet of a connection again,
 * because a table may be older than they are:
 *
 * - `to_router`, before the groups of a NIC are asked: whether the router on this link is that of
 *   the route. `router_here_N` are the routes of subnets that have the same ones.
 * - `router_there_N`: what leaves this host goes to the host of the router. It keeps its addresses.
 * - `router_first_N`: what goes to a router is not translated to a floating IP of this host.
 *
 * What a router sends by a route of its own subnet back to itself is dropped. Without such routes
 * and without routers there are no rules.
 */
import { type Cidr, cidr, cidrContains, cidrHolds, formatCidr, type Ipv4 } from '../model/addr.ts'
import type { Flow, TrackedFlow } from '../model/flow.ts'
import { nicLinkName } from '../model/names.ts'
import type { RouterRoutes } from '../model/router-routes.ts'
import type { HostWant, NicWant, SharedWant } from '../model/want.ts'
import type { RouteWant, WayByAddress, WayOut, WayToNic } from '../model/ways-out.ts'
import { type AlikeSubnets, alikeSubnets, destinedTo } from './alike-subnets.ts'
import { isCarriedHere } from './carried-gateways.ts'
import { chain, type NftObject } from './nft-tables.ts'
import { ACCEPT, ANY_NIC, drop } from './nft-text.ts'
import { type Permissions, permittingRule } from './permits.ts'
import { routesToPeers } from './routed-peers.ts'
import { routeTo } from './routes.ts'

/** The hosts' own services, which need no route. */
export const LINK_LOCAL = cidr('169.254.0.0/16')

/** Chains, and lines of others. */
export interface RouterRouteRules {
  /** In an order in which they can be created. */
  readonly objects: readonly NftObject[]
  /** Of a packet that begins a connection. */
  readonly beginning: readonly string[]
  /** Of what leaves this host. */
  readonly leaving: readonly string[]
  /** Of what comes from another host and is for a router here. */
  readonly fromFabric: readonly string[]
  /** Of what keeps its source. */
  readonly untranslated: readonly string[]
  /** Before a destination that is a floating IP becomes a private address. */
  readonly beforeFloats: readonly string[]
}

/** Without routers. */
const NONE: RouterRouteRules = {
  ...{ objects: [], beginning: [], leaving: [], fromFabric: [], untranslated: [] },
  beforeFloats: [],
}

/** Whether a NIC may send and get what is from and for others. */
export function isRouter({ sourceDestCheck }: Pick<NicWant, 'sourceDestCheck'>): boolean {
  return sourceDestCheck === false
}

/** A way by which packets keep their addresses on this host. */
type LedWay = WayToNic | (WayByAddress & { readonly via: Ipv4 })

/** Whether packets are led to a router, or to the host that carries their NAT gateway. */
function isLed(to: WayOut): to is LedWay {
  return to.kind === 'nic' || (to.kind === 'nat-address' && to.via !== undefined)
}

/** Whether packets come here from other hosts, by the routes of their subnet. */
function leadsHere(to: WayOut): boolean {
  return (to.kind === 'nic' || to.kind === 'nat-address') && to.via === undefined
}

/** A subnet that has a route to a router, or to a NAT gateway with an address. */
interface LeadingSubnet {
  readonly id: string
  readonly cidr: Cidr
  readonly vpc?: string | undefined
  readonly routes: readonly RouteWant[]
}

/** The subnets that have one. */
function leadingSubnets({ subnets }: SharedWant): readonly LeadingSubnet[] {
  return subnets.flatMap(({ id, cidr, vpc, routes }) =>
    routes?.some(({ to }) => isLed(to) || leadsHere(to)) === true
      ? [{ id, cidr, vpc, routes }]
      : [],
  )
}

/** Whether others may send here what is from outside the VPC: routers, and carriers of gateways. */
export function getsFromOutside(
  { id, hasRouters }: SharedWant['vpcs'][number],
  { subnets }: Pick<SharedWant, 'subnets'>,
): boolean {
  return (
    hasRouters === true ||
    subnets.some(
      ({ vpc, routes = [] }) =>
        (vpc === undefined || vpc === id) &&
        routes.some(({ to }) => to.kind === 'nat-address' && to.via !== undefined),
    )
  )
}

/**
 * What the routing tables of this host say. `fabric` is the link to the other hosts, if any;
 * `gatewayOf` the router by which a floating IP leaves, if it is not that of the default route.
 */
export function routerRoutes(
  want: HostWant,
  fabric: string | null,
  gatewayOf: (floatingIp: Ipv4) => Ipv4 | undefined = () => undefined,
): RouterRoutes {
  const { local, shared } = want
  const routers = local.instances.flatMap(({ nics }) => nics.filter(isRouter))
  const hopOf = (to: WayOut) => {
    if (isCarriedHere(to)) {
      const gateway = gatewayOf(to.ip)
      return gateway === undefined ? null : { link: null, via: gateway }
    }
    if (!isLed(to)) return null
    if (to.via !== undefined) return { link: fabric, via: to.via }
    return to.kind === 'nic' ? { link: nicLinkName(to.nic), via: to.ip } : null
  }
  const leading = leadingSubnets(shared).filter(({ routes }) =>
    routes.some(({ to }) => isLed(to) || hopOf(to) !== null),
  )
  return {
    subnets: leading.map(({ cidr: range, vpc, routes }) => {
      const own = shared.vpcs.flatMap((one) =>
        vpc === undefined || one.id === vpc ? one.cidr : [],
      )
      const kept = [...own, LINK_LOCAL]
      return {
        cidr: range,
        routes: [
          ...kept.map((destination) => ({ destination, to: null })),
          ...routes.flatMap(({ destination, to }) =>
            kept.some((net) => cidrHolds(net, destination)) ? [] : [{ destination, to: hopOf(to) }],
          ),
        ],
      }
    }),
    routers:
      leading.length === 0
        ? []
        : routers.map(({ id, subnetCidr }) => ({ link: nicLinkName(id), subnet: subnetCidr })),
    toPeers: routesToPeers(want),
  }
}

/** The rules for the NICs of a namespace. */
export function routerRouteRules(
  { shared }: Pick<HostWant, 'shared'>,
  nics: readonly NicWant[],
): RouterRouteRules {
  const routers = nics.filter(isRouter)
  const alike = alikeSubnets(leadingSubnets(shared), 'led')
  if (routers.length === 0 && alike.length === 0) return NONE
  const own = shared.vpcs.map(({ cidr }) => formatCidr(cidr))
  const from = (line: (name: string) => string) =>
    alike.flatMap(({ name, subnets }) =>
      subnets.match('ip saddr').map((source) => `${source} ${line(name)}`),
    )
  const notOfRouter = routers.length === 0 ? '' : 'iifname != @router_links '
  const has = (test: (way: WayOut) => boolean) =>
    alike.some(({ routes }) => routes.some(({ to }) => test(to)))
  const isThere = has((to) => isLed(to) && to.via !== undefined)
  return {
    objects: [
      ...alike.flatMap(({ subnets }) => subnets.sets),
      ...alike.flatMap((one) => chainsOf(one, own, routers.length > 0)),
      chain('to_router', [
        ...own.map((net) => `ip daddr ${net} return`),
        ...routers.map(({ id, subnet }) => {
          const routes = alike.find(({ members }) => members.some(({ id }) => id === subnet))
          const verdict = routes === undefined ? drop('route') : `goto router_here_${routes.name}`
          return `iifname "${nicLinkName(id)}" ${verdict}`
        }),
        ...from((name) => `goto router_here_${name}`),
        drop('route'),
      ]),
    ],
    beginning: [`oifname ${ANY_NIC} jump to_router`],
    leaving: from((name) => `jump router_there_${name}`),
    fromFabric: has(leadsHere)
      ? alike.flatMap(({ subnets }) =>
          subnets
            .match('ip saddr')
            .map((source) => `${source} fib daddr type unicast fib saddr . iif oif exists accept`),
        )
      : [],
    untranslated: isThere ? ['ip daddr != @peers rt ip nexthop @peers accept'] : [],
    beforeFloats: from((name) => `iifname ${ANY_NIC} ${notOfRouter}jump router_first_${name}`),
  }
}

/** What a router here sends that is from others: it does not leave the VPC. */
export const FORWARDED = `iifname @router_links iifname . ip saddr != @router_sources ${drop('reach')}`

function chainsOf(
  { name, routes }: AlikeSubnets,
  own: readonly string[],
  hasRouters: boolean,
): readonly NftObject[] {
  const lines = (verdicts: (to: WayOut) => readonly string[]) =>
    routes.flatMap(({ destination, to }) => {
      const there = destinedTo(destination, 'ip daddr')
      return verdicts(to).map((verdict) => `${there}${verdict}`)
    })
  return [
    chain(`router_here_${name}`, [
      ...lines((to) => {
        if (to.kind !== 'nic' || to.via !== undefined) return [drop('route')]
        const link = `"${nicLinkName(to.nic)}"`
        return [`iifname != ${link} oifname ${link} return`, drop('route')]
      }),
      drop('route'),
    ]),
    chain(`router_there_${name}`, [
      ...own.map((net) => `ip daddr ${net} return`),
      ...lines((to) => {
        if (!isLed(to)) return ['return']
        const away = to.via === undefined ? [] : [`rt ip nexthop ${to.via} ${ACCEPT}`]
        const first = hasRouters && to.kind === 'nat-address' ? [FORWARDED] : []
        return [...first, ...away, drop('route')]
      }),
    ]),
    chain(
      `router_first_${name}`,
      lines((to) => [isLed(to) ? 'accept' : 'return']),
    ),
  ]
}

/** What decides whether a flow is led to a router. */
export interface LedSubnets {
  /** Those that have a route to a router. */
  readonly led: readonly LeadingSubnet[]
  readonly vpcs: readonly Cidr[]
}

/** Those of a want. */
export function ledSubnets({ shared }: Pick<HostWant, 'shared'>): LedSubnets {
  return { led: leadingSubnets(shared), vpcs: shared.vpcs.map(({ cidr }) => cidr) }
}

/** The way of a flow to a router or to another host; undefined: it is led to none. */
export function wayToRouter(
  { source, destination }: Pick<Flow, 'source' | 'destination'>,
  { led, vpcs }: LedSubnets,
): LedWay | undefined {
  if (led.length === 0) return undefined
  const routes = led.find(({ cidr }) => cidrContains(cidr, source))?.routes
  if (routes === undefined) return undefined
  if ([LINK_LOCAL, ...vpcs].some((net) => cidrContains(net, destination))) return undefined
  const to = routeTo(destination, routes)?.to
  return to !== undefined && isLed(to) ? to : undefined
}

/** Whether the flow has the addresses with which it began, as what is led to a router does. */
export function isUntranslated(flow: Flow | TrackedFlow): boolean {
  return (
    !('answerTo' in flow) || (flow.answerTo === flow.source && flow.answerFrom === flow.destination)
  )
}

/** What decides whether routers of a host let flows in and out. */
export interface RouterPermissions extends Pick<Permissions, 'nics' | 'groups'> {
  readonly led: LedSubnets
  /** Networks whose addresses no router forwards. */
  readonly inside: readonly Cidr[]
  /**
   * The only NICs by which packets from elsewhere come into the VPC. None where there may be
   * others.
   */
  readonly routers: readonly Pick<NicWant, 'groups'>[]
}

/** What they let in and out. */
export function routerPermissions(want: HostWant, permissions: Permissions): RouterPermissions {
  const { vpcs } = want.shared
  const isOnlyHere = vpcs.every(
    ({ network, hasRouters }) => network !== undefined && hasRouters !== true,
  )
  return {
    ...permissions,
    led: ledSubnets(want),
    inside: [...vpcs, ...(want.peered ?? [])].map(({ cidr }) => cidr),
    routers: isOnlyHere ? want.local.instances.flatMap(({ nics }) => nics.filter(isRouter)) : [],
  }
}

/**
 * Whether the groups of the router that the flow is led to let it in, and those of the router that
 * it came from let it out. Of several that it may have come from, one must.
 */
export function isLetThrough(
  flow: TrackedFlow,
  { led, nics, groups, routers, inside }: RouterPermissions,
): boolean {
  if (!isUntranslated(flow)) return true
  const way = wayToRouter(flow, led)
  const router = way?.kind === 'nic' && way.via === undefined ? nics.get(way.ip) : undefined
  if (router !== undefined && permittingRule(flow, false, router, groups) === undefined)
    return false
  const isIn = (ip: Ipv4) => inside.some((net) => cidrContains(net, ip))
  const isForwarded = routers.length > 0 && !isIn(flow.source) && isIn(flow.destination)
  return (
    !isForwarded || routers.some((one) => permittingRule(flow, true, one, groups) !== undefined)
  )
}
