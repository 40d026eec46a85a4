/**
 * Floating IPs on the host's network: who answers for them. Errors: the kernel's own.
 *
 * The host does not have the address itself, so nothing of its own ever answers there. It has a
 * `/32` route to a device that leads nowhere, which proxy ARP asks for, and a proxy entry on the
 * link whose network the address is in, else on that of the default route.
 */
import { hasCode } from '../../lib/errno.ts'
import type { Ipv4 } from '../../model/addr.ts'
import { cidrContains, ipv4ToBytes } from '../../model/addr.ts'
import { networkOf } from '../../model/collisions.ts'
import {
  GATEWAY_LINK,
  LINK_PREFIX,
  ROUTE_PROTOCOL,
  ROUTER_ROUTE_PROTOCOL,
} from '../../model/names.ts'
import { TRANSIT_RANGE } from '../../model/transit.ts'
import type { FloatingIpRoute } from '../host.ts'
import type { Libc } from '../libc.ts'
import { createIp, type Ip } from '../netlink/ip.ts'
import { openRouteNetlink } from '../netlink/netlink.ts'
import { proxyDelaySetting } from './nic.ts'
import { isStandInRoute } from './stand-in-routes.ts'
import { ensureSetting, readSetting } from './sysctl.ts'

const HOST_PREFIX = 32
/** Of Ethernet frames (IEEE 802 numbers). */
const ETHERTYPE_ARP = 0x0806
/** Ethernet, IPv4, lengths of their addresses, request (RFC 826). */
const ARP_REQUEST = [0, 1, 8, 0, 6, 4, 0, 1]
/** Hundredths of a second (arp(7)). Only the first network namespace tells. */
const USUAL_PROXY_DELAY = '80'
const NO_MAC = new Uint8Array(6)
/** The link is down or gone, or its queue is full. */
const UNABLE = ['ENETDOWN', 'ENXIO', 'ENODEV', 'EAGAIN', 'ENOBUFS']

/** See `Host.ensureFloatingIps`. Rejects after it has tried all, if the kernel refused some. */
export async function ensureFloatingIps(
  ip: Ip,
  announcer: Pick<Announcer, 'announce'>,
  routes: readonly FloatingIpRoute[],
): Promise<{ readonly came: readonly Ipv4[]; readonly went: readonly Ipv4[] }> {
  const indexes = new Map((await ip.links()).map(({ name, index }) => [name, index]))
  const addresses = routes.map(({ address }) => address)
  const uplinks = await uplinksOf(ip, routes)
  const wanted = new Map(
    routes.map(({ address, link, via }) => [address, { index: indexes.get(link), via }]),
  )
  const have = await removeOthers(ip, wanted, uplinks)
  const own = await ip.addresses()
  const errors: unknown[] = []
  const announced: Ipv4[] = []
  for (const [address, { index, via }] of wanted) {
    const uplink = uplinks.get(address)
    if (have.routed.has(address) && (uplink === undefined || have.proxied.has(address))) continue
    try {
      if (index === undefined) throw new Error(`there is no link for ${address} yet`)
      const source = own.find((one) => one.index === uplink)?.ip
      await ip.replaceRoute({
        ...{ kind: 'unicast', destination: address, prefix: HOST_PREFIX, index },
        protocol: ROUTE_PROTOCOL,
        // What the host itself sends there has an address that instances can answer.
        ...(via === null ? (source === undefined ? {} : { source }) : { via }),
      })
      if (uplink === undefined) continue
      const name = await ip.linkName(uplink)
      if (name !== undefined) ensureSetting(proxyDelaySetting(name), '0')
      await ip.addProxy(uplink, address)
      announced.push(address)
    } catch (error) {
      errors.push(error)
    }
  }
  const gateways = new Map(routes.map(({ address, gateway }) => [address, gateway]))
  await announcer.announce(
    announced.map((address) => ({ address, gateway: gateways.get(address) })),
  )
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} were refused`)
  return { came: addresses.filter((one) => !have.routed.has(one)), went: have.gone }
}

/** Removes routes and proxy entries of ours that are not wanted, and tells which are there. */
async function removeOthers(
  ip: Ip,
  wanted: ReadonlyMap<Ipv4, { readonly index: number | undefined; readonly via: Ipv4 | null }>,
  uplinks: ReadonlyMap<Ipv4, number>,
) {
  const proxied = new Set<Ipv4>()
  const routed = new Set<Ipv4>()
  const gone = new Set<Ipv4>()
  for (const proxy of await ip.proxies()) {
    if (uplinks.get(proxy.ip) === proxy.index) proxied.add(proxy.ip)
    else await ip.deleteProxy(proxy)
    if (!wanted.has(proxy.ip)) gone.add(proxy.ip)
  }
  const gateway = (await ip.link(GATEWAY_LINK))?.index
  for (const route of await ip.routes()) {
    const isOurs =
      route.protocol === ROUTE_PROTOCOL && route.kind === 'unicast' && !isStandInRoute(route)
    const isFloating =
      route.via === null ? route.index === gateway : cidrContains(TRANSIT_RANGE, route.via)
    if (!isOurs || !isFloating) continue
    const { destination, prefix, index, via } = route
    const should = wanted.get(destination)
    if (prefix === HOST_PREFIX && should?.index === index && should.via === via)
      routed.add(destination)
    else {
      await ip.deleteRoute(route)
      gone.add(destination)
    }
  }
  return { proxied, routed, gone: [...gone] }
}

/**
 * Removes all proxy entries of ours, and gives their links the kernel's own delay of answers again.
 * Returns the addresses.
 */
export async function removeProxies(ip: Ip): Promise<readonly Ipv4[]> {
  const proxies = await ip.proxies()
  for (const proxy of proxies) await ip.deleteProxy(proxy)
  for (const index of new Set(proxies.map((proxy) => proxy.index))) {
    const name = await ip.linkName(index)
    const usual = readSetting(proxyDelaySetting('default')) ?? USUAL_PROXY_DELAY
    if (name !== undefined) ensureSetting(proxyDelaySetting(name), usual)
  }
  return proxies.map((proxy) => proxy.ip)
}

/** An address, and the gateway of its pool. */
type Announced = Pick<FloatingIpRoute, 'address' | 'gateway'>

/** Tells neighbours who has an address. */
export interface Announcer {
  /**
   * Announces the addresses on their links, as if they were the host's own (RFC 5227, section 3). A
   * link that takes nothing at the moment keeps no other from it.
   */
  announce(addresses: readonly Announced[]): Promise<void>
  close(): void
}

/** Of the calling thread's namespace. */
export function createAnnouncer(ip: Ip, libc: Libc): Announcer {
  const fd = libc.packetSocket()
  return {
    async announce(addresses) {
      if (addresses.length === 0) return
      const uplinks = await uplinksOf(ip, addresses)
      const macs = new Map((await ip.links()).map(({ index, mac }) => [index, mac]))
      for (const [address, index] of uplinks) {
        const mac = Buffer.from((macs.get(index) ?? '').replaceAll(':', ''), 'hex')
        // A link without Ethernet addresses, as a tunnel's, knows no ARP.
        if (mac.length !== NO_MAC.length) continue
        const own = ipv4ToBytes(address)
        const frame = Buffer.concat([Uint8Array.from(ARP_REQUEST), mac, own, NO_MAC, own])
        try {
          libc.broadcast(fd, index, ETHERTYPE_ARP, frame)
        } catch (error) {
          if (!hasCode(error, ...UNABLE)) throw error
        }
      }
    },
    close: () => libc.close(fd),
  }
}

/** The names of the links on which these addresses are answered for. */
export async function answeringLinks(
  ip: Ip,
  addresses: readonly Announced[],
): Promise<readonly { readonly link: string; readonly ip: Ipv4 }[]> {
  const names = new Map((await ip.links()).map(({ index, name }) => [index, name]))
  return [...(await uplinksOf(ip, addresses))].flatMap(([address, index]) => {
    const link = names.get(index)
    return link === undefined ? [] : [{ link, ip: address }]
  })
}

/** An address of the link of the default route; null without one. */
export async function ownAddress(ip: Ip): Promise<Ipv4 | null> {
  const own = await ip.addresses()
  const world = await defaultRoutes(ip)
  return own.find(({ index }) => world.some((hop) => hop.index === index))?.ip ?? null
}

/** `ownAddress` of the calling thread's namespace, for a program that needs nothing else of it. */
export async function openOwnAddress(): Promise<Ipv4 | null> {
  const ip = createIp(openRouteNetlink())
  try {
    return await ownAddress(ip)
  } finally {
    ip.close()
  }
}

/** Default routes of the machine itself, not those of pools' gateways. */
async function defaultRoutes(ip: Ip) {
  return (await ip.hops()).filter(
    ({ prefix, protocol }) =>
      prefix === 0 && protocol !== ROUTE_PROTOCOL && protocol !== ROUTER_ROUTE_PROTOCOL,
  )
}

/** The link on which each address is answered for; none without a link to the outside. */
async function uplinksOf(
  ip: Ip,
  addresses: readonly Announced[],
): Promise<ReadonlyMap<Ipv4, number>> {
  const ours = new Set(
    (await ip.links()).flatMap(({ name, index }) => (name.startsWith(LINK_PREFIX) ? index : [])),
  )
  const own = (await ip.addresses()).filter(({ index }) => !ours.has(index))
  const world = (await defaultRoutes(ip)).find(({ index }) => !ours.has(index))
  return new Map(
    addresses.flatMap(({ address, gateway }) => {
      const linkOf = (there: Ipv4) =>
        own.find((one) => cidrContains(networkOf(one.ip, one.prefix), there))?.index
      const behind = gateway === undefined ? undefined : linkOf(gateway)
      const index = linkOf(address) ?? behind ?? world?.index
      return index === undefined ? [] : [[address, index] as const]
    }),
  )
}
