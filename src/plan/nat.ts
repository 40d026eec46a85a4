/**
 * Outbound address translation as nft rules. Pure.
 *
 * What an instance sends out gets an address of the host and a port of its share. A share is a
 * chain, because only a rule can give `masquerade` a range of ports; a map leads from the address
 * of a NIC to its chain, so a packet costs one lookup.
 *
 * Instances of a VPC with a namespace are translated twice: inside, to the VPC's address on the
 * link to the machine's own namespace; there, to an address of the host. Shares are different for
 * all NICs of a host, so the second translation finds the port free and keeps it.
 */
import { formatCidr, type Ipv4 } from '../model/addr.ts'
import {
  COMMON_PORTS,
  type NatSettings,
  type NatShare,
  natSources,
  type PortRange,
  portsOfSources,
  sourceOfShare,
} from '../model/nat.ts'
import { TRANSIT_RANGE, type Transit } from '../model/transit.ts'
import type { HostWant, NicWant } from '../model/want.ts'
import type { FloatingRules } from './floating.ts'
import { type Networks, networks } from './networks.ts'
import { baseChain, chain, map, type NftObject, set } from './nft-tables.ts'
import { ANY_NIC, drop } from './nft-text.ts'
import { ANY_TRANSIT } from './transit-rules.ts'

/** The chain that translates whatever gets there. */
export const TRANSLATE = 'translate'
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
  /** Whether it is the machine's own namespace. */
  readonly isOwn: boolean
}

interface NatRules {
  readonly objects: readonly NftObject[]
  /** Drops what no address of the host is there for, before it leaves the host. */
  readonly leaving: readonly string[]
  /** What others refer to. */
  readonly before: readonly NftObject[]
}

/** The rules. Traffic inside VPCs keeps its addresses. */
export function natRules(input: NatInput): NatRules {
  const { want, nics, settings, addresses, vpcs, floating, byNatGateway, isOwn } = input
  const exceptions = networks('untranslated', settings.exceptions)
  const usable = (vpc: NicWant['vpc'] | undefined): Sources => {
    const all = natSources(settings, vpc)
    return { all, here: all.filter((ip) => addresses.includes(ip)) }
  }
  const shares = shareChains(nics, want.natShares ?? [], (vpc) => usable(vpc).here)
  const transits = isOwn ? transitChains(want.transits ?? [], (vpc) => usable(vpc).here) : NO_CHAINS
  const lost = ({ all, here }: Sources) => all.length > 0 && here.length === 0
  const unsourced = [
    ...nics.filter(({ vpc, publicIp }) => !publicIp && lost(usable(vpc))).map(({ ip }) => ip),
    ...(want.transits ?? []).filter(({ vpc }) => lost(usable(vpc))).map(({ address }) => address),
  ]
  const refused = unsourcedRules(unsourced, exceptions)
  return {
    leaving: refused.lookUp,
    before: [
      ...exceptions.sets,
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
        ...vpcs.match('ip daddr').map((ours) => `${ours} accept`),
        ...exceptions.match('ip daddr').map((there) => `${there} accept`),
        ...byNatGateway,
        ...floating.outbound,
        `goto ${TRANSLATE}`,
      ]),
      baseChain('postrouting', 'type nat hook postrouting priority srcnat; policy accept;', [
        ...floating.hairpin,
        `iifname ${ANY_NIC} oifname != ${ANY_NIC} goto outbound`,
        ...transits.lookUp,
        ...(isOwn
          ? [`iifname ${ANY_TRANSIT} ip saddr ${formatCidr(TRANSIT_RANGE)} masquerade`]
          : []),
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

/** What has no address to go out with. Nobody would answer what leaves with another one. */
function unsourcedRules(addresses: readonly Ipv4[], exceptions: Networks): Chains {
  if (addresses.length === 0) return NO_CHAINS
  return {
    objects: [
      set('unsourced', ['type ipv4_addr'], addresses),
      chain('check_nat_source', [
        ...exceptions.match('ip daddr').map((there) => `${there} return`),
        `ip saddr @unsourced ${drop('nat_source')}`,
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
  const leading = nics.flatMap(({ id, ip, vpc }) => {
    const share = byNic.get(id)
    if (share === undefined) return []
    return [{ ip, share, source: sourceOfShare(sourcesOf(vpc), share) }]
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
function translate(source: Ipv4 | undefined, ports: PortRange | undefined): readonly string[] {
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
  sourcesOf: (vpc: Transit['vpc']) => readonly Ipv4[],
): Chains {
  const leading = transits.flatMap(({ address, vpc }) => {
    const sources = sourcesOf(vpc)
    return sources.length === 0 ? [] : [{ address, sources }]
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
