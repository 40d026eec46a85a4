/** Where a new subnet fits. Pure. */
import { type Cidr, cidrAddress, cidrHolds, cidrOverlaps, cidrSize } from '../model/addr.ts'
import type { Subnet } from '../model/records.ts'

/** `first`, or else the first network of its size in the VPC that overlaps no subnet. */
export function freeNetwork(
  vpc: Cidr,
  first: Cidr,
  subnets: readonly Pick<Subnet, 'cidr'>[],
): Cidr | undefined {
  const size = cidrSize(first)
  const isFree = (one: Cidr) =>
    cidrHolds(vpc, one) && !subnets.some((subnet) => cidrOverlaps(subnet.cidr, one))
  if (isFree(first)) return first
  for (let start = 0; start + size <= cidrSize(vpc); start += size) {
    const one = { network: cidrAddress(vpc, start), prefix: first.prefix }
    if (isFree(one)) return one
  }
  return undefined
}
