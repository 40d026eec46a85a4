/**
 * Networks that rules match addresses with. Pure.
 *
 * Not a set with `flags interval`: of one that is made in the same transaction as the rule that
 * looks into it the kernel lets packets see nothing for some tenths of a millisecond (Linux 6.18:
 * 264 of 1,360,000 packets at 394 replacements), and what such a rule drops or masquerades without
 * a hit is then lost. A hash of what the networks of one length begin with has no such moment (none
 * of 343,000), and costs one lookup for each length there is.
 */
import type { Cidr } from '../model/addr.ts'
import { formatCidr, netmask } from '../model/addr.ts'
import { set } from './nft-text.ts'

const ADDRESS_BITS = 32

/** What holds an address in a packet. */
type Field = 'ip saddr' | 'ip daddr' | 'arp daddr ip'

export interface Networks {
  /** The sets that the matches look into. */
  readonly sets: readonly string[]
  /**
   * One match for each rule that is needed to find them all: an address hits one of them, or is in
   * no network.
   */
  match(field: Field): readonly string[]
}

/** Networks under a name that their sets begin with; twice the same one counts once. */
export function networks(name: string, cidrs: readonly Cidr[]): Networks {
  const groups = [...Map.groupBy(cidrs, ({ prefix }) => prefix)]
    .map(([prefix, alike]) => ({ prefix, members: [...new Set(alike.map(formatCidr))].toSorted() }))
    .toSorted((a, b) => b.prefix - a.prefix)
  const setName = (prefix: number) => `${name}_${prefix}`
  return {
    sets: groups.flatMap(({ prefix, members }) =>
      members.length === 1 ? [] : set(setName(prefix), ['type ipv4_addr'], members.map(beginning)),
    ),
    match: (field) =>
      groups.map(({ prefix, members: [first = '', ...more] }) => {
        if (more.length === 0) return `${field} ${first}`
        const bits = prefix === ADDRESS_BITS ? '' : ` & ${netmask(prefix)}`
        return `${field}${bits} @${setName(prefix)}`
      }),
  }
}

function beginning(network: string): string {
  return network.replace(/\/.*/, '')
}
