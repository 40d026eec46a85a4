/**
 * Which packets security groups and network ACLs refused, for flow logs: sets that the kernel
 * fills, one element for each kind of packet. Pure.
 *
 * The kernel counts, so a flood costs the daemon nothing. New elements are limited for each NIC;
 * what is beyond, or has no room in the set, is only counted as left out. An element stays as long
 * as there are such packets, and a little longer: those of a flood soon make room for others'.
 * Without flow logs of refused traffic there is nothing of this. Syntax: nft(8), "Set statement"
 * and "Meters".
 */
import { nicLinkName } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import { chain, type NftObject, set } from './nft-tables.ts'

const WAYS = ['egress', 'ingress'] as const
type Way = (typeof WAYS)[number]
const LINK = { egress: 'iifname', ingress: 'oifname' } as const

/** Records of one NIC that may be new in a second, and at once. */
const NEW = { perSecond: 50, burst: 500 }
/**
 * The kernel goes through a set from its beginning for each part of a reading: 8,192 elements are
 * read in 0.1 s, 65,536 in more than 5 s.
 */
const RECORDS_SIZE = 8_192
/** Of sets with an element for each NIC. */
const NICS_SIZE = 65_536
/** Several readings (`services/flow-logs`). A NIC has at most 1,250 elements then. */
const TIMEOUT = '15s'
const PORTS_KEY = 'type ifname . ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service'
const OTHER_KEY = 'type ifname . ipv4_addr . ipv4_addr . inet_proto'

/** Names of the sets of a direction. In `skipped` are NICs with more than is recorded. */
export function refusedSets(way: Way) {
  return { ports: `refused_${way}`, other: `refused_${way}_other`, skipped: `skipped_${way}` }
}

/** The chain that a packet goes to which groups refuse; `drop` is what becomes of it. */
export function refusalChains(want: HostWant, drop: string): readonly NftObject[] {
  const links = recordedLinks(want)
  return [
    ...(links.length === 0 ? [] : [set('recorded', ['type ifname'], links)]),
    ...WAYS.flatMap((way) => [
      ...(links.length === 0 ? [] : recordingChains(way)),
      chain(`refuse_${way}`, [...recording(want, way), drop]),
    ]),
  ]
}

/** What comes before the drop of a refused packet, in a chain after `refusalChains`. */
export function recording(want: HostWant, way: Way): readonly string[] {
  return recordedLinks(want).length === 0 ? [] : [`${LINK[way]} @recorded jump record_${way}`]
}

/** The links of the NICs whose refused packets are recorded. */
function recordedLinks(want: HostWant): readonly string[] {
  return want.local.instances
    .flatMap(({ nics }) => nics)
    .filter(({ flowLogs = [] }) => flowLogs.some(({ trafficType }) => trafficType !== 'ACCEPT'))
    .map(({ id }) => `"${nicLinkName(id)}"`)
}

/** The verdict for what groups refuse in a direction. */
export function refuse(way: Way): string {
  return `goto refuse_${way}`
}

function recordingChains(way: Way): readonly NftObject[] {
  const link = LINK[way]
  const sets = refusedSets(way)
  const ports = `${link} . ip saddr . ip daddr . meta l4proto . th sport . th dport`
  const other = `${link} . ip saddr . ip daddr . meta l4proto`
  const limit = `limit rate over ${NEW.perSecond}/second burst ${NEW.burst} packets`
  const tooMany = `update @new_${way} { ${link} ${limit} }`
  const filled = ['flags dynamic,timeout', `timeout ${TIMEOUT}`]
  return [
    set(sets.ports, [PORTS_KEY, `size ${RECORDS_SIZE}`, ...filled, 'counter']),
    set(sets.other, [OTHER_KEY, `size ${RECORDS_SIZE}`, ...filled, 'counter']),
    set(sets.skipped, ['type ifname', `size ${NICS_SIZE}`, ...filled, 'counter']),
    set(`new_${way}`, ['type ifname', `size ${NICS_SIZE}`, ...filled]),
    chain(`skip_${way}`, [`update @${sets.skipped} { ${link} counter }`]),
    chain(`record_${way}`, [
      // Not to find an element counts nothing, so each packet is counted by its update only.
      `meta l4proto { tcp, udp } ${ports} != @${sets.ports} ${tooMany} goto skip_${way}`,
      `meta l4proto != { tcp, udp } ${other} != @${sets.other} ${tooMany} goto skip_${way}`,
      `meta l4proto { tcp, udp } update @${sets.ports} { ${ports} counter } return`,
      `meta l4proto != { tcp, udp } update @${sets.other} { ${other} counter } return`,
      // The set is full.
      `goto skip_${way}`,
    ]),
  ]
}
