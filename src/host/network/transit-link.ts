/**
 * The veth pair between the machine's own network namespace and that of a VPC, with the VPC's
 * default route. Both ends know each other's Ethernet address, so nothing is asked for by ARP.
 * Errors: the kernel's own.
 */
import { formatMacBytes, ipv4, type Mac } from '../../model/addr.ts'
import { passingLinkName, WORLD_LINK } from '../../model/names.ts'
import { TRANSIT_PREFIX, transitOf } from '../../model/transit.ts'
import type { Ip } from '../netlink/ip.ts'
import type { LinkState } from '../netlink/ip-decode.ts'
import type { NicLock } from './lock.ts'
import { removeLink } from './nics.ts'
import { ensureRoutedLink } from './sysctl.ts'

/** Packets of instances are never larger, whatever the MTU of their NICs is. */
const MTU_BYTES = 65_535
/** Of a default route. */
export const DEFAULT_DESTINATION = ipv4('0.0.0.0')
/** RTPROT_STATIC (rtnetlink(7)). Routes with our own number are those to instances. */
const STATIC_PROTOCOL = 4

/** The two namespaces, and a descriptor of the VPC's. */
export interface TransitSides {
  readonly machine: Ip
  /** That of the machine's own namespace: its end is locked like a NIC. */
  readonly lock: NicLock
  readonly away: Ip
  readonly namespaceFd: number
}

/** Locally administered (IEEE 802 clause 8.2), of the end on the machine's side or the VPC's. */
function transitMac(network: number, side: 'machine' | 'vpc'): Mac {
  const sideByte = side === 'machine' ? 1 : 2
  return formatMacBytes(
    Uint8Array.of(0x02, 0x61, 0x74, sideByte, network >> 8, network & 255),
  ) as Mac
}

/** Those whose end on the machine is there, up, linked to another namespace, with its address. */
export async function intactTransits(
  machine: Ip,
  networks: readonly number[],
): Promise<ReadonlySet<number>> {
  const links = new Map((await machine.links()).map((one) => [one.name, one]))
  const addresses = new Set(
    (await machine.addresses()).map(({ index, ip, prefix }) => `${index} ${ip}/${prefix}`),
  )
  return new Set(
    networks.filter((network) => {
      const { link, gateway } = transitOf(network)
      const near = links.get(link)
      const isLinked = near?.up === true && near.carrier && near.peerElsewhere
      return isLinked && addresses.has(`${near.index} ${gateway}/${TRANSIT_PREFIX}`)
    }),
  )
}

/**
 * Makes the pair and its addresses as they should be. Returns what it changed. Of the machine's own
 * namespace it reads only what concerns this pair: there are as many as the host has VPCs.
 */
export async function ensureTransit(
  sides: TransitSides,
  network: number,
): Promise<readonly string[]> {
  const { machine, away, lock } = sides
  const { link, gateway, address } = transitOf(network)
  const changed: string[] = []
  const { near, far } = await ensurePair(sides, network, changed)
  const isLocked = !lock.isAvailable || (await lock.isClosed(near.index))
  if (!isLocked && (await lock.close(near.index))) changed.push('lock')
  const ends = [
    { ip: machine, end: near, name: link, own: gateway, other: address, side: 'vpc' },
    { ip: away, end: far, name: WORLD_LINK, own: address, other: gateway, side: 'machine' },
  ] as const
  for (const { ip, end, name, own, other, side } of ends) {
    // Before it is up: it must never send IPv6.
    // Reverse path filtering uses the packet's mark, so that it drops unverified packets at the end
    // that is locked (`lock.ts`).
    const verifies = own === gateway ? '1' : '0'
    const more = [
      ['rp_filter', verifies],
      ['src_valid_mark', verifies],
    ] as const
    changed.push(...ip.inside(() => ensureRoutedLink(name, more)))
    if (!end.up) {
      await ip.setLink(end.index, { up: true })
      changed.push(`${name} up`)
    }
    if (await ip.ensureAddress(end.index, own, TRANSIT_PREFIX)) changed.push(`${name} address`)
    const mac = transitMac(network, side)
    const known = await ip.neighbour(end.index, other)
    if (known?.mac !== mac || !known.permanent) await ip.replaceNeighbour(end.index, other, mac)
  }
  const routes = await away.routes()
  const leads = routes.some(
    ({ prefix, via, index }) => prefix === 0 && via === gateway && index === far.index,
  )
  if (leads) return changed
  await away.replaceRoute({
    ...{ kind: 'unicast', destination: DEFAULT_DESTINATION, prefix: 0, via: gateway },
    ...{ protocol: STATIC_PROTOCOL, index: far.index },
  })
  return [...changed, 'default route']
}

async function ensurePair(
  { machine, away, namespaceFd }: TransitSides,
  network: number,
  changed: string[],
): Promise<{ readonly near: LinkState; readonly far: LinkState }> {
  const { link } = transitOf(network)
  const passing = passingLinkName(network)
  const find = async () => {
    const [near, far] = await Promise.all([machine.link(link), away.link(WORLD_LINK)])
    const arePaired =
      near?.peerElsewhere === true &&
      far?.peerElsewhere === true &&
      near.peerIndex === far.index &&
      far.peerIndex === near.index
    return arePaired ? { near, far } : null
  }
  const found = await find()
  if (found !== null) return found
  await removeLink(machine, link)
  await removeLink(machine, passing)
  await removeLink(away, WORLD_LINK)
  await machine.addVeth({
    name: link,
    mac: transitMac(network, 'machine'),
    peerName: passing,
    peerMac: transitMac(network, 'vpc'),
    mtu: MTU_BYTES,
  })
  const peer = await machine.link(passing)
  if (peer !== undefined) await machine.setLink(peer.index, { namespaceFd, name: WORLD_LINK })
  const made = await find()
  if (made === null) throw new Error(`${link} vanished while it was being made`)
  changed.push(link)
  return made
}
