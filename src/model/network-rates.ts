/** How fast an instance's NIC may be, by its instance type. Pure. */

/** The limits of one NIC, each counted by itself for what it sends and for what it receives. */
export interface NicRate {
  /** Of IP packets with their headers; null: no limit. */
  readonly megabitsPerSecond: number | null
  readonly packetsPerSecond: number | null
}

/** The rate of some instance types. */
export interface TypeRate extends NicRate {
  /** The name of a type, such as `t3.micro`; with `*` at its end, all that begin like it. */
  readonly types: string
}

const UNLIMITED: NicRate = { megabitsPerSecond: null, packetsPerSecond: null }

/**
 * What a NIC gets without settings: the bandwidth that EC2 gives these families at most
 * (https://docs.aws.amazon.com/ec2/latest/instancetypes/gp.html, "Network specifications"). AWS
 * does not publish packets per second.
 */
export const DEFAULT_RATES: readonly TypeRate[] = [
  { types: 't3.*', megabitsPerSecond: 5000, packetsPerSecond: 500_000 },
  { types: 'm5.*', megabitsPerSecond: 10_000, packetsPerSecond: 1_000_000 },
]

/** The rate of a type: that of the first entry that names it, else none. */
export function nicRateOf(type: string, rates: readonly TypeRate[]): NicRate {
  const found = rates.find(({ types }) =>
    types.endsWith('*') ? type.startsWith(types.slice(0, -1)) : type === types,
  )
  return found ?? UNLIMITED
}
