/**
 * The host side of instance NICs: reads all of them in one go, and repairs one.
 *
 * A NIC is a veth pair or a tap. Its host end is routed: a `/32` route and a permanent neighbour
 * entry lead to the guest, and proxy ARP answers for everyone else, so that each packet of the
 * guest crosses the host's forwarding path. Errors: the kernel's own.
 */

import { errnoOf } from '../../lib/errno.ts'
import { isNicLink, ROUTE_PROTOCOL } from '../../model/names.ts'
import type { NicSpec, NicState } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { LinkState } from '../netlink/ip-decode.ts'
import type { NicLock } from './lock.ts'
import { HOST_END_MAC, nicDifferences, nicSettings, nicState, proxyDelaySetting } from './nic.ts'
import { ensureSetting, readSetting } from './sysctl.ts'

const HOST_PREFIX = 32

/**
 * Every NIC host end of ours, from four dumps whatever their number, and a look at each lock that
 * is not known.
 */
export async function readNics(ip: Ip, lock: NicLock): Promise<readonly NicState[]> {
  const [links, routes, neighbours] = await Promise.all([ip.links(), ip.routes(), ip.neighbours()])
  const ours = links.filter((link) => isNicLink(link.name))
  const locked = await whileVanishing(() => lock.closed(ours.map(({ index }) => index)))
  const ourRoutes = Map.groupBy(
    routes.filter((route) => route.protocol === ROUTE_PROTOCOL),
    (route) => route.index,
  )
  const permanent = Map.groupBy(
    neighbours.filter((neighbour) => neighbour.permanent),
    (neighbour) => neighbour.index,
  )
  return ours.map((link) =>
    nicState(link, {
      guestAtHome: link.peerIndex !== null && !link.peerElsewhere,
      routes: ourRoutes.get(link.index) ?? [],
      neighbours: permanent.get(link.index) ?? [],
      proxyDelay: readSetting(proxyDelaySetting(link.name)),
      locked: locked.has(link.index) || !lock.isAvailable,
    }),
  )
}

/** The index of every NIC host end of ours by its name, from one dump. */
export async function readNicIndexes(ip: Ip): Promise<ReadonlyMap<string, number>> {
  const links = await ip.links()
  return new Map(
    links.filter(({ name }) => isNicLink(name)).map(({ name, index }) => [name, index]),
  )
}

/** Makes the link of a NIC, down, with its host end's name, where there is none. */
export type MakeLink = (ip: Ip, spec: NicSpec) => Promise<void>

/** Makes the host side equal to the spec. Returns what had to be repaired. */
export function ensureHostEnd(
  ip: Ip,
  lock: NicLock,
  spec: NicSpec,
  makeLink: MakeLink = makePair,
): Promise<readonly string[]> {
  return whileVanishing(async () => {
    const link = await ip.link(spec.hostLink)
    if (link === undefined) {
      await createNic(ip, lock, spec, makeLink)
      return ['link']
    }
    const state = (await readNics(ip, lock)).find((nic) => nic.hostLink === spec.hostLink)
    const differences = nicDifferences(spec, state)
    if (differences.length > 0) await setUpHostEnd(ip, lock, spec, link, state)
    return differences
  })
}

const VANISHING_ATTEMPTS = 3

/**
 * A namespace that ends takes its veth ends with it at a moment of its own choosing, which may be
 * between any two of our steps. `work` starts over then, and finds that the link is absent.
 */
export async function whileVanishing<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const vanished = ['ENODEV', 'ENOENT'].includes(errnoOf(error) ?? '')
      if (!vanished || attempt === VANISHING_ATTEMPTS) throw error
    }
  }
}

/** Removes a link by name. Absent is well. */
export async function removeLink(ip: Ip, name: string): Promise<void> {
  try {
    await ip.deleteLink(name)
  } catch (error) {
    if (errnoOf(error) !== 'ENODEV') throw error
  }
}

/** A veth pair, both ends here. A guest end left over from another pair of that name gives way. */
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

/** Makes the NIC from nothing. */
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
 * Lock and settings come before `up`: a link must not speak IPv6 or answer with a delay for even a
 * moment. Routes need `up` first.
 */
async function setUpHostEnd(
  ip: Ip,
  lock: NicLock,
  spec: NicSpec,
  link: LinkState,
  state: NicState | undefined,
): Promise<void> {
  for (const { name, value } of nicSettings(spec.hostLink)) ensureSetting(name, value)
  if (state?.locked !== true) await lock.close(link.index)
  if (link.mac !== HOST_END_MAC) await ip.setLink(link.index, { mac: HOST_END_MAC })
  await ip.setLink(link.index, { up: true, mtu: spec.mtu })
  const staleNeighbours = state?.neighbours.filter((neighbour) => neighbour.ip !== spec.ip) ?? []
  for (const neighbour of staleNeighbours) await ip.deleteNeighbour(link.index, neighbour.ip)
  await ip.replaceNeighbour(link.index, spec.ip, spec.mac)
  for (const route of state?.routes ?? []) {
    if (route.ip === spec.ip && route.gateway === spec.gateway) continue
    await ip.deleteRoute({
      kind: 'unicast',
      destination: route.ip,
      prefix: HOST_PREFIX,
      protocol: ROUTE_PROTOCOL,
      index: link.index,
      via: null,
      source: route.gateway,
    })
  }
  await ip.replaceRoute({
    kind: 'unicast',
    destination: spec.ip,
    prefix: HOST_PREFIX,
    protocol: ROUTE_PROTOCOL,
    index: link.index,
    source: spec.gateway,
  })
}
