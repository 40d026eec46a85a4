/**
 * Reads what else is on the host's network: default routes, connected networks, bridges of a Docker
 * Engine. Errors: the kernel's own.
 */
import { type Cidr, cidrContains } from '../../model/addr.ts'
import type { HostRouting } from '../../model/host-routing.ts'
import { isNicLink, ROUTE_PROTOCOL, ROUTER_ROUTE_PROTOCOL } from '../../model/names.ts'
import { TRANSIT_PREFIX, TRANSIT_RANGE } from '../../model/transit.ts'
import type { Ip } from '../netlink/ip.ts'
import type { HopState } from '../netlink/ip-decode.ts'

/**
 * A default route may come in two halves, which are more specific than the one that they replace
 * (OpenVPN's redirect-gateway def1), and in a table of its own (wg-quick(8)).
 */
const WORLD_PREFIX_LIMIT = 1
/** Names of bridges that Docker Engine creates: its own, Swarm's, and those of its networks. */
const ENGINE_BRIDGE = /^(?:docker0|docker_gwbridge|br-[0-9a-f]{12})$/
/** Names that can be used in a rule. The kernel also allows quotation marks and asterisks. */
const PLAIN_NAME = /^[\w.@-]{1,15}$/
/** A router with a full routing table has more. The rest is not reported. */
const CONNECTED_LIMIT = 4_096

/** The current state. */
export async function readHostRouting(ip: Ip): Promise<Omit<HostRouting, 'forwardedBefore'>> {
  // A default route of ours is that of a pool's gateway, by which floating IPs leave.
  const hops = (await ip.hops()).filter(
    ({ protocol, prefix }) =>
      protocol !== ROUTER_ROUTE_PROTOCOL && (protocol !== ROUTE_PROTOCOL || prefix === 0),
  )
  const world = hops.filter(({ prefix }) => prefix <= WORLD_PREFIX_LIMIT)
  const connected = hops
    .filter(({ prefix, gateway }) => prefix > WORLD_PREFIX_LIMIT && gateway === null)
    .slice(0, CONNECTED_LIMIT)
  const named = connected.filter((hop) => !isTransit(hop))
  const names = await namesOf(ip, [...world, ...named])
  const defaultRoutes = world.flatMap(({ index, gateway }) => {
    const link = names.get(index)
    return link === undefined || isNicLink(link) ? [] : [{ link, gateway }]
  })
  const addresses = (await ip.addresses()).map((address) => address.ip)
  const bridges = connected.flatMap(({ index }) => names.get(index) ?? [])
  return {
    defaultRoutes: sortedUnique(defaultRoutes, ({ link, gateway }) => `${link} ${gateway}`),
    connected: sortedUnique(
      connected.map(networkOf),
      ({ network, prefix }) => `${network}/${prefix}`,
    ),
    addresses: sortedUnique(addresses, String),
    engineBridges: sortedUnique(
      bridges.filter((name) => ENGINE_BRIDGE.test(name)),
      String,
    ),
  }
}

/** Of a link to a VPC. There may be hundreds, and each name is a question to the kernel. */
function isTransit({ network, prefix }: HopState): boolean {
  return prefix === TRANSIT_PREFIX && cidrContains(TRANSIT_RANGE, network)
}

function networkOf({ network, prefix }: HopState): Cidr {
  return { network, prefix }
}

async function namesOf(ip: Ip, hops: readonly HopState[]): Promise<ReadonlyMap<number, string>> {
  const names = new Map<number, string>()
  for (const index of new Set(hops.map((hop) => hop.index))) {
    const name = await ip.linkName(index)
    if (name !== undefined && PLAIN_NAME.test(name)) names.set(index, name)
  }
  return names
}

/**
 * Sorted, because the kernel's order differs from one reading to the next, and the rules must not.
 */
function sortedUnique<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const byKey = new Map(items.map((item) => [keyOf(item), item]))
  return [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
}
