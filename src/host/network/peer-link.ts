/**
 * The veth pair between the namespaces of two peered VPCs, and the route of each to the other. Both
 * ends know each other's Ethernet address, so nothing is asked for by ARP. Errors: the kernel's.
 *
 * One of them may be the machine's own namespace. Its end is locked like a NIC, and has no route
 * there: subnets of the VPC in it do (`router-routes.ts`).
 */
import { createQueue } from '../../lib/queue.ts'
import { type Cidr, formatCidr, formatMacBytes, type Ipv4, type Mac } from '../../model/addr.ts'
import { isPeerLink, peerLinkName, ROUTE_PROTOCOL } from '../../model/names.ts'
import type { PeerNetwork } from '../../model/peering.ts'
import { transitOf } from '../../model/transit.ts'
import type { VpcNamespaces } from '../host.ts'
import { attempt } from '../namespace-host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { LinkState } from '../netlink/ip-decode.ts'
import type { NicLock } from './lock.ts'
import { removeLink, retryWhileVanishing } from './nics.ts'
import { ensureRoutedLink } from './sysctl.ts'

/** Packets of instances are never larger, whatever the MTU of their NICs is. */
const MTU_BYTES = 65_535

/** A namespace that this process has open, or the machine's own with the lock on links in it. */
export type PeerNamespace = { readonly ip: Ip } & (
  | { readonly fd: number }
  | { readonly lock: NicLock }
)

/** One of two peers. */
type PeerSide = PeerNetwork & PeerNamespace

/** The other end while the pair is being made. */
const PASSING_NAME = 'at-p-new'

/**
 * `VpcNamespaces.ensurePeerLinks`; `open` gives the namespaces by their numbers. One after the
 * other, because both of a pair may ask for the same link.
 */
export function createPeerLinks(
  open: () => ReadonlyMap<number, PeerNamespace>,
): VpcNamespaces['ensurePeerLinks'] {
  const inTurn = createQueue()
  return (own, peers) =>
    inTurn(() =>
      attempt('links between peered VPCs cannot be made', () =>
        ensurePeerLinks(open(), own, peers),
      ),
    )
}

async function ensurePeerLinks(
  open: ReadonlyMap<number, PeerNamespace>,
  own: PeerNetwork,
  peers: readonly (PeerNetwork & { readonly isReady: boolean })[],
): Promise<readonly string[]> {
  const here = open.get(own.network)
  if (here === undefined) throw new Error(`VPC number ${own.network} has no namespace yet`)
  const kept = new Set(peers.map(({ network }) => peerLinkName(network)))
  const changed = [...(await removeLinks(here.ip, kept))]
  const errors: unknown[] = []
  for (const { isReady, ...peer } of peers) {
    const there = open.get(peer.network)
    if (!isReady || there === undefined) continue
    const sides = [
      { ...own, ...here },
      { ...peer, ...there },
    ].toSorted((a, b) => a.network - b.network) as [PeerSide, PeerSide]
    try {
      changed.push(...(await retryWhileVanishing(() => ensurePeerLink(...sides))))
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} were refused`)
  return changed
}

/** Makes the pair, or repairs it. */
async function ensurePeerLink(a: PeerSide, b: PeerSide): Promise<readonly string[]> {
  const changed: string[] = []
  const { ofA, ofB } = await ensurePair(a, b, changed)
  return [...changed, ...(await ensureEnd(a, ofA, b)), ...(await ensureEnd(b, ofB, a))]
}

/** Removes the links of a namespace to all peers but these. */
async function removeLinks(ip: Ip, kept: ReadonlySet<string>): Promise<readonly string[]> {
  const names = (await ip.links()).map(({ name }) => name)
  const unwanted = names.filter((name) => isPeerLink(name) && !kept.has(name))
  for (const name of unwanted) await removeLink(ip, name)
  return unwanted.map((name) => `-${name}`)
}

/** Of the end in the namespace of the first number, which leads to that of the second. */
function macOf(own: number, other: number): Mac {
  // Locally administered (IEEE 802 clause 8.2).
  return formatMacBytes(
    Uint8Array.of(0x06, 0x61, own >> 8, own & 255, other >> 8, other & 255),
  ) as Mac
}

async function ensurePair(
  a: PeerSide,
  b: PeerSide,
  changed: string[],
): Promise<{ readonly ofA: LinkState; readonly ofB: LinkState }> {
  const [nameOfA, nameOfB] = [peerLinkName(b.network), peerLinkName(a.network)]
  const find = async () => {
    const [ofA, ofB] = [await a.ip.link(nameOfA), await b.ip.link(nameOfB)]
    const arePaired =
      ofA?.peerElsewhere === true &&
      ofB?.peerElsewhere === true &&
      ofA.peerIndex === ofB.index &&
      ofB.peerIndex === ofA.index
    return arePaired ? { ofA, ofB } : null
  }
  const found = await find()
  if (found !== null) return found
  await removeLink(a.ip, nameOfA)
  await removeLink(a.ip, PASSING_NAME)
  await removeLink(b.ip, nameOfB)
  await a.ip.addVeth({
    name: nameOfA,
    mac: macOf(a.network, b.network),
    peerName: PASSING_NAME,
    peerMac: macOf(b.network, a.network),
    mtu: MTU_BYTES,
  })
  const passing = await a.ip.link(PASSING_NAME)
  // The machine's own namespace has the lowest number, so it is never that of `b`.
  if (passing !== undefined && 'fd' in b)
    await a.ip.setLink(passing.index, { namespaceFd: b.fd, name: nameOfB })
  const made = await find()
  if (made === null) throw new Error(`${nameOfA} vanished while it was being made`)
  changed.push(nameOfA)
  return made
}

/** One end: up, and the way to the other VPC. */
async function ensureEnd(
  side: PeerSide,
  end: LinkState,
  other: PeerSide,
): Promise<readonly string[]> {
  const { ip, network, source } = side
  const isMachine = 'lock' in side
  const name = peerLinkName(other.network)
  // No address is allocated for it: nothing else on the link has this one.
  const via = transitOf(other.network).address
  const mac = macOf(other.network, network)
  const changed = isMachine ? await ensureLocked(side.lock, end) : []
  // Reverse path filtering uses the packet's mark, so that it drops unverified packets at the end
  // that is locked (`lock.ts`).
  const verifies = isMachine ? '1' : '0'
  const settings = [
    ['rp_filter', verifies],
    ['src_valid_mark', verifies],
  ] as const
  // Before it is up: it must never send IPv6.
  changed.push(...ip.inside(() => ensureRoutedLink(name, settings)))
  if (!end.up) {
    await ip.setLink(end.index, { up: true })
    changed.push(`${name} up`)
  }
  const known = await ip.neighbour(end.index, via)
  if (known?.mac !== mac || !known.permanent) await ip.replaceNeighbour(end.index, via, mac)
  if (isMachine) return changed
  return [...changed, ...(await ensureWay(ip, { index: end.index, via, source }, other.cidrs))]
}

/** The routes by one end, to these ranges and no others. */
async function ensureWay(
  ip: Ip,
  {
    index,
    via,
    source,
  }: { readonly index: number; readonly via: Ipv4; readonly source?: Ipv4 | undefined },
  ranges: readonly Cidr[],
): Promise<readonly string[]> {
  const missing = new Map(ranges.map((range) => [formatCidr(range), range]))
  const changed: string[] = []
  for (const route of await ip.routes()) {
    if (route.index !== index || route.via !== via || route.protocol !== ROUTE_PROTOCOL) continue
    const text = formatCidr({ network: route.destination, prefix: route.prefix })
    if (source !== undefined && route.source !== source && missing.has(text)) continue
    if (missing.delete(text)) continue
    await ip.deleteRoute(route)
    changed.push(`-route to ${text}`)
  }
  for (const [text, { network: destination, prefix }] of missing) {
    await ip.replaceRoute({
      ...{ kind: 'unicast', destination, prefix, via, index, onLink: true },
      ...(source === undefined ? {} : { source }),
      protocol: ROUTE_PROTOCOL,
    })
    changed.push(`route to ${text}`)
  }
  return changed
}

async function ensureLocked(lock: NicLock, { index }: LinkState): Promise<string[]> {
  if (!lock.isAvailable || (await lock.isClosed(index))) return []
  return (await lock.close(index)) ? ['lock'] : []
}
