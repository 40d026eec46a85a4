/**
 * Reads the host's own network: addresses, routes, routers and resolvers that are not ours. Errors:
 * the kernel's own.
 */
import { readFile } from 'node:fs/promises'
import { type Ipv4, parseIpv4 } from '../../model/addr.ts'
import { LINK_PREFIX, ROUTE_PROTOCOL, ROUTER_ROUTE_PROTOCOL } from '../../model/names.ts'
import { createIp } from '../netlink/ip.ts'
import { openRouteNetlink } from '../netlink/netlink.ts'

const RESOLVERS_FILE = '/etc/resolv.conf'
/** A default route may come in two halves (`host-routing.ts`). */
const WORLD_PREFIX_LIMIT = 1
/** A router with a full routing table has more. The rest is not reported. */
const ROUTES_LIMIT = 4_096
/** Of routes that are ours. */
const OWN: readonly number[] = [ROUTE_PROTOCOL, ROUTER_ROUTE_PROTOCOL]
/** `lo` is every host's. */
const LOOPBACK = 'lo'

interface Address {
  readonly link: string
  readonly ip: Ipv4
  readonly prefix: number
}
interface Route {
  readonly network: { readonly network: Ipv4; readonly prefix: number }
  readonly gateway: Ipv4 | null
  readonly link: string | null
}

/** The current state. */
export async function readOwnNetwork(): Promise<{
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
  readonly routers: readonly Ipv4[]
  readonly resolvers: readonly Ipv4[]
  readonly loopback: readonly Ipv4[]
}> {
  const ip = createIp(openRouteNetlink())
  try {
    const names = new Map((await ip.links()).map(({ index, name }) => [index, name]))
    const isForeign = (index: number) => {
      const name = names.get(index)
      return name !== LOOPBACK && name?.startsWith(LINK_PREFIX) !== true
    }
    const hops = (await ip.hops())
      .filter(({ protocol, index }) => !OWN.includes(protocol) && isForeign(index))
      .slice(0, ROUTES_LIMIT)
    const all = await ip.addresses()
    const addresses = all.filter(({ index }) => isForeign(index))
    return {
      loopback: all
        .filter(({ index }) => names.get(index) === LOOPBACK)
        .map(({ ip: address }) => address),
      addresses: addresses.map(({ index, ip: address, prefix }) => ({
        link: names.get(index) ?? `link ${index}`,
        ip: address,
        prefix,
      })),
      routes: hops
        .filter(({ prefix }) => prefix > WORLD_PREFIX_LIMIT)
        .map(({ network, prefix, gateway, index }) => ({
          network: { network, prefix },
          gateway,
          link: names.get(index) ?? null,
        })),
      routers: [
        ...new Set(
          hops.flatMap(({ prefix, gateway }) =>
            prefix <= WORLD_PREFIX_LIMIT && gateway !== null ? [gateway] : [],
          ),
        ),
      ],
      resolvers: await readResolvers(),
    }
  } finally {
    ip.close()
  }
}

async function readResolvers(): Promise<readonly Ipv4[]> {
  const text = await readFile(RESOLVERS_FILE, 'utf8').catch(() => '')
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)].flatMap(([, one = '']) => parseIpv4(one) ?? [])
}
