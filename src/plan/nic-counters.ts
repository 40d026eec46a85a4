/**
 * Counters of each NIC: the packets and bytes that were accepted and dropped, in both directions.
 * Pure.
 *
 * Each NIC is an element with a counter of its own, so a rule looks at one element whatever their
 * number, and another NIC changes nothing for the others. `in` is to the instance, `out` is from
 * it. Sets are not shared between tables, so each table that drops has its own. Syntax: nft(8),
 * "Set statement".
 */
import { nicLinkName } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import { baseChain, chain, type NftObject, set } from './nft-tables.ts'

const DIRECTIONS = ['out', 'in'] as const
type NicDirection = (typeof DIRECTIONS)[number]
type NicVerdict = 'accepted' | 'dropped'
/** Where a packet has the link of its NIC. */
const LINK = { out: 'iifname', in: 'oifname' } as const

/** The definition of each set. */
const HEAD = ['type ifname', 'counter']
/** Names and definitions of all sets. */
export const NIC_COUNTER_SETS = (['accepted', 'dropped'] as const).flatMap((verdict) =>
  DIRECTIONS.map((direction) => ({
    ...{ verdict, direction, head: HEAD },
    name: setName(verdict, direction),
  })),
)

function setName(verdict: NicVerdict, direction: NicDirection): string {
  return `${verdict}_${direction}`
}

/** The sets that count packets with this verdict, with every NIC of the want. */
export function nicCounterSets(want: HostWant, verdict: NicVerdict): readonly NftObject[] {
  const nics = want.local.instances.flatMap((instance) => instance.nics)
  const links = nics.map(({ id }) => `"${nicLinkName(id)}"`)
  return DIRECTIONS.map((direction) => set(setName(verdict, direction), HEAD, links))
}

/**
 * Chains that count what was accepted, after all that may drop it. What instances of one host send
 * each other counts for both.
 */
export function acceptedChains(): readonly NftObject[] {
  const counted = (direction: NicDirection) =>
    `${LINK[direction]} @${setName('accepted', direction)}`
  return [
    baseChain('accepted', 'type filter hook postrouting priority 310; policy accept;', [
      counted('in'),
      counted('out'),
    ]),
    // Packets to the host itself, after the guard (450).
    baseChain('accepted_by_host', 'type filter hook input priority 460; policy accept;', [
      counted('out'),
    ]),
  ]
}

/** A verdict: drops, and counts for the NICs and by the reason. */
export function dropBy(reason: string): string {
  return `goto drop_${reason}`
}

/** What it leads to, in a table that has `nicCounterSets` and the counter of the reason. */
export function dropChain(reason: string): NftObject {
  return chain(`drop_${reason}`, [
    ...DIRECTIONS.map((direction) => `${LINK[direction]} @${setName('dropped', direction)}`),
    dropCounted(reason),
  ])
}

/** A verdict: drops, and counts by the reason only. */
export function dropCounted(reason: string): string {
  return `counter name "${dropCounterOf(reason)}" drop`
}

/** Name of the counter of a reason. */
export function dropCounterOf(reason: string): string {
  return `dropped_${reason}`
}
