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
 * Those of a VPC with a namespace are translated in there. The machine's own namespace passes them
 * on. Those of NAT gateways are the part of `nat-gateway-rules.ts`. Without floating IPs there are
 * no rules.
 */
import { cidrContains, type Ipv4 } from '../model/addr.ts'
import type { TrackedFlow } from '../model/flow.ts'
import type { HostRouting } from '../model/host-routing.ts'
import { GATEWAY_LINK } from '../model/names.ts'
import { STAND_IN_RANGE, type Transit } from '../model/transit.ts'
import { addressesOf, floatingIpsOf, type HostWant } from '../model/want.ts'
import { carriedAddresses } from './carried-gateways.ts'
import { baseChain, map, type NftObject, set } from './nft-tables.ts'
import { ACCEPT, ANY_NIC, drop } from './nft-text.ts'

/** The set of all floating IPs that lead here; there is none without any. */
export const FLOATING_IPS = 'floating_ips'

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

/** What a namespace translates and what it passes on. */
export interface FloatingIps {
  /** The private addresses of its NICs by their floating IPs. */
  readonly own: ReadonlyMap<Ipv4, Ipv4>
  /** Floating IPs by the links to the namespaces of VPCs that translate them. */
  readonly passed: ReadonlyMap<Ipv4, Transit>
  /** Those of NAT gateways that the namespace itself carries. */
  readonly carried: ReadonlySet<Ipv4>
}

/**
 * The floating IPs of a want. None is an address that this host, a router of it or another host
 * has: what is for these must reach them.
 */
export function servedFloatingIps(
  { local, shared, transits = [] }: HostWant,
  { addresses, defaultRoutes }: HostRouting,
): FloatingIps {
  const others = new Set([
    ...addresses,
    ...defaultRoutes.flatMap(({ gateway }) => gateway ?? []),
    ...shared.peers.map(({ address }) => address),
  ])
  const nics = local.instances.flatMap((instance) => instance.nics)
  const served = (ip: Ipv4) => !others.has(ip)
  return {
    own: new Map(
      nics.flatMap((nic) =>
        floatingIpsOf(nic).flatMap(({ ip, publicIp }) =>
          served(publicIp) ? [[publicIp, ip] as const] : [],
        ),
      ),
    ),
    passed: new Map(
      transits.flatMap((transit) =>
        (transit.floatingIps ?? []).filter(served).map((ip) => [ip, transit] as const),
      ),
    ),
    carried: new Set([...carriedAddresses(shared).values()].filter(served)),
  }
}

/** All floating IPs of a want, whoever else has them. */
export function wantedFloatingIps({ local, shared, transits = [] }: HostWant): readonly Ipv4[] {
  const nics = local.instances.flatMap((instance) => instance.nics)
  return [
    ...nics.flatMap((nic) => floatingIpsOf(nic).map(({ publicIp }) => publicIp)),
    ...transits.flatMap(({ floatingIps = [] }) => floatingIps),
    ...new Set(carriedAddresses(shared).values()),
  ]
}

/** What tells whether a connection is translated as the want says. */
interface Translation {
  readonly floats: ReadonlyMap<Ipv4, Ipv4>
  /** Private addresses of NICs. */
  readonly nics: ReadonlySet<Ipv4>
  /** Addresses of the namespace itself, and of NAT gateways, behind which NICs are hidden. */
  readonly own: ReadonlySet<Ipv4>
}

/** The translation of a namespace with this want. */
export function translationOf(want: HostWant, routing: HostRouting): Translation {
  const nics = want.local.instances.flatMap((instance) => instance.nics)
  return {
    floats: servedFloatingIps(want, routing).own,
    nics: new Set(nics.flatMap(addressesOf)),
    own: new Set([...routing.addresses, ...carriedAddresses(want.shared).values()]),
  }
}

/** Whether the connection of a NIC is translated by a binding that has ended. */
export function isOfOldBinding(flow: TrackedFlow, { floats, nics, own }: Translation): boolean {
  const { source, destination, answerFrom, answerTo } = flow
  const isInward = answerFrom !== destination && nics.has(answerFrom)
  const isOutward =
    answerTo !== source &&
    nics.has(source) &&
    !own.has(answerTo) &&
    !cidrContains(STAND_IN_RANGE, answerTo)
  return (
    (isInward && floats.get(destination) !== answerFrom) ||
    (isOutward && floats.get(answerTo) !== source)
  )
}

/** The rules for these. `beforeFloats` are lines for packets that are not translated. */
export function floatingRules(
  { own, passed, carried }: FloatingIps,
  beforeFloats: readonly string[] = [],
): FloatingRules {
  const all = [...own.keys(), ...passed.keys(), ...carried]
  const known = set(FLOATING_IPS, ['type ipv4_addr'], all)
  const fromOutside = [`ip saddr @${FLOATING_IPS} ${drop('spoofed_outside')}`]
  const pairs = [...own].map(([publicIp, ip]) => ({ publicIp, ip }))
  if (pairs.length === 0)
    return all.length === 0 ? NONE : { ...NONE, objects: [known], fromOutside }
  const type = 'type ipv4_addr : ipv4_addr'
  const inward = pairs.map(({ ip, publicIp }) => `${publicIp} : ${ip}`)
  const outward = pairs.map(({ ip, publicIp }) => `${ip} : ${publicIp}`)
  const source = 'snat ip to ip saddr map @float_of'
  const destination = 'dnat ip to ip daddr map @floats'
  return {
    objects: [
      known,
      map('floats', type, inward),
      map('float_of', type, outward),
      baseChain('floats_in', 'type nat hook prerouting priority dstnat; policy accept;', [
        ...beforeFloats,
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
    fromOutside,
    outbound: [source],
    hairpin: [`iifname ${ANY_NIC} oifname ${ANY_NIC} ct status dnat ${source}`],
  }
}
