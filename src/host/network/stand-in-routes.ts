/**
 * Routes of the machine's own namespace to stand-ins (`plan/stand-ins.ts`), each to the namespace
 * of the VPC whose NIC has them. Errors: the kernel's own.
 */
import { cidrContains, formatCidr } from '../../model/addr.ts'
import { ROUTE_PROTOCOL } from '../../model/names.ts'
import { STAND_IN_RANGE } from '../../model/transit.ts'
import type { StandInRoute } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { RouteState } from '../netlink/ip-decode.ts'

/** A route that is to be made. */
type MissingRoute = Pick<StandInRoute, 'net' | 'via'> & { readonly index: number }

/** Whether it is one of ours. */
export function isStandInRoute({ destination, protocol }: RouteState): boolean {
  return protocol === ROUTE_PROTOCOL && cidrContains(STAND_IN_RANGE, destination)
}

/**
 * Makes them equal to these. One whose link is not there yet is left out. Returns what it changed.
 */
export async function ensureStandInRoutes(
  ip: Ip,
  wanted: readonly StandInRoute[],
): Promise<readonly string[]> {
  const indexes = new Map((await ip.links()).map(({ name, index }) => [name, index]))
  const missing = new Map<string, MissingRoute>(
    wanted.flatMap(({ net, link, via }) => {
      const index = indexes.get(link)
      if (index === undefined) return []
      return [[`${formatCidr(net)} ${index} ${via}`, { net, index, via }] as const]
    }),
  )
  const changed: string[] = []
  for (const route of (await ip.routes()).filter(isStandInRoute)) {
    const net = formatCidr({ network: route.destination, prefix: route.prefix })
    if (missing.delete(`${net} ${route.index} ${route.via}`)) continue
    await ip.deleteRoute(route)
    changed.push(`-${net}`)
  }
  for (const { net, index, via } of missing.values()) {
    const { network: destination, prefix } = net
    await ip.replaceRoute({
      ...{ kind: 'unicast', destination, prefix, index, via },
      protocol: ROUTE_PROTOCOL,
    })
    changed.push(`+${formatCidr(net)}`)
  }
  return changed
}
