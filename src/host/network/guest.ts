/**
 * The guest end of a NIC: moves it into an instance's network namespace and configures it there.
 *
 * A namespace that ends removes its links, but some time later. So if the guest end is neither in
 * the host's namespace nor in the wanted one, the pair is deleted by its host end and created
 * again.
 */

import { fstatSync } from 'node:fs'
import { errnoOf } from '../../lib/errno.ts'
import { cidrContains, type Ipv4, ipv4 } from '../../model/addr.ts'
import { GIVEN_ADDRESS_ALIAS } from '../../model/names.ts'
import type { GuestPlace, GuestSetup } from '../guest-setup.ts'
import type { NicSpec } from '../host.ts'
import type { Libc } from '../libc.ts'
import type { Ip } from '../netlink/ip.ts'
import { createIp } from '../netlink/ip.ts'
import type { AddressState, LinkState } from '../netlink/ip-decode.ts'
import { openRouteNetlink } from '../netlink/netlink.ts'
import type { NicLock } from './lock.ts'
import type { NamespaceHandle } from './netns.ts'
import { inNamespace, openNamespace } from './netns.ts'
import { createNic, ensureHostEnd, removeLink, retryWhileVanishing } from './nics.ts'
import { ensureSetting } from './sysctl.ts'

const LOOPBACK_INDEX = 1
const DEFAULT_DESTINATION = ipv4('0.0.0.0')
/** RTPROT_STATIC (rtnetlink(7)): a route that an administrator made. */
const STATIC_PROTOCOL = 4

/** The host's side of a guest's NIC. */
export interface NicHome {
  readonly libc: Libc
  /** Of the namespace with the host end. */
  readonly ip: Ip
  readonly lock: NicLock
}

/** A guest's network namespace, open. */
interface OpenGuest {
  readonly namespace: NamespaceHandle
  readonly ip: Ip
}

/**
 * Moves the guest end into the namespace of `pid` and, once `limited` has resolved, configures it.
 * May be repeated. Returns the inode of that namespace.
 */
export async function attachGuest(
  home: NicHome,
  spec: NicSpec,
  pid: number,
  setup: GuestSetup,
  limited: Promise<void> = Promise.resolve(),
): Promise<number> {
  return await withNamespace(home.libc, openNamespace(pid), async (guest) => {
    await attach(home, spec, guest, setup, limited)
    return fstatSync(guest.namespace.fd).ino
  })
}

/**
 * As `attachGuest`, while the process is in that namespace. Returns what it repaired; null: it is
 * not there any more. A guest that sets its NIC up itself is not disturbed: a NIC that is in there
 * is left alone, whatever its state is now.
 */
export async function reattachGuest(
  home: NicHome,
  spec: NicSpec,
  { pid, namespace: inode }: GuestPlace,
  setup: GuestSetup,
): Promise<readonly string[] | null> {
  const namespace = openNamespaceOf(pid)
  if (namespace === null) return null
  return await withNamespace(home.libc, namespace, async (guest) => {
    if (fstatSync(guest.namespace.fd).ino !== inode) return null
    const isGuests = setup.unlessUp === true
    if (isGuests && (await findGuest(home.ip, guest.ip, spec)) !== undefined) return []
    return await attach(home, spec, guest, setup, Promise.resolve())
  })
}

function attach(
  home: NicHome,
  spec: NicSpec,
  { namespace, ip: away }: OpenGuest,
  setup: GuestSetup,
  limited: Promise<void>,
): Promise<readonly string[]> {
  return retryWhileVanishing(async () => {
    let guest = await findGuest(home.ip, away, spec)
    if (guest === undefined) {
      await moveGuest(home, spec, namespace.fd)
      guest = await findGuest(home.ip, away, spec)
    }
    if (guest === undefined) throw new Error(`${spec.guestLink} did not arrive`)
    await limited
    const quiet = () => ensureSetting(`ipv6/conf/${setup.name}/disable_ipv6`, '1')
    return await setUpGuest(away, guest, spec, setup, () =>
      inNamespace(home.libc, namespace.fd, quiet),
    )
  })
}

/**
 * Whether the namespace of `pid` has this NIC, configured as asked. False without such a process.
 */
export async function isGuestAttached(
  { libc, ip }: Pick<NicHome, 'libc' | 'ip'>,
  spec: NicSpec,
  pid: number,
  setup: GuestSetup,
): Promise<boolean> {
  const namespace = openNamespaceOf(pid)
  if (namespace === null) return false
  return await withNamespace(libc, namespace, async ({ ip: away }) => {
    const guest = await findGuest(ip, away, spec)
    return guest !== undefined && (await guestDifferences(away, guest, spec, setup)).length === 0
  })
}

/** Null without such a process. */
function openNamespaceOf(pid: number): NamespaceHandle | null {
  try {
    return openNamespace(pid)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Opens a netlink socket inside for as long as `work` takes, and closes the namespace then. */
async function withNamespace<T>(
  libc: Libc,
  namespace: NamespaceHandle,
  work: (guest: OpenGuest) => Promise<T>,
): Promise<T> {
  try {
    const ip = createIp(inNamespace(libc, namespace.fd, openRouteNetlink))
    try {
      return await work({ namespace, ip })
    } finally {
      ip.close()
    }
  } finally {
    namespace.close()
  }
}

/**
 * The guest end in the other namespace: the link whose peer is the host end, and the other way
 * round. A MAC alone could be forged.
 */
async function findGuest(home: Ip, away: Ip, spec: NicSpec): Promise<LinkState | undefined> {
  const host = await home.link(spec.hostLink)
  if (host === undefined || host.peerIndex === null || !host.peerElsewhere) return undefined
  const links = await away.links()
  return links.find(
    (link) =>
      link.index === host.peerIndex && link.peerIndex === host.index && link.mac === spec.mac,
  )
}

async function moveGuest(
  { ip: home, lock }: NicHome,
  spec: NicSpec,
  namespaceFd: number,
): Promise<void> {
  await ensureHostEnd(home, lock, spec)
  let host = await home.link(spec.hostLink)
  if (host !== undefined && isOfOther(host, spec))
    throw new Error(`${spec.hostLink} is for another attachment by now`)
  if (host === undefined || host.peerIndex === null || host.peerElsewhere) {
    await removeLink(home, spec.hostLink)
    host = await createNic(home, lock, spec)
  }
  if (host.peerIndex === null) throw new Error(`${spec.hostLink} has no other end`)
  await home.setLink(host.peerIndex, { namespaceFd })
}

/** Whether the link was made for another instance, or for another time at the same. */
function isOfOther({ alias }: LinkState, { attachment }: NicSpec): boolean {
  return (
    alias?.startsWith('eni-attach-') === true && attachment !== undefined && alias !== attachment
  )
}

async function guestDifferences(
  away: Ip,
  guest: LinkState,
  spec: NicSpec,
  setup: GuestSetup,
): Promise<readonly string[]> {
  const differences: string[] = []
  const loopback = (await away.links()).find((link) => link.index === LOOPBACK_INDEX)
  if (loopback?.up === false) differences.push('loopback')
  if (guest.name !== setup.name) differences.push('name')
  if (guest.mtu !== spec.mtu) differences.push('mtu')
  if (!guest.up) differences.push('up')
  const address = addressToSet(guest, setup)
  if (address === null) return differences
  const { missing, extra } = await addressDifferences(away, guest, address)
  if (missing.length > 0 || extra.length > 0) differences.push('address')
  const routes = await away.routes()
  const isWayOut = routes.some(
    (route) => route.prefix === 0 && route.index === guest.index && route.via === address.gateway,
  )
  if (address.gateway !== null && !isWayOut) differences.push('route')
  return differences
}

/** Null when the guest's address is its own affair. To be renamed, a link is set down. */
function addressToSet(guest: LinkState, { name, address, unlessUp = false }: GuestSetup) {
  const stays = guest.up && guest.name === name
  return unlessUp && stays && guest.alias !== GIVEN_ADDRESS_ALIAS ? null : address
}

/** Before the addresses are there: whoever finds them may rely on it. */
async function routeByOwnTable(
  away: Ip,
  guest: LinkState,
  { ip, secondaryIps = [] }: GuestAddress,
  { table, gateway }: NonNullable<GuestAddress['own']>,
): Promise<void> {
  await away.replaceRoute({
    ...{ kind: 'unicast', destination: DEFAULT_DESTINATION, prefix: 0 },
    ...{ protocol: STATIC_PROTOCOL, index: guest.index, via: gateway, onLink: true, table },
  })
  for (const one of [ip, ...secondaryIps]) {
    await away.deleteRulesFrom(one)
    await away.addRuleFrom(one, table)
  }
}

type GuestAddress = NonNullable<GuestSetup['address']>

/**
 * The addresses that the guest lacks, and those of the network that it should no longer have. What
 * it has in other networks is its own.
 */
async function addressDifferences(
  away: Ip,
  guest: LinkState,
  { ip, prefix, secondaryIps = [] }: GuestAddress,
): Promise<{ readonly missing: readonly Ipv4[]; readonly extra: readonly AddressState[] }> {
  const all = await away.addresses()
  const have = all.filter((one) => one.index === guest.index && one.prefix === prefix)
  const known = new Set(have.map((one) => one.ip))
  const wanted = [ip, ...secondaryIps]
  return {
    missing: wanted.filter((one) => !known.has(one)),
    extra: have.filter(
      (one) => !wanted.includes(one.ip) && cidrContains({ network: ip, prefix }, one.ip),
    ),
  }
}

/**
 * A link that is up cannot be renamed, hence the order. `quietIpv6` must run before the link comes
 * up. Returns what differed.
 */
async function setUpGuest(
  away: Ip,
  guest: LinkState,
  spec: NicSpec,
  setup: GuestSetup,
  quietIpv6: () => void,
): Promise<readonly string[]> {
  const differences = await guestDifferences(away, guest, spec, setup)
  if (differences.length === 0) return differences
  // Before the link is up, which decides it.
  const address = addressToSet(guest, setup)
  await away.setLink(LOOPBACK_INDEX, { up: true })
  if (guest.name !== setup.name) {
    await removeStale(away, spec, setup)
    await away.setLink(guest.index, { up: false })
    await away.setLink(guest.index, { name: setup.name })
  }
  quietIpv6()
  // In one message, so that whoever goes on after us knows of the address.
  const mark = setup.unlessUp && address !== null ? { alias: GIVEN_ADDRESS_ALIAS } : {}
  await away.setLink(guest.index, { mtu: spec.mtu, up: true, ...mark })
  if (address !== null) await setUpAddress(away, guest, address)
  return differences
}

/**
 * Removes the end of an older pair that has the name. Its host end was renamed or moved, so nobody
 * has found it.
 */
async function removeStale(away: Ip, spec: NicSpec, { name }: GuestSetup): Promise<void> {
  const stale = (await away.links()).find((link) => link.name === name && link.mac === spec.mac)
  if (stale !== undefined) await removeLink(away, name)
}

async function setUpAddress(away: Ip, guest: LinkState, address: GuestAddress): Promise<void> {
  if (address.own) await routeByOwnTable(away, guest, address, address.own)
  const { missing, extra } = await addressDifferences(away, guest, address)
  // If both are in one subnet, it is reached by the first NIC, whichever was plugged in first.
  const metric = address.own?.table
  for (const one of missing) await away.addAddress(guest.index, one, address.prefix, metric)
  for (const one of extra) await away.deleteAddress(one)
  if (address.gateway === null) return
  await away.replaceRoute({
    kind: 'unicast',
    destination: DEFAULT_DESTINATION,
    prefix: 0,
    protocol: STATIC_PROTOCOL,
    index: guest.index,
    via: address.gateway,
  })
}
