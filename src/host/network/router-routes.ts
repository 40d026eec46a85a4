/**
 * Routes of subnets to instances that are routers, and to peers. Errors: the kernel's own.
 *
 * Each subnet that has one has a routing table of its own, which is asked for what has a source in
 * the subnet. What the table does not lead to a router, it leaves to the main one (`throw`): the
 * VPC itself, and routes to gateways. The number of the table follows from the subnet's range. What
 * a router forwards may have any source: rules for its link come before, and ask the table of the
 * router's own subnet.
 *
 * In the machine's own namespace, routes to peers are in such tables, too, which are asked first
 * and have nothing else. So the range of a peer may be anybody's: the machine itself and subnets
 * without such a route find there whom they would find without the peering.
 */
import { type Cidr, formatCidr, ipv4ToNumber } from '../../model/addr.ts'
import {
  PEER_RULE_PRIORITY,
  ROUTER_ROUTE_PROTOCOL,
  ROUTER_RULE_PRIORITY,
} from '../../model/names.ts'
import type { RouterRoutes, SubnetRoutes } from '../../model/router-routes.ts'
import type { Ip } from '../netlink/ip.ts'
import { MAIN_TABLE, type RouteState } from '../netlink/ip-decode.ts'
import type { RouteSpec } from '../netlink/ip-encode.ts'
import type { SubnetRule } from '../netlink/policy-encode.ts'

/**
 * The first of the tables to routers, and of those to peers. Those of others have smaller numbers:
 * the number of a pool's gateway is its address (`pool-gateways.ts`), which is neither multicast
 * nor of the reserved range.
 */
const FIRST_TABLE = { toRouters: 0xf000_0000, toPeers: 0xe000_0000 } as const
type TableKind = keyof typeof FIRST_TABLE
/** A worse metric than that of a route to a router. */
const UNREACHABLE_METRIC = 0xffff_0000
/** A subnet has at least 16 addresses. */
const SUBNET_SIZE = 16

/**
 * Makes our rules and tables for routers and peers equal to these. A route whose link is not there
 * leads nowhere. Returns what it changed. Rejects after it has tried everything, if the kernel
 * refused some.
 */
export async function ensureRouterRoutes(ip: Ip, wanted: RouterRoutes): Promise<readonly string[]> {
  const { subnets, routers, toPeers } = wanted
  const had = await ip.subnetRules()
  // Nothing leads to tables that are left. So where there are none, routes are not read.
  if (subnets.length + routers.length + toPeers.length + had.length === 0) return []
  return await change(ip, wanted, had)
}

/** Removes all of ours. Returns what it removed. */
export async function removeRouterRoutes(ip: Ip): Promise<readonly string[]> {
  return await change(ip, { subnets: [], routers: [], toPeers: [] }, await ip.subnetRules())
}

async function change(
  ip: Ip,
  wanted: RouterRoutes,
  had: readonly SubnetRule[],
): Promise<readonly string[]> {
  // The kernel takes no route by a link that is down.
  const links = new Map(
    (await ip.links()).flatMap(({ name, index, up }) => (up ? [[name, index] as const] : [])),
  )
  const routesOf = (kind: TableKind) => (one: SubnetRoutes) =>
    one.routes.flatMap((route) => routeOf(tableOf(one.cidr, kind), route, links))
  const specs = [
    ...wanted.subnets.flatMap(routesOf('toRouters')),
    ...wanted.toPeers.flatMap(routesOf('toPeers')),
  ]
  const rules = rulesOf(wanted)
  const keys = new Set(specs.map(routeKey))
  const missing = differenceOf(specs, await ip.tableRoutes(ROUTER_ROUTE_PROTOCOL), (route) => {
    // The kernel finds the link of a next hop that is asked for without one.
    const { index: _, ...rest } = route
    return keys.has(routeKey(rest)) ? routeKey(rest) : routeKey(route)
  })
  const missingRules = differenceOf(rules, had, ruleKey)
  const errors: unknown[] = []
  const changed: string[] = []
  const attempt = async (change: string, work: Promise<void>) => {
    try {
      await work
      changed.push(change)
    } catch (error) {
      errors.push(error)
    }
  }
  // First what is new, so that no packet finds a table without its routes.
  for (const [key, route] of missing.added) await attempt(`+${key}`, ip.replaceRoute(route))
  for (const [key, rule] of missingRules.added) await attempt(`+${key}`, ip.addSubnetRule(rule))
  for (const [key, rule] of missingRules.gone) await attempt(`-${key}`, ip.deleteSubnetRule(rule))
  for (const [key, route] of missing.gone) await attempt(`-${key}`, ip.deleteRoute(route))
  if (errors.length > 0)
    throw new AggregateError(errors, `${errors.length} routes of subnets were refused`)
  return changed
}

function rulesOf({ subnets, routers, toPeers }: RouterRoutes): readonly SubnetRule[] {
  const tables = new Set(subnets.map(({ cidr }) => tableOf(cidr, 'toRouters')))
  const ofSubnet = (priority: number, kind: TableKind) => (one: SubnetRoutes) => ({
    ...{ priority, source: one.cidr, link: null },
    table: tableOf(one.cidr, kind),
  })
  return [
    ...toPeers.map(ofSubnet(PEER_RULE_PRIORITY, 'toPeers')),
    ...routers.map(({ link, subnet }) => {
      const table = tableOf(subnet, 'toRouters')
      return {
        ...{ priority: ROUTER_RULE_PRIORITY, source: null, link },
        table: tables.has(table) ? table : MAIN_TABLE,
      }
    }),
    ...subnets.map(ofSubnet(ROUTER_RULE_PRIORITY + 1, 'toRouters')),
  ]
}

function tableOf({ network }: Cidr, kind: TableKind): number {
  return FIRST_TABLE[kind] + Math.floor(ipv4ToNumber(network) / SUBNET_SIZE)
}

function routeOf(
  table: number,
  { destination, to }: SubnetRoutes['routes'][number],
  links: ReadonlyMap<string, number>,
): readonly RouteSpec[] {
  const { network, prefix } = destination
  const route = { destination: network, prefix, protocol: ROUTER_ROUTE_PROTOCOL, table }
  if (to === null) return [{ kind: 'throw', ...route }]
  // The kernel removes the other one with its link. Then nothing goes by the main table.
  const none: RouteSpec = { kind: 'unreachable', ...route, metric: UNREACHABLE_METRIC }
  if (to.link === null) return [{ kind: 'unicast', ...route, via: to.via }, none]
  const index = links.get(to.link)
  if (index === undefined) return [none]
  return [{ kind: 'unicast', ...route, via: to.via, index, onLink: true }, none]
}

/** What is wanted and not there, and the other way round, by key. */
function differenceOf<Wanted, Had>(
  wanted: readonly Wanted[],
  had: readonly Had[],
  keyOf: (one: Wanted | Had) => string,
): { readonly added: ReadonlyMap<string, Wanted>; readonly gone: ReadonlyMap<string, Had> } {
  const added = new Map(wanted.map((one) => [keyOf(one), one]))
  const gone = new Map(had.map((one) => [keyOf(one), one]))
  for (const key of [...added.keys()]) if (gone.delete(key)) added.delete(key)
  return { added, gone }
}

function routeKey({
  kind,
  destination,
  prefix,
  via,
  index,
  table,
}: Omit<RouteSpec | RouteState, 'index'> & { readonly index?: number }): string {
  const range = formatCidr({ network: destination, prefix })
  const by = via ? ` via ${via}` : ''
  return `${kind} ${range}${by}${index ? ` link ${index}` : ''} table ${table}`
}

function ruleKey({ priority, source, link, table }: SubnetRule): string {
  return `rule ${priority} ${source === null ? link : formatCidr(source)} table ${table}`
}
