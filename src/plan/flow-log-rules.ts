/**
 * Which packets security groups refused, for flow logs: sets that the kernel fills, one element for
 * each kind of packet. Pure.
 *
 * The kernel counts, so a flood costs the daemon nothing. New elements are limited for each NIC;
 * what is beyond is only counted as left out. Without flow logs of refused traffic there is
 * nothing of this. Syntax: nft(8), "Set statement" and "Meters".
 */
import { nicLinkName } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import { chain, type NftObject, set } from './nft-tables.ts'

const WAYS = ['egress', 'ingress'] as const
type Way = (typeof WAYS)[number]
const LINK = { egress: 'iifname', ingress: 'oifname' } as const

/** Records of one NIC that may be new in a second, and at once. */
const NEW = { perSecond: 100, burst: 1000 }
const SIZE = 65_536
/** Longer than any interval of aggregation. */
const TIMEOUT = '15m'
const PORTS_KEY = 'type ifname . ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service'
const OTHER_KEY = 'type ifname . ipv4_addr . ipv4_addr . inet_proto'

/** Names of the sets of a direction. In `skipped` are NICs with more than is recorded. */
export function refusedSets(way: Way) {
  return { ports: `refused_${way}`, other: `refused_${way}_other`, skipped: `skipped_${way}` }
}

/** The chain that a packet goes to which groups refuse; `drop` is what becomes of it. */
export function refusalChains(want: HostWant, drop: string): readonly NftObject[] {
  const links = want.local.instances
    .flatMap(({ nics }) => nics)
    .filter(({ flowLogs = [] }) => flowLogs.some(({ trafficType }) => trafficType !== 'ACCEPT'))
    .map(({ id }) => `"${nicLinkName(id)}"`)
  if (links.length === 0) return WAYS.map((way) => chain(`refuse_${way}`, [drop]))
  return [
    set('recorded', ['type ifname'], links),
    ...WAYS.flatMap((way) => recordingChains(way, drop)),
  ]
}

/** The verdict for what groups refuse in a direction. */
export function refuse(way: Way): string {
  return `goto refuse_${way}`
}

function recordingChains(way: Way, drop: string): readonly NftObject[] {
  const link = LINK[way]
  const sets = refusedSets(way)
  const ports = `${link} . ip saddr . ip daddr . meta l4proto . th sport . th dport`
  const other = `${link} . ip saddr . ip daddr . meta l4proto`
  const limit = `limit rate over ${NEW.perSecond}/second burst ${NEW.burst} packets`
  const filled = ['flags dynamic,timeout', `timeout ${TIMEOUT}`]
  return [
    set(sets.ports, [PORTS_KEY, `size ${SIZE}`, ...filled, 'counter']),
    set(sets.other, [OTHER_KEY, `size ${SIZE}`, ...filled, 'counter']),
    set(sets.skipped, ['type ifname', `size ${SIZE}`, ...filled, 'counter']),
    set(`new_${way}`, ['type ifname', `size ${SIZE}`, ...filled]),
    chain(`record_${way}`, [
      `meta l4proto { tcp, udp } ${ports} @${sets.ports} return`,
      `meta l4proto != { tcp, udp } ${other} @${sets.other} return`,
      `update @new_${way} { ${link} ${limit} } update @${sets.skipped} { ${link} counter } return`,
      `meta l4proto { tcp, udp } update @${sets.ports} { ${ports} counter } return`,
      `update @${sets.other} { ${other} counter }`,
    ]),
    chain(`refuse_${way}`, [`${link} @recorded jump record_${way}`, drop]),
  ]
}
