/** Which ranges of addresses VPCs and subnets may have. Pure. */
import { type Cidr, cidrHolds, cidrOverlaps, cidr as network } from './addr.ts'
import type { Vpc } from './records.ts'

/** The shortest prefix that a record of a VPC may have; the API takes `EC2_PREFIX_MIN`. */
const PREFIX_MIN = 8
/** The longest: one that leaves an address to instances. */
const PREFIX_MAX = 29
/** The shortest prefix that EC2 takes (VPC user guide, "VPC CIDR blocks", "Subnet CIDR blocks"). */
export const EC2_PREFIX_MIN = 16
/** The longest prefix that EC2 takes. */
export const EC2_PREFIX_MAX = 28

/**
 * Never the network of a VPC: this network, loopback, link-local, and all from multicast on (RFC
 * 6890).
 */
const NO_VPC = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(network)

/** Whether instances may have addresses of this network. */
export function isVpcRange(range: Cidr): boolean {
  return (
    range.prefix >= PREFIX_MIN &&
    range.prefix <= PREFIX_MAX &&
    !NO_VPC.some((reserved) => cidrOverlaps(reserved, range))
  )
}

/** How many ranges a VPC may have (VPC user guide, "IPv4 CIDR blocks per VPC"). */
export const VPC_RANGES_MAX = 5

/** All ranges of a VPC, the one that it was made with first. */
export function rangesOf({
  cidr,
  moreCidrs = [],
}: Pick<Vpc, 'cidr' | 'moreCidrs'>): readonly Cidr[] {
  return [cidr, ...moreCidrs.map((more) => more.cidr)]
}

/** The first two of these that overlap; undefined: none do. */
export function overlapping(
  some: readonly Cidr[],
  others: readonly Cidr[],
): readonly [Cidr, Cidr] | undefined {
  for (const one of some)
    for (const other of others) if (cidrOverlaps(one, other)) return [one, other]
  return undefined
}

/** Networks that nobody outside has (RFC 1918), and those between providers (RFC 6598). */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'].map(network)

/** Whether all addresses of the network are private. */
export function isPrivate(range: Cidr): boolean {
  return PRIVATE.some((block) => cidrHolds(block, range))
}
