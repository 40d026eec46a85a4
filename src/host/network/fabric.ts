/**
 * The VXLAN device to the other hosts (RFC 7348), without anything that floods or learns: each peer
 * is one permanent neighbour and one forwarding entry, both made of its fabric address.
 *
 * Its next hops are the peers' fabric addresses themselves, so nothing has to be allocated; the
 * outer packets find their way to the same addresses through the routes that the machine has
 * anyway. The device carries the host's own fabric address once more: the ICMP errors that the host
 * sends to the others' instances then come from an address by which the others know it. Errors: the
 * kernel's own.
 */
import type { Ipv4, Mac } from '../../model/addr.ts'
import { fabricMac } from '../../model/fabric.ts'
import type { FabricSpec } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { AddressState, LinkState } from '../netlink/ip-decode.ts'
import { removeLink, whileVanishing } from './nics.ts'
import { ensureSetting } from './sysctl.ts'

const HOST_PREFIX = 32

/**
 * Makes the device equal to the spec, or removes it. One with another number, port or source is
 * made anew, for these cannot be changed in place. Returns what it changed.
 */
export function ensureFabricLink(
  ip: Ip,
  name: string,
  spec: FabricSpec | null,
): Promise<readonly string[]> {
  return whileVanishing(async () => {
    const link = await ip.link(name)
    if (spec === null) {
      if (link === undefined) return []
      await removeLink(ip, name)
      return ['removed']
    }
    const changed: string[] = []
    const device = await ensureDevice(ip, name, link, spec, changed)
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
  changed: string[],
): Promise<LinkState> {
  const { vni, port, mtu, address: local } = spec
  const mac = fabricMac(local)
  const have = link === undefined ? undefined : await ip.vxlan(name)
  const isOurs =
    have?.vni === vni && have.port === port && have.local === local && have.learns === false
  let device = link
  if (device === undefined || !isOurs) {
    if (device !== undefined) await removeLink(ip, name)
    await ip.addVxlan({ name, mac, mtu, vni, local, port })
    device = await ip.link(name)
    changed.push('device')
  }
  if (device === undefined) throw new Error(`${name} vanished while it was being made`)
  const isWell = device.up && device.mtu === mtu && device.mac === mac
  if (!isWell && !changed.includes('device')) changed.push('link')
  // Before the settings: IPv6 starts anew, with settings of its own, on a device that was too
  // narrow for it.
  if (!isWell) await ip.setLink(device.index, { mtu, mac })
  // Before `up`: the device must not speak IPv6 for even a moment.
  for (const [setting, value] of settingsOf(name))
    if (ensureSetting(setting, value)) changed.push(setting)
  if (!device.up) await ip.setLink(device.index, { up: true })
  return device
}

/** See Documentation/networking/ip-sysctl of the kernel. */
function settingsOf(name: string): readonly (readonly [string, string])[] {
  return [
    [`ipv6/conf/${name}/disable_ipv6`, '1'],
    [`ipv4/conf/${name}/forwarding`, '1'],
    [`ipv4/conf/${name}/proxy_arp`, '0'],
    [`ipv4/conf/${name}/accept_redirects`, '0'],
    [`ipv4/conf/${name}/send_redirects`, '0'],
    // Loose: a peer's ICMP errors come from its fabric address, which is routed elsewhere; the
    // rules are strict with all others. The larger of this and conf/all counts, so an
    // administrator's strict default does not cut the errors off. (On a device without any address
    // loose would be as good as strict.)
    [`ipv4/conf/${name}/rp_filter`, '2'],
  ]
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
  const peers = new Map<Ipv4, Mac>(spec.peers.map((peer) => [peer, fabricMac(peer)]))
  const neighbours = new Map(peers)
  for (const { index: at, ip: address, mac, permanent } of await ip.neighbours()) {
    if (at !== index) continue
    if (permanent && peers.get(address) === mac) neighbours.delete(address)
    else if (!peers.has(address)) await ip.deleteNeighbour(index, address)
  }
  const destinations = new Map([...peers].map(([address, mac]) => [`${mac} ${address}`, address]))
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
