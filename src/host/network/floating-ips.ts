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
import { LINK_PREFIX, ROUTE_PROTOCOL } from '../../model/names.ts'
import type { Libc } from '../libc.ts'
import type { Ip } from '../netlink/ip.ts'
import { proxyDelaySetting } from './nic.ts'
import { ensureSetting, readSetting } from './sysctl.ts'

const HOST_PREFIX = 32
/** Of Ethernet frames (IEEE 802 numbers). */
const ETHERTYPE_ARP = 0x0806
/** Ethernet, IPv4, lengths of their addresses, request (RFC 826). */
const ARP_REQUEST = [0, 1, 8, 0, 6, 4, 0, 1]
const NO_MAC = new Uint8Array(6)
/** The link is down or gone, or its queue is full. */
const UNABLE = ['ENETDOWN', 'ENXIO', 'ENODEV', 'EAGAIN', 'ENOBUFS']

/** See `Host.ensureFloatingIps`. */
export async function ensureFloatingIps(
  ip: Ip,
  announcer: Pick<Announcer, 'announce'>,
  link: string,
  addresses: readonly Ipv4[],
): Promise<{ readonly came: readonly Ipv4[]; readonly went: readonly Ipv4[] }> {
  const device = (await ip.link(link))?.index
  if (device === undefined) throw new Error(`there is no ${link}`)
  const uplinks = await uplinksOf(ip, addresses)
  const own = await ip.addresses()
  const wanted = new Set(addresses)
  const proxied = new Set<Ipv4>()
  const gone = new Set<Ipv4>()
  for (const proxy of await ip.proxies()) {
    if (uplinks.get(proxy.ip) === proxy.index) proxied.add(proxy.ip)
    else await ip.deleteProxy(proxy)
    if (!wanted.has(proxy.ip)) gone.add(proxy.ip)
  }
  const routed = new Set<Ipv4>()
  for (const route of await ip.routes()) {
    if (route.protocol !== ROUTE_PROTOCOL || route.index !== device) continue
    if (wanted.has(route.destination) && route.prefix === HOST_PREFIX) routed.add(route.destination)
    else {
      await ip.deleteRoute(route)
      gone.add(route.destination)
    }
  }
  const came = addresses.filter((address) => !routed.has(address) || !proxied.has(address))
  for (const address of came) {
    const route = { destination: address, prefix: HOST_PREFIX, protocol: ROUTE_PROTOCOL }
    const index = uplinks.get(address)
    const source = own.find((one) => one.index === index)?.ip
    // What the host itself sends there has an address that instances can answer.
    const from = source === undefined ? {} : { source }
    await ip.replaceRoute({ kind: 'unicast', ...route, index: device, ...from })
    if (index === undefined) continue
    const name = await ip.linkName(index)
    if (name !== undefined) ensureSetting(proxyDelaySetting(name), '0')
    await ip.addProxy(index, address)
  }
  await announcer.announce(came)
  return { came, went: [...gone] }
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
    const usual = readSetting(proxyDelaySetting('default'))
    if (name !== undefined && usual !== null) ensureSetting(proxyDelaySetting(name), usual)
  }
  return proxies.map((proxy) => proxy.ip)
}

/** Tells neighbours who has an address. */
export interface Announcer {
  /**
   * Announces the addresses on their links, as if they were the host's own (RFC 5227, section 3). A
   * link that takes nothing at the moment keeps no other from it.
   */
  announce(addresses: readonly Ipv4[]): Promise<void>
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

/** The link on which each address is answered for; none without a link to the outside. */
async function uplinksOf(ip: Ip, addresses: readonly Ipv4[]): Promise<ReadonlyMap<Ipv4, number>> {
  const ours = new Set(
    (await ip.links()).flatMap(({ name, index }) => (name.startsWith(LINK_PREFIX) ? index : [])),
  )
  const own = (await ip.addresses()).filter(({ index }) => !ours.has(index))
  const world = (await ip.hops()).find(({ prefix, index }) => prefix === 0 && !ours.has(index))
  return new Map(
    addresses.flatMap((address) => {
      const near = own.find((one) => cidrContains(networkOf(one.ip, one.prefix), address))
      const index = near?.index ?? world?.index
      return index === undefined ? [] : [[address, index] as const]
    }),
  )
}
