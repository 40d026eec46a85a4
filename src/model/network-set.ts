/**
 * A set of networks that tells quickly whether it overlaps an address or another network. Pure.
 *
 * Two networks overlap only when one contains the other. So each network is stored by its prefix
 * length, together with every network that contains it.
 */
import { type Cidr, type Ipv4, ipv4ToNumber } from './addr.ts'

const ADDRESS_BITS = 32

export interface NetworkSet {
  add(net: Cidr): void
  /** Whether one of the networks has the address. */
  contains(ip: Ipv4): boolean
  /** Whether one of the networks shares an address with this one. */
  overlaps(net: Cidr): boolean
}

/** An empty set. */
export function createNetworkSet(): NetworkSet {
  const added = new Map<number, Set<number>>()
  const around = new Map<number, Set<number>>()

  /** Whether a network with at most this prefix length contains the address. */
  function holds(value: number, longest: number): boolean {
    for (const [prefix, blocks] of added)
      if (prefix <= longest && blocks.has(blockOf(value, prefix))) return true
    return false
  }

  return {
    add({ network, prefix }) {
      const value = ipv4ToNumber(network)
      setOf(added, prefix).add(blockOf(value, prefix))
      for (let wider = 0; wider < prefix; wider += 1)
        setOf(around, wider).add(blockOf(value, wider))
    },
    contains: (ip) => holds(ipv4ToNumber(ip), ADDRESS_BITS),
    overlaps({ network, prefix }) {
      const value = ipv4ToNumber(network)
      return holds(value, prefix) || around.get(prefix)?.has(blockOf(value, prefix)) === true
    },
  }
}

/**
 * The number of the network of this prefix length that contains the address, counted from 0.0.0.0.
 */
function blockOf(value: number, prefix: number): number {
  return Math.floor(value / 2 ** (ADDRESS_BITS - prefix))
}

function setOf(sets: Map<number, Set<number>>, prefix: number): Set<number> {
  const known = sets.get(prefix)
  if (known !== undefined) return known
  const made = new Set<number>()
  sets.set(prefix, made)
  return made
}
