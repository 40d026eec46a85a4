/**
 * Free addresses of a subnet, for one launch, without reading all that are taken: some are drawn by
 * chance and looked up. Only when these are used up, as they soon are in a subnet that is nearly
 * full, is all that is taken read.
 */
import type { Ipv4 } from '../../model/addr.ts'
import type { Subnet } from '../../model/records.ts'
import { chooseAddress, drawAddresses } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'

/** Addresses that are drawn beyond those that are needed. */
const SPARE = 8

/** Gives addresses that nobody had when they were looked up, each once. */
export interface FreeAddresses {
  /** The next one, or undefined when there is none left. Errors: as the store's. */
  next(): Promise<Ipv4 | undefined>
}

/**
 * Those of `subnet`, of which about `count` will be needed. `random` gives any non-negative
 * integer.
 */
export function freeAddresses(
  tx: Pick<ReadTx, 'takenAddresses'>,
  { id, cidr }: Pick<Subnet, 'id' | 'cidr'>,
  count: number,
  random: () => number,
): FreeAddresses {
  const drawn = drawAddresses(cidr, count + SPARE, random)
  let free: Ipv4[] | undefined
  /** All that are taken or were given. */
  let taken: Set<Ipv4> | undefined
  return {
    async next() {
      if (free === undefined) {
        const used = new Set(await tx.takenAddresses(id, drawn))
        free = drawn.filter((ip) => !used.has(ip))
      }
      const first = free.pop()
      if (first !== undefined) return first
      taken ??= new Set([...(await tx.takenAddresses(id)), ...drawn])
      const ip = chooseAddress(cidr, taken, random())
      if (ip !== undefined) taken.add(ip)
      return ip
    },
  }
}
