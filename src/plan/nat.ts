/**
 * Outbound address translation as nft rules. Pure.
 *
 * What an instance sends out gets an address of the host and a port of its share. A share is a
 * chain, because only a rule can give `masquerade` a range of ports; a map leads from the address
 * of a NIC to its chain, so a packet costs one lookup.
 *
 * Instances of a VPC with a namespace are translated twice: inside, to the VPC's address on the
 * link to the machine's own namespace; there, to an address of the host. Shares are different for
 * all NICs of a host, so the second translation finds the port free and keeps it. To destinations
 * that see private addresses (exceptions) they go by stand-ins (`stand-ins.ts`).
 */
import { type Cidr, formatCidr, type Ipv4 } from '../model/addr.ts'
import { LINK_PREFIX } from '../model/names.ts'
import {
  COMMON_PORTS,
  type NatSettings,
  type NatShare,
  natSources,
  ownExceptions,
  type PortRange,
  portsOfSources,
  sourceOfShare,
} from '../model/nat.ts'
import { STAND_IN_RANGE, type StandIn, TRANSIT_RANGE, type Transit } from '../model/transit.ts'
import { addressesOf, floatingIpsOf, type HostWant, type NicWant } from '../model/want.ts'
import type { FloatingRules } from './floating.ts'
import { type Networks, networks } from './networks.ts'
import { baseChain, chain, map, type NftObject, set } from './nft-tables.ts'
import { ANY_NIC, ANY_PEER, drop } from './nft-text.ts'
import { isSeen } from './stand-ins.ts'
import { ANY_TRANSIT } from './transit-rules.ts'

/** The chain that translates whatever gets there. */
export const TRANSLATE = 'translate'
/** Drops what has no address of the host to go out with. */
export const DROP_UNSOURCED = `ip saddr @unsourced ${drop('nat_source')}`
/** Protocols with ports, or with something that is translated as ports are. */
const WITH_PORTS = 'meta l4proto { icmp, tcp, udp, sctp }'

/** What is translated to what. */
interface NatInput {
  readonly want: HostWant
  readonly nics: readonly NicWant[]
  readonly settings: NatSettings
  /** Addresses that this namespace has. */
  readonly addresses: readonly Ipv4[]
  readonly vpcs: Networks
  readonly floating: FloatingRules
  /** Of what is translated in place of a floating IP; they lead to `translate`. */
  readonly byNatGateway: readonly string[]
  /** Of what is not translated at all, or to the address of a NAT gateway. */
  readonly first: readonly string[]
  /** Of what leaves the host and is not from one of its NICs. */
  readonly passing: readonly string[]
  /** Of what goes out with the address of a NAT gateway. They return. */
  readonly sourced: readonly string[]
  /** Whether it is the machine's own namespace. */
  readonly isOwn: boolean
  /** Networks of the host, whose addresses no instance of a VPC with a namespace shows. */
  readonly taken: readonly Cidr[]
}

interface NatRules {
  readonly objects: readonly NftObject[]
  /** Drops what no address of the host is there for, before it leaves the host. */
  readonly leaving: readonly string[]
  /** Drops what the host would send back to where it came from, among what it forwards. */
  readonly returning: readonly string[]
  /** What others refer to. */
  readonly before: readonly NftObject[]
}

/** The rules. Traffic inside VPCs keeps its addresses. */
export function natRules(input: NatInput): NatRules {
  const { want, nics, settings, addresses, vpcs, floating, isOwn, taken } = input
  const exceptions = exceptionMatches(want, settings)
  const usable = (vpc: NicWant['vpc'] | undefined): Sources => {
    const all = natSources(settings, vpc)
    return { all, here: all.filter((ip) => addresses.includes(ip)) }
  }
  const shares = shareChains(nics, want.natShares ?? [], (vpc) => usable(vpc).here)
  const shown = standIns(want, taken, isOwn)
  const translated = (transit: Transit) => [
    transit.address,
    ...(transit.standIns ?? []).map(({ as }) => as),
  ]
  const transits = isOwn
    ? transitChains(want.transits ?? [], translated, (vpc) => usable(vpc).here)
    : NO_CHAINS
  const lost = ({ all, here }: Sources) => all.length > 0 && here.length === 0
  const unsourced = [
    ...nics.filter(({ vpc }) => lost(usable(vpc))).flatMap(withoutFloatingIp),
    ...(want.transits ?? [])
      .filter(({ vpc }) => lost(usable(vpc)))
      .flatMap(translated)
      .filter((ip) => !shown.seen.has(ip)),
  ]
  const refused = unsourcedRules(unsourced, exceptions, input.sourced)
  return {
    leaving: refused.lookUp,
    returning: shown.returning,
    before: [
      ...(shown.leaving.length === 0 ? [] : exceptions.sets),
      ...shown.objects,
      ...refused.objects,
      ...shares.objects,
      chain(TRANSLATE, [
        ...shares.lookUp,
        ...translate(usable(undefined).here[0], want.natShares && COMMON_PORTS),
      ]),
    ],
    objects: [
      ...transits.objects,
      chain('outbound', [
        ...(want.routedPeers === undefined ? [] : [`oifname ${ANY_PEER} accept`]),
        ...vpcs.match('ip daddr').map((ours) => `${ours} accept`),
        ...input.first,
        ...shown.leaving.flatMap((verdict) =>
          exceptions.matches.map((there) => `${there} ${verdict}`),
        ),
        ...input.byNatGateway,
        ...floating.outbound,
        `goto ${TRANSLATE}`,
      ]),
      baseChain('postrouting', 'type nat hook postrouting priority srcnat; policy accept;', [
        ...floating.hairpin,
        `iifname ${ANY_NIC} oifname != ${ANY_NIC} goto outbound`,
        ...input.passing,
        ...shown.passing,
        ...transits.lookUp,
        ...(isOwn ? [TRANSIT_RANGE, ...shown.ranges] : []).map(
          (range) => `iifname ${ANY_TRANSIT} ip saddr ${formatCidr(range)} masquerade`,
        ),
      ]),
    ],
  }
}

/** The configured addresses, and those of them that this host has. */
interface Sources {
  readonly all: readonly Ipv4[]
  readonly here: readonly Ipv4[]
}

/** Chains, and the rules that lead to them. */
interface Chains {
  readonly objects: readonly NftObject[]
  readonly lookUp: readonly string[]
}
const NO_CHAINS: Chains = { objects: [], lookUp: [] }

/** Matches of what goes to destinations that see private addresses, with their sets. */
interface Exceptions {
  readonly sets: readonly NftObject[]
  readonly matches: readonly string[]
}

/** Those of all VPCs, and of each that has others. */
function exceptionMatches({ shared }: HostWant, { exceptions, vpcs }: NatSettings): Exceptions {
  const all = networks('untranslated', exceptions)
  const others = shared.vpcs.flatMap(({ id, cidr }, at) => {
    const own = ownExceptions(vpcs, id)
    return own === undefined
      ? []
      : [{ from: formatCidr(cidr), own: networks(`untranslated_of_${at}`, own) }]
  })
  const isOther = others.map(({ from }) => from).join(', ')
  const ofRest = isOther === '' ? '' : `ip saddr != { ${isOther} } `
  return {
    sets: [all, ...others.map(({ own }) => own)].flatMap(({ sets }) => sets),
    matches: [
      ...all.match('ip daddr').map((there) => `${ofRest}${there}`),
      ...others.flatMap(({ from, own }) =>
        own.match('ip daddr').map((there) => `ip saddr ${from} ${there}`),
      ),
    ],
  }
}

/** How private addresses get past the translation. */
interface StandInRules {
  readonly objects: readonly NftObject[]
  /** What becomes of a packet to an exception; empty: it is like all others. */
  readonly leaving: readonly string[]
  /** For what comes from the namespaces of VPCs. */
  readonly passing: readonly string[]
  /** For what is forwarded. */
  readonly returning: readonly string[]
  /** Of which there are stand-ins. */
  readonly ranges: readonly Cidr[]
  /** The stand-ins that become private addresses here. */
  readonly seen: ReadonlySet<Ipv4>
}

/** In the machine's own namespace private addresses just stay, and stand-ins are replaced. */
function standIns(
  { transits = [], standIns = [] }: HostWant,
  taken: readonly Cidr[],
  isOwn: boolean,
): StandInRules {
  const element = ({ ip, as }: StandIn) => (isOwn ? `${as} : ${ip}` : `${ip} : ${as}`)
  const all = isOwn ? transits.flatMap((transit) => transit.standIns ?? []) : standIns
  const mapped = isOwn ? all.filter(({ ip }) => isSeen(ip, taken)) : all
  const seen = isOwn ? mapped : []
  const translation = 'snat ip to ip saddr map @stand_ins'
  return {
    objects: [
      ...(mapped.length === 0
        ? []
        : [map('stand_ins', 'type ipv4_addr : ipv4_addr', mapped.map(element))]),
      ...(seen.length === 0
        ? []
        : [
            set(
              'seen',
              ['type ipv4_addr'],
              seen.map(({ ip }) => ip),
            ),
          ]),
    ],
    leaving: isOwn ? ['accept'] : mapped.length === 0 ? [] : [translation],
    // Who has a floating IP may be in a VPC that has the same address.
    passing:
      seen.length === 0
        ? []
        : [`iifname ${ANY_TRANSIT} oifname != "${LINK_PREFIX}*" ${translation}`],
    // What is of no connection would go to and fro between the host and the router that sent it.
    returning:
      seen.length === 0 ? [] : [`ip daddr @seen fib daddr . iif oif exists ${drop('transit')}`],
    ranges: all.length === 0 ? [] : [STAND_IN_RANGE],
    seen: new Set(seen.map(({ as }) => as)),
  }
}

/** The addresses of a NIC that have no floating IP. */
function withoutFloatingIp(nic: NicWant): readonly Ipv4[] {
  const floating = new Set(floatingIpsOf(nic).map(({ ip }) => ip))
  return addressesOf(nic).filter((ip) => !floating.has(ip))
}

/** What has no address to go out with. Nobody would answer what leaves with another one. */
function unsourcedRules(
  addresses: readonly Ipv4[],
  exceptions: Exceptions,
  sourced: readonly string[],
): Chains {
  if (addresses.length === 0) return NO_CHAINS
  return {
    objects: [
      set('unsourced', ['type ipv4_addr'], addresses),
      chain('check_nat_source', [
        ...sourced,
        ...exceptions.matches.map((there) => `iifname ${ANY_NIC} ${there} return`),
        DROP_UNSOURCED,
      ]),
    ],
    lookUp: ['jump check_nat_source'],
  }
}

/** A chain for each share in use, and the map to them. */
function shareChains(
  nics: readonly NicWant[],
  shares: readonly NatShare[],
  sourcesOf: (vpc: NicWant['vpc']) => readonly Ipv4[],
): Chains {
  const byNic = new Map(shares.map((share) => [share.nic, share]))
  const leading = nics.flatMap((nic) => {
    const share = byNic.get(nic.id)
    if (share === undefined) return []
    const source = sourceOfShare(sourcesOf(nic.vpc), share)
    return addressesOf(nic).map((ip) => ({ ip, share, source }))
  })
  if (leading.length === 0) return NO_CHAINS
  const chains = new Map(
    leading.map(({ share, source }) => [shareName(share), translate(source, share)]),
  )
  return {
    objects: [
      ...[...chains].map(([name, rules]) => chain(name, rules)),
      map(
        'nat_shares',
        'type ipv4_addr : verdict',
        leading.map(({ ip, share }) => `${ip} : goto ${shareName(share)}`),
      ),
    ],
    lookUp: ['ip saddr vmap @nat_shares'],
  }
}

function shareName({ first, last }: PortRange): string {
  return `share_${first}_${last}`
}

/** With this address, or that of the link; and with these ports, where there are ports. */
export function translate(
  source: Ipv4 | undefined,
  ports: PortRange | undefined,
): readonly string[] {
  const to = source === undefined ? 'masquerade' : `snat ip to ${source}`
  if (ports === undefined) return [to]
  const range = `:${ports.first}-${ports.last}`
  const withPorts = source === undefined ? `masquerade to ${range}` : `${to}${range}`
  return [`${WITH_PORTS} ${withPorts}`, to]
}

/**
 * A chain for each list of addresses that VPCs with a namespace go out with. It keeps the port, by
 * which it chooses the address.
 */
function transitChains(
  transits: readonly Transit[],
  addressesOfTransit: (transit: Transit) => readonly Ipv4[],
  sourcesOf: (vpc: Transit['vpc']) => readonly Ipv4[],
): Chains {
  const leading = transits.flatMap((transit) => {
    const sources = sourcesOf(transit.vpc)
    if (sources.length === 0) return []
    return addressesOfTransit(transit).map((address) => ({ address, sources }))
  })
  if (leading.length === 0) return NO_CHAINS
  const lists = [...Map.groupBy(leading, ({ sources }) => sources.join())].map(
    ([, alike], index) => ({ name: `nat_${index}`, sources: alike[0]?.sources ?? [], alike }),
  )
  return {
    objects: [
      ...lists.map(({ name, sources }) =>
        chain(name, [
          ...portsOfSources(sources).map(
            ({ source, ports }) =>
              `meta l4proto { tcp, udp, sctp } th sport ${ports.first}-${ports.last} snat ip to ${source}`,
          ),
          `snat ip to ${sources[0]}`,
        ]),
      ),
      map(
        'nat_transits',
        'type ipv4_addr : verdict',
        lists.flatMap(({ name, alike }) => alike.map(({ address }) => `${address} : goto ${name}`)),
      ),
    ],
    lookUp: [`iifname ${ANY_TRANSIT} ip saddr vmap @nat_transits`],
  }
}
