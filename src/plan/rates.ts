/**
 * Bandwidth and packets of each NIC, by the type of its instance: sets and chains of the budgets'
 * table. Pure.
 *
 * Each NIC is an element with a token bucket of its own, so a rule looks at one element whatever
 * their number, and another NIC changes nothing for the others. What is above the rate is dropped,
 * as EC2 does, and TCP settles at the rate. A NIC that was idle may send or receive one second's
 * worth at once. Syntax: nft(8), "Set statement" and "Limit statement".
 */
import { nicLinkName } from '../model/names.ts'
import { type NicRate, nicRateOf, type TypeRate } from '../model/network-rates.ts'
import type { HostWant } from '../model/want.ts'
import { baseChain, type NftObject, set } from './nft-tables.ts'

/** nft's kbyte. */
const KBYTE = 1024
/** Most links of NICs that a set has room for. */
export const MAX_NICS = 8192

const DIRECTIONS = ['from', 'to'] as const
/** The definition of a set of buckets. Every element brings its own limit; this one is unused. */
const BYTES_SET = [
  'type ifname',
  `size ${MAX_NICS}`,
  'limit rate over 1 kbytes/second burst 1 kbytes',
]
const PACKETS_SET = ['type ifname', `size ${MAX_NICS}`, 'limit rate over 1/second']
/** Names and definitions of all sets. */
export const RATE_SETS = DIRECTIONS.flatMap((direction) => [
  { name: `bandwidth_${direction}`, head: BYTES_SET },
  { name: `packets_${direction}`, head: PACKETS_SET },
])

/** Why a packet was dropped; each has a counter. */
export const RATE_DROP_REASONS = ['rate_bandwidth', 'rate_packets'] as const

/**
 * The sets and chains. `drop` is the verdict for a reason. NICs of one instance have the rate of
 * its type each.
 */
export function rateObjects(
  want: HostWant,
  rates: readonly TypeRate[],
  drop: (reason: (typeof RATE_DROP_REASONS)[number]) => string,
): readonly NftObject[] {
  const nics = want.local.instances.flatMap(({ type, nics }) =>
    nics.map(({ id }) => ({ link: `"${nicLinkName(id)}"`, rate: nicRateOf(type.name, rates) })),
  )
  const bytes = nics.flatMap(({ link, rate }) => bytesElement(link, rate))
  const packets = nics.flatMap(({ link, rate }) => packetsElement(link, rate))
  const rules = (link: 'iifname' | 'oifname', direction: (typeof DIRECTIONS)[number]) => [
    `${link} @packets_${direction} ${drop('rate_packets')}`,
    `${link} @bandwidth_${direction} ${drop('rate_bandwidth')}`,
  ]
  return [
    ...DIRECTIONS.flatMap((direction) => [
      set(`bandwidth_${direction}`, BYTES_SET, bytes),
      set(`packets_${direction}`, PACKETS_SET, packets),
    ]),
    // After the source check (-450): nobody uses up another's rate.
    baseChain(
      'rate_from',
      'type filter hook prerouting priority -445; policy accept;',
      rules('iifname', 'from'),
    ),
    // After everything that may drop the packet.
    baseChain(
      'rate_to',
      'type filter hook postrouting priority 300; policy accept;',
      rules('oifname', 'to'),
    ),
  ]
}

function bytesElement(link: string, { megabitsPerSecond }: NicRate): readonly string[] {
  if (megabitsPerSecond === null) return []
  const kbytes = Math.round((megabitsPerSecond * 1e6) / 8 / KBYTE)
  // The bucket has room for one second and the burst; nft refuses a burst of nothing.
  return [`${link} limit rate over ${kbytes} kbytes/second burst 1 kbytes`]
}

function packetsElement(link: string, { packetsPerSecond }: NicRate): readonly string[] {
  if (packetsPerSecond === null) return []
  const burst = packetsPerSecond
  return [`${link} limit rate over ${packetsPerSecond}/second burst ${burst} packets`]
}
