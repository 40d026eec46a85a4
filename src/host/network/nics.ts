/**
 * The host side of instance NICs: reads all of them in one go, and repairs one.
 *
 * A NIC is a veth pair or a tap. Its host end is routed: a `/32` route and a permanent neighbour
 * entry for each address lead to the guest, and proxy ARP answers for everyone else, so that each
 * packet of the guest crosses the host's forwarding path. Errors: the kernel's own.
 */

import { errnoOf } from '../../lib/errno.ts'
import type { Ipv4 } from '../../model/addr.ts'
import { isNicLink, ROUTE_PROTOCOL } from '../../model/names.ts'
import type { NicSpec, NicState } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { LinkState } from '../netlink/ip-decode.ts'
import type { NicLock } from './lock.ts'
import {
  guestAddresses,
  HOST_END_MAC,
  nicDifferences,
  nicSettings,
  nicState,
  proxyDelaySetting,
  routedAddresses,
} from './nic.ts'
import { ensureSetting, readSetting } from './sysctl.ts'

const HOST_PREFIX = 32

/** All host ends of NICs, from five dumps, and a query for each lock that is not cached. */
export async function readNics(ip: Ip, lock: NicLock): Promise<readonly NicState[]> {
  const [links, routes, neighbours] = await Promise.all([ip.links(), ip.routes(), ip.neighbours()])
  const addressed = new Set((await ip.addresses()).map(({ index }) => index))
  const ours = links.filter((link) => isNicLink(link.name))
  const locked = await retryWhileVanishing(() => lock.closed(ours.map(({ index }) => index)))
  const ourRoutes = Map.groupBy(
    routes.filter((route) => route.protocol === ROUTE_PROTOCOL),
    (route) => route.index,
  )
  const permanent = Map.groupBy(
    neighbours.filter((neighbour) => neighbour.permanent),
    (neighbour) => neighbour.index,
  )
  const delays = ip.inside(() => ours.map(readDelay))
  return ours.map((link, at) =>
    nicState(link, {
      guestAtHome: link.peerIndex !== null && !link.peerElsewhere,
      routes: ourRoutes.get(link.index) ?? [],
      neighbours: permanent.get(link.index) ?? [],
      proxyDelay: delays[at] ?? null,
      locked: locked.has(link.index) || !lock.isAvailable,
      hasAddress: addressed.has(link.index),
    }),
  )
}

/** One host end. A start of many instances would otherwise read all of them for each. */
async function readNic(ip: Ip, lock: NicLock, link: LinkState): Promise<NicState> {
  const { index } = link
  const isHere = (one: { readonly index: number }) => one.index === index
  const [routes, neighbours, addresses] = await Promise.all([
    ip.routes(),
    ip.neighbours(index),
    ip.addresses(),
  ])
  return nicState(link, {
    guestAtHome: link.peerIndex !== null && !link.peerElsewhere,
    routes: routes.filter((route) => route.protocol === ROUTE_PROTOCOL && isHere(route)),
    neighbours: neighbours.filter((neighbour) => neighbour.permanent && isHere(neighbour)),
    proxyDelay: ip.inside(() => readDelay(link)),
    locked: !lock.isAvailable || (await lock.isClosed(index)),
    hasAddress: addresses.some(isHere),
  })
}

function readDelay({ name }: LinkState) {
  return readSetting(proxyDelaySetting(name))
}

/** The interface index of every host end by its name, from one dump. */
export async function readNicIndexes(ip: Ip): Promise<ReadonlyMap<string, number>> {
  const links = await ip.links()
  return new Map(
    links.filter(({ name }) => isNicLink(name)).map(({ name, index }) => [name, index]),
  )
}

/** Creates the link of a NIC, down, if it does not exist. */
export type MakeLink = (ip: Ip, spec: NicSpec) => Promise<void>

/** Makes the host side equal to the spec. Returns what had to be repaired. */
export function ensureHostEnd(
  ip: Ip,
  lock: NicLock,
  spec: NicSpec,
  makeLink: MakeLink = makePair,
): Promise<readonly string[]> {
  return retryWhileVanishing(async () => {
    const link = await ip.link(spec.hostLink)
    if (link === undefined) {
      await createNic(ip, lock, spec, makeLink)
      return ['link']
    }
    const state = await readNic(ip, lock, link)
    const differences = nicDifferences(spec, state)
    if (differences.length > 0) await setUpHostEnd(ip, lock, spec, link, state)
    return differences
  })
}

const VANISHING_ATTEMPTS = 3

/**
 * A namespace that ends removes its veth ends at any moment, also between two steps of `work`. Then
 * `work` is run again, and finds that the link is absent.
 */
export async function retryWhileVanishing<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const vanished = ['ENODEV', 'ENOENT'].includes(errnoOf(error) ?? '')
      if (!vanished || attempt === VANISHING_ATTEMPTS) throw error
    }
  }
}

/** Removes a link by name, if it exists. */
export async function removeLink(ip: Ip, name: string): Promise<void> {
  try {
    await ip.deleteLink(name)
  } catch (error) {
    if (errnoOf(error) !== 'ENODEV') throw error
  }
}

/** Creates a veth pair. A leftover guest end of that name is removed first. */
async function makePair(ip: Ip, spec: NicSpec): Promise<void> {
  await removeLink(ip, spec.guestLink)
  await ip.addVeth({
    name: spec.hostLink,
    mac: HOST_END_MAC,
    peerName: spec.guestLink,
    peerMac: spec.mac,
    mtu: spec.mtu,
  })
}

/** Creates the NIC. */
export async function createNic(
  ip: Ip,
  lock: NicLock,
  spec: NicSpec,
  makeLink: MakeLink = makePair,
): Promise<LinkState> {
  await makeLink(ip, spec)
  const link = await ip.link(spec.hostLink)
  if (link === undefined) throw new Error(`${spec.hostLink} vanished while it was being made`)
  await setUpHostEnd(ip, lock, spec, link, undefined)
  return link
}

/**
 * Locks and configures the link before it is up: it must never send IPv6. Routes need `up` first.
 */
async function setUpHostEnd(
  ip: Ip,
  lock: NicLock,
  spec: NicSpec,
  link: LinkState,
  state: NicState | undefined,
): Promise<void> {
  ip.inside(() => {
    for (const { name, value } of nicSettings(spec)) ensureSetting(name, value)
  })
  if (state?.locked !== true) await lock.close(link.index)
  if (link.mac !== HOST_END_MAC) await ip.setLink(link.index, { mac: HOST_END_MAC })
  const alias = spec.attachment === undefined ? {} : { alias: spec.attachment }
  await ip.setLink(link.index, { up: true, mtu: spec.mtu, ...alias })
  const own = { index: link.index, ip: spec.gateway, prefix: HOST_PREFIX }
  // Without an address, the kernel filters as if it were to be strict (`fib_validate_source`).
  if (spec.isRouter === true) await ip.addAddress(own.index, own.ip, own.prefix)
  else if (state !== undefined) await ip.deleteAddress(own)
  const ips = new Set(guestAddresses(spec))
  const staleNeighbours = state?.neighbours.filter((neighbour) => !ips.has(neighbour.ip)) ?? []
  for (const neighbour of staleNeighbours) await ip.deleteNeighbour(link.index, neighbour.ip)
  for (const address of ips) await ip.replaceNeighbour(link.index, address, spec.mac)
  const routeTo = <Source extends Ipv4 | null>(destination: Ipv4, source: Source) => ({
    kind: 'unicast' as const,
    destination,
    prefix: HOST_PREFIX,
    protocol: ROUTE_PROTOCOL,
    index: link.index,
    source,
  })
  const routed = routedAddresses(spec)
  for (const route of state?.routes ?? []) {
    if (routed.has(route.ip) && route.gateway === spec.gateway) continue
    await ip.deleteRoute({ ...routeTo(route.ip, route.gateway), via: null })
  }
  for (const address of routed) await ip.replaceRoute(routeTo(address, spec.gateway))
}
