/**
 * Floating IPs as nft rules: address translation 1:1 both ways, on the host of the instance. Pure.
 *
 * - To a floating IP: the destination becomes the private address before routing, so security
 *   groups see the private address as destination and the client's own address as source.
 * - From an instance that has one: the source becomes the floating IP where other instances are
 *   masqueraded.
 * - From an instance of this host to a floating IP of this host (hairpin): both, so that an
 *   instance reaches itself, too, and never gets a packet with its own address as source.
 *
 * Without floating IPs there are no rules.
 */
import type { Ipv4 } from '../model/addr.ts'
import type { TrackedFlow } from '../model/flow.ts'
import type { HostRouting } from '../model/host-routing.ts'
import { GATEWAY_LINK, NIC_LINK_PREFIX } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import { baseChain, map, type NftObject, set } from './nft-tables.ts'
import { ACCEPT, drop } from './nft-text.ts'

const ANY_NIC = `"${NIC_LINK_PREFIX}*"`

/** Maps and chains of the main table, and lines for its chains of source translation. */
export interface FloatingRules {
  readonly objects: readonly NftObject[]
  /** Of what comes from outside: nobody there has these addresses. */
  readonly fromOutside: readonly string[]
  /** Before an instance is masqueraded. */
  readonly outbound: readonly string[]
  /** Of what instances of this host send each other. */
  readonly hairpin: readonly string[]
}

const NONE: FloatingRules = { objects: [], fromOutside: [], outbound: [], hairpin: [] }

/**
 * The private addresses of this host's NICs by their floating IPs. None for an address that this
 * host, a router of it or another host has: what is for these must reach them.
 */
export function servedFloatingIps(
  { local, shared }: HostWant,
  { addresses, defaultRoutes }: HostRouting,
): ReadonlyMap<Ipv4, Ipv4> {
  const others = new Set([
    ...addresses,
    ...defaultRoutes.flatMap(({ gateway }) => gateway ?? []),
    ...shared.peers.map(({ address }) => address),
  ])
  const nics = local.instances.flatMap((instance) => instance.nics)
  return new Map(
    nics.flatMap(({ ip, publicIp }) =>
      publicIp && !others.has(publicIp) ? [[publicIp, ip] as const] : [],
    ),
  )
}

/** Whether the connection is translated by another binding than these, which have replaced it. */
export function isOfOldBinding(
  { source, destination, answerFrom, answerTo }: TrackedFlow,
  floats: ReadonlyMap<Ipv4, Ipv4>,
): boolean {
  const inward = floats.get(destination)
  const outward = floats.get(answerTo)
  return (
    (inward !== undefined && inward !== answerFrom) || (outward !== undefined && outward !== source)
  )
}

/** The rules for these private addresses by their floating IPs. */
export function floatingRules(floats: ReadonlyMap<Ipv4, Ipv4>): FloatingRules {
  const pairs = [...floats].map(([publicIp, ip]) => ({ publicIp, ip }))
  if (pairs.length === 0) return NONE
  const type = 'type ipv4_addr : ipv4_addr'
  const inward = pairs.map(({ ip, publicIp }) => `${publicIp} : ${ip}`)
  const outward = pairs.map(({ ip, publicIp }) => `${ip} : ${publicIp}`)
  const source = 'snat ip to ip saddr map @float_of'
  const destination = 'dnat ip to ip daddr map @floats'
  return {
    objects: [
      set('floating_ips', ['type ipv4_addr'], [...floats.keys()]),
      map('floats', type, inward),
      map('float_of', type, outward),
      baseChain('floats_in', 'type nat hook prerouting priority dstnat; policy accept;', [
        destination,
      ]),
      // What the host itself sends to a floating IP of its own.
      baseChain('floats_from_host', 'type nat hook output priority -100; policy accept;', [
        destination,
      ]),
      // The packet is routed again after this hook, whose chains still see the old link.
      baseChain('floats_accepted', 'type filter hook output priority filter; policy accept;', [
        `oifname "${GATEWAY_LINK}" ct status dnat ${ACCEPT}`,
      ]),
    ],
    fromOutside: [`ip saddr @floating_ips ${drop('spoofed_outside')}`],
    outbound: [source],
    hairpin: [`iifname ${ANY_NIC} oifname ${ANY_NIC} ct status dnat ${source}`],
  }
}
