/**
 * Policy routing: packets of floating IPs leave by the gateway of their pool. Errors: the kernel's
 * own.
 *
 * Each source has two rules. By the first, whatever the main table knows better than by a default
 * route goes there: other instances, networks that the host is in. By the second the rest goes to
 * a table that has a default route by the gateway. The number of the table is the gateway's
 * address. Rules and routes carry our protocol number, by which a new daemon and teardown find
 * them.
 */
import { cidrContains, type Ipv4, ipv4ToNumber } from '../../model/addr.ts'
import { networkOf } from '../../model/collisions.ts'
import { LINK_PREFIX, POLICY_RULE_PRIORITY, ROUTE_PROTOCOL } from '../../model/names.ts'
import type { PoolGatewayRoute } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import { MAIN_TABLE } from '../netlink/ip-decode.ts'
import type { PolicyRule } from '../netlink/policy-encode.ts'
import { DEFAULT_DESTINATION } from './transit-link.ts'

/** A default route may come in two halves (`host-routing.ts`). */
const DEFAULT_PREFIX_LIMIT = 1

/**
 * Makes our rules and tables equal to these. A gateway that no network of this host has is left
 * out: its packets leave by the default route. Returns what it changed.
 */
export async function ensurePoolGateways(
  ip: Ip,
  wanted: readonly PoolGatewayRoute[],
): Promise<readonly string[]> {
  const have = await ip.policyRules()
  const links = await linksTo(ip, new Set(wanted.map(({ gateway }) => gateway)))
  const changed: string[] = []
  for (const [gateway, index] of links) {
    const table = tableOf(gateway)
    const routed = (await ip.tableRoutes(ROUTE_PROTOCOL)).some(
      (route) => route.table === table && route.via === gateway && route.index === index,
    )
    if (routed) continue
    await ip.replaceRoute({
      ...{ kind: 'unicast', destination: DEFAULT_DESTINATION, prefix: 0 },
      ...{ protocol: ROUTE_PROTOCOL, via: gateway, index, table },
    })
    changed.push(`+default via ${gateway}`)
  }
  const rules = wanted.flatMap(({ source, gateway }) =>
    links.has(gateway) ? rulesOf(source, tableOf(gateway)) : [],
  )
  const missing = new Map(rules.map((rule) => [JSON.stringify(rule), rule]))
  for (const rule of have) {
    if (missing.delete(JSON.stringify(rule))) continue
    await ip.deletePolicyRule(rule)
    changed.push(`-from ${rule.source}`)
  }
  for (const rule of missing.values()) {
    await ip.addPolicyRule(rule)
    changed.push(`+from ${rule.source}`)
  }
  changed.push(...(await removeTables(ip, new Set([...links.keys()].map(tableOf)))))
  return changed
}

function tableOf(gateway: Ipv4): number {
  return ipv4ToNumber(gateway)
}

function rulesOf(source: Ipv4, table: number): readonly PolicyRule[] {
  return [
    {
      ...{ priority: POLICY_RULE_PRIORITY, source },
      ...{ table: MAIN_TABLE, suppress: DEFAULT_PREFIX_LIMIT },
    },
    { priority: POLICY_RULE_PRIORITY + 1, source, table, suppress: null },
  ]
}

/** The link whose network has each gateway. */
async function linksTo(ip: Ip, gateways: ReadonlySet<Ipv4>): Promise<ReadonlyMap<Ipv4, number>> {
  const ours = new Set(
    (await ip.links()).flatMap(({ name, index }) => (name.startsWith(LINK_PREFIX) ? index : [])),
  )
  const own = (await ip.addresses()).filter(({ index }) => !ours.has(index))
  return new Map(
    [...gateways].flatMap((gateway) => {
      const near = own.find((one) => cidrContains(networkOf(one.ip, one.prefix), gateway))
      return near === undefined ? [] : [[gateway, near.index] as const]
    }),
  )
}

/** Removes the routes of ours in all tables but these. */
async function removeTables(ip: Ip, kept: ReadonlySet<number>): Promise<readonly string[]> {
  const removed: string[] = []
  for (const route of await ip.tableRoutes(ROUTE_PROTOCOL)) {
    if (kept.has(route.table ?? MAIN_TABLE)) continue
    await ip.deleteRoute(route)
    removed.push(`-default via ${route.via}`)
  }
  return removed
}

/** Removes all of ours. Returns what it removed. */
export async function removePoolGateways(ip: Ip): Promise<readonly string[]> {
  return await ensurePoolGateways(ip, [])
}
