/**
 * The gateway device, and Atoll's routes that do not lead to a NIC. Errors: the kernel's own.
 */
import type { Cidr, Ipv4 } from '../../model/addr.ts'
import { cidrContains, formatCidr } from '../../model/addr.ts'
import { ROUTE_PROTOCOL } from '../../model/names.ts'
import { TRANSIT_RANGE } from '../../model/transit.ts'
import type { Ip } from '../netlink/ip.ts'
import type { RouteState } from '../netlink/ip-decode.ts'
import type { RouteSpec } from '../netlink/ip-encode.ts'
import { ensureSetting } from './sysctl.ts'

const HOST_PREFIX = 32
/** A worse metric than that of any other route, so that it never replaces one. */
const UNREACHABLE_METRIC = 0xffff_0000

/**
 * One address-only bridge with exactly these `/32`s, up. A bridge, because some kernels have no
 * dummy device.
 */
export async function ensureGatewayLink(
  ip: Ip,
  name: string,
  addresses: readonly Ipv4[],
): Promise<void> {
  let link = await ip.link(name)
  if (link === undefined) {
    await ip.addBridge(name)
    ip.inside(() => ensureSetting(`ipv6/conf/${name}/disable_ipv6`, '1'))
    link = await ip.link(name)
  }
  if (link === undefined) throw new Error(`${name} vanished while it was being made`)
  const { index, up } = link
  if (!up) await ip.setLink(index, { up: true })
  const have = (await ip.addresses()).filter((address) => address.index === index)
  const wanted = new Set(addresses)
  for (const address of have)
    if (address.prefix !== HOST_PREFIX || !wanted.delete(address.ip))
      await ip.deleteAddress(address)
  for (const address of wanted) await ip.addAddress(index, address, HOST_PREFIX)
}

/**
 * Makes Atoll's routes that have no NIC equal to these. Routes to instances go through the link
 * `over` if it is given. Returns what it changed. Rejects after it has tried all routes, if the
 * kernel refused some.
 */
export async function ensureFabricRoutes(
  ip: Ip,
  routes: readonly { readonly ip: Ipv4; readonly via: Ipv4 }[],
  vpcs: readonly Cidr[],
  over: string | null,
): Promise<readonly string[]> {
  const fabric = over === null ? undefined : (await ip.link(over))?.index
  if (over !== null && fabric === undefined) throw new Error(`there is no ${over}`)
  const keyOf = (route: RouteSpec | RouteState) => routeKey(route, fabric)
  const specs = [
    ...routes.map((route) => remoteRoute(route.ip, route.via, fabric)),
    ...vpcs.map(unreachableRoute),
  ]
  const wanted = new Map(specs.map((spec) => [keyOf(spec), spec]))
  const changed: string[] = []
  for (const route of await ip.routes()) {
    if (route.protocol !== ROUTE_PROTOCOL || isOfOthers(route)) continue
    if (wanted.delete(keyOf(route))) continue
    await ip.deleteRoute(route)
    changed.push(`-${keyOf(route)}`)
  }
  const errors: unknown[] = []
  for (const [key, route] of wanted) {
    try {
      await ip.replaceRoute(route)
      changed.push(`+${key}`)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} routes were refused`)
  return changed
}

/**
 * Routes to NICs, which `nics.ts` looks after, and those of floating IPs (`floating-ips.ts`): the
 * only ones of ours without a next hop, or with one in the namespace of a VPC.
 */
function isOfOthers({ kind, via }: RouteState): boolean {
  return kind === 'unicast' && (via === null || cidrContains(TRANSIT_RANGE, via))
}

function remoteRoute(destination: Ipv4, via: Ipv4, index: number | undefined): RouteSpec {
  const route = { destination, prefix: HOST_PREFIX, protocol: ROUTE_PROTOCOL, via }
  return { kind: 'unicast', ...route, ...(index === undefined ? {} : { index, onLink: true }) }
}

function unreachableRoute({ network, prefix }: Cidr): RouteSpec {
  return {
    kind: 'unreachable',
    destination: network,
    prefix,
    protocol: ROUTE_PROTOCOL,
    metric: UNREACHABLE_METRIC,
  }
}

/** What identifies a route. The link is a part of it for the fabric's device only. */
function routeKey(route: RouteSpec | RouteState, fabric: number | undefined): string {
  const destination = formatCidr({ network: route.destination, prefix: route.prefix })
  const via = route.via ? ` via ${route.via}` : ''
  return `${route.kind} ${destination}${via}${via !== '' && fabric !== undefined ? ` link ${route.index}` : ''}`
}
