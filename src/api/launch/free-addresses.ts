/**
 * Free addresses of a subnet, without reading all that are taken: random addresses are looked up.
 * Only when these are used up, as in a nearly full subnet, all taken addresses are read.
 */
import type { Ipv4 } from '../../model/addr.ts'
import type { Subnet } from '../../model/records.ts'
import { chooseAddress, drawAddresses } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'

/** Number of addresses that are drawn beyond the needed ones. */
const SPARE = 8

/** Returns addresses that were free when they were looked up, each once. */
export interface FreeAddresses {
  /** The next one. Undefined when there is none left. Errors: the store's. */
  next(): Promise<Ipv4 | undefined>
}

/**
 * Free addresses of `subnet`, of which about `count` will be needed. `random` returns any
 * non-negative integer. `named` are addresses that the same request asks for: they are not among
 * them.
 */
export function freeAddresses(
  tx: Pick<ReadTx, 'takenAddresses'>,
  { id, cidr }: Pick<Subnet, 'id' | 'cidr'>,
  count: number,
  random: () => number,
  named: readonly Ipv4[],
): FreeAddresses {
  const drawn = drawAddresses(cidr, count + SPARE, random)
  let free: Ipv4[] | undefined
  /** All that are taken or were returned. */
  let taken: Set<Ipv4> | undefined
  return {
    async next() {
      if (free === undefined) {
        const used = new Set([...(await tx.takenAddresses(id, drawn)), ...named])
        free = drawn.filter((ip) => !used.has(ip))
      }
      const first = free.pop()
      if (first !== undefined) return first
      taken ??= new Set([...(await tx.takenAddresses(id)), ...drawn, ...named])
      const ip = chooseAddress(cidr, taken, random())
      if (ip !== undefined) taken.add(ip)
      return ip
    },
  }
}
