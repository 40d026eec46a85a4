/** How many NICs an instance may have, and how many addresses each, by instance type. Pure. */

/** The limits of one instance. */
export interface NicLimit {
  /** NICs at once. Their device indexes are below this. */
  readonly interfaces: number
  /** Addresses of each NIC, the primary one included. */
  readonly addresses: number
}

/** The limits of some instance types. */
export interface TypeNicLimit extends NicLimit {
  /** The name of a type, such as `t3.micro`; with `*` at its end, all that begin like it. */
  readonly types: string
}

/** Most NICs of any instance: a virtual machine has a PCI port for each. */
export const INTERFACES_MAX = 15

/**
 * Without settings, those of EC2
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html).
 */
export const DEFAULT_NIC_LIMITS: readonly TypeNicLimit[] = [
  { types: 't3.nano', interfaces: 2, addresses: 2 },
  { types: 't3.micro', interfaces: 2, addresses: 2 },
  { types: 't3.small', interfaces: 3, addresses: 4 },
  { types: 't3.medium', interfaces: 3, addresses: 6 },
  { types: 't3.large', interfaces: 3, addresses: 12 },
  { types: 'm5.large', interfaces: 3, addresses: 10 },
  { types: '*', interfaces: 4, addresses: 15 },
]

const LEAST: NicLimit = { interfaces: 1, addresses: 1 }

/** The limits of a type: those of the first entry that names it, else one of each. */
export function nicLimitOf(type: string, limits: readonly TypeNicLimit[]): NicLimit {
  const found = limits.find(({ types }) =>
    types.endsWith('*') ? type.startsWith(types.slice(0, -1)) : type === types,
  )
  return found ?? LEAST
}
