/**
 * The gateway device, and those routes of ours that do not lead to a NIC. Errors: the kernel's own.
 */
import type { Cidr, Ipv4 } from '../model/addr.ts'
import { formatCidr } from '../model/addr.ts'
import { ROUTE_PROTOCOL } from '../model/names.ts'
import type { Ip } from './ip.ts'
import type { RouteState } from './ip-decode.ts'
import type { RouteSpec } from './ip-encode.ts'
import { ensureSetting } from './sysctl.ts'

const HOST_PREFIX = 32
/** Worse than any route an administrator or a DHCP client makes, so that it never takes the place of one. */
const UNREACHABLE_METRIC = 0xffff_0000

/** One address-only bridge with exactly these `/32`s, up. A bridge, because some kernels have no dummy device. */
export async function ensureGatewayLink(
  ip: Ip,
  name: string,
  addresses: readonly Ipv4[],
): Promise<void> {
  let link = await ip.link(name)
  if (link === undefined) {
    await ip.addBridge(name)
    ensureSetting(`ipv6/conf/${name}/disable_ipv6`, '1')
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

/** Makes our routes that have no NIC equal to these. Returns what it changed. */
export async function ensureFabricRoutes(
  ip: Ip,
  routes: readonly { readonly ip: Ipv4; readonly via: Ipv4 }[],
  vpcs: readonly Cidr[],
): Promise<readonly string[]> {
  const wanted = new Map<string, RouteSpec>()
  for (const route of routes) {
    const spec = remoteRoute(route.ip, route.via)
    wanted.set(routeKey(spec), spec)
  }
  for (const vpc of vpcs) {
    const spec = unreachableRoute(vpc)
    wanted.set(routeKey(spec), spec)
  }
  const changed: string[] = []
  for (const route of await ip.routes()) {
    if (route.protocol !== ROUTE_PROTOCOL || leadsToNic(route)) continue
    if (wanted.delete(routeKey(route))) continue
    await ip.deleteRoute(route)
    changed.push(`-${routeKey(route)}`)
  }
  for (const [key, route] of wanted) {
    await ip.replaceRoute(route)
    changed.push(`+${key}`)
  }
  return changed
}

/** The routes to NICs are the only ones of ours without a next hop; `nics.ts` looks after them. */
function leadsToNic(route: RouteState): boolean {
  return route.kind === 'unicast' && route.via === null
}

function remoteRoute(destination: Ipv4, via: Ipv4): RouteSpec {
  return { kind: 'unicast', destination, prefix: HOST_PREFIX, protocol: ROUTE_PROTOCOL, via }
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

function routeKey(route: RouteSpec | RouteState): string {
  const destination = formatCidr({ network: route.destination, prefix: route.prefix })
  return `${route.kind} ${destination}${route.via ? ` via ${route.via}` : ''}`
}
