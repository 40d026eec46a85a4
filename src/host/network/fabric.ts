/**
 * The VXLAN device to the other hosts (RFC 7348), without flooding and learning. Each peer has a
 * permanent neighbour entry and a forwarding entry, both computed from its fabric address.
 *
 * The next hops are made of the fabric addresses of the peers, so nothing has to be allocated: in
 * the machine's own namespace they are the same. The outer packets go to the fabric addresses by
 * the machine's own routes. The device also has an address of this host's, so that the host's ICMP
 * errors to instances elsewhere come from an address that their hosts know. Errors: the kernel's
 * own.
 */
import type { Ipv4, Mac } from '../../model/addr.ts'
import { fabricMac } from '../../model/fabric.ts'
import type { FabricSpec } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { AddressState, LinkState } from '../netlink/ip-decode.ts'
import type { VxlanSpec } from '../netlink/ip-encode.ts'
import { removeLink, retryWhileVanishing } from './nics.ts'
import { ensureRoutedLink } from './sysctl.ts'

const HOST_PREFIX = 32
/**
 * rp_filter, loose: a peer's ICMP errors come from its fabric address, which is routed elsewhere;
 * the rules are strict with all others. The larger of this and conf/all counts, so an
 * administrator's strict default does not cut the errors off. (On a device without any address
 * loose would be as good as strict.)
 */
const LOOSE = '2'

/** Makes the device, down, in the namespace that it is looked for in. */
export type MakeVxlan = (device: VxlanSpec) => Promise<void>

/**
 * Makes the device equal to the spec, or removes it. A device with another VNI, port or source is
 * replaced, because these cannot be changed. Returns what it changed.
 */
export function ensureFabricLink(
  ip: Ip,
  name: string,
  spec: FabricSpec | null,
  make: MakeVxlan = (device) => ip.addVxlan(device),
): Promise<readonly string[]> {
  return retryWhileVanishing(async () => {
    const link = await ip.link(name)
    if (spec === null) {
      if (link === undefined) return []
      await removeLink(ip, name)
      return ['removed']
    }
    const changed: string[] = []
    const device = await ensureDevice(ip, name, link, spec, make, changed)
    await ensureAddress(ip, device.index, spec.address, changed)
    await ensurePeers(ip, device.index, spec, changed)
    return changed
  })
}

async function ensureDevice(
  ip: Ip,
  name: string,
  link: LinkState | undefined,
  spec: FabricSpec,
  make: MakeVxlan,
  changed: string[],
): Promise<LinkState> {
  const { vni, port, mtu, underlay: local } = spec
  const mac = fabricMac(local)
  const have = link === undefined ? undefined : await ip.vxlan(name)
  const isOurs =
    have?.vni === vni && have.port === port && have.local === local && have.learns === false
  let device = link
  if (device === undefined || !isOurs) {
    if (device !== undefined) await removeLink(ip, name)
    await make({ name, mac, mtu, vni, local, port })
    device = await ip.link(name)
    changed.push('device')
  }
  if (device === undefined) throw new Error(`${name} vanished while it was being made`)
  const isRight = device.up && device.mtu === mtu && device.mac === mac
  if (!isRight && !changed.includes('device')) changed.push('link')
  // Before the settings: a larger MTU can start IPv6 on the device, with default settings.
  if (!isRight) await ip.setLink(device.index, { mtu, mac })
  // Before `up`: the device must never send IPv6.
  changed.push(...ip.inside(() => ensureRoutedLink(name, [['rp_filter', LOOSE]])))
  if (!device.up) await ip.setLink(device.index, { up: true })
  return device
}

async function ensureAddress(ip: Ip, index: number, own: Ipv4, changed: string[]): Promise<void> {
  const have = (await ip.addresses()).filter((address) => address.index === index)
  const isOwn = (address: AddressState) => address.ip === own && address.prefix === HOST_PREFIX
  for (const address of have) if (!isOwn(address)) await ip.deleteAddress(address)
  if (have.some(isOwn)) return
  await ip.addAddress(index, own, HOST_PREFIX)
  if (!changed.includes('device')) changed.push('address')
}

async function ensurePeers(
  ip: Ip,
  index: number,
  spec: FabricSpec,
  changed: string[],
): Promise<void> {
  const peers = new Map<Ipv4, Mac>(
    spec.peers.map(({ address, underlay }) => [address, fabricMac(underlay)]),
  )
  const neighbours = new Map(peers)
  for (const { index: at, ip: address, mac, permanent } of await ip.neighbours()) {
    if (at !== index) continue
    if (permanent && peers.get(address) === mac) neighbours.delete(address)
    else if (!peers.has(address)) await ip.deleteNeighbour(index, address)
  }
  const destinations = new Map(
    spec.peers.map(({ underlay }) => [`${fabricMac(underlay)} ${underlay}`, underlay]),
  )
  for (const entry of await ip.forwarding()) {
    if (entry.index !== index || destinations.delete(`${entry.mac} ${entry.destination}`)) continue
    await ip.deleteForwarding(entry)
    changed.push(`-${entry.mac}`)
  }
  for (const address of destinations.values())
    await ip.replaceForwarding(index, fabricMac(address), address)
  for (const [address, mac] of neighbours) await ip.replaceNeighbour(index, address, mac)
  changed.push(
    ...[...new Set([...destinations.values(), ...neighbours.keys()])].map((peer) => `+${peer}`),
  )
}
