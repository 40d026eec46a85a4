/**
 * Which connections of an instance that has moved here its host takes over. Pure.
 *
 * The other host names them, so each must be between an address of the instance and one of its VPC
 * or a peer. What leaves the VPC is translated, or goes by rules that only a first packet is judged
 * by. Whether groups and routes permit it now, the firewall judges with the first rules of the NIC
 * (`isWithdrawn`), before the instance goes on.
 */
import { type Cidr, cidrContains, type Ipv4 } from '../model/addr.ts'
import type { CarriedFlow } from '../model/carried-flow.ts'
import { addressesOf, type NicWant, type SharedWant } from '../model/want.ts'

/** Those of each network namespace, by the number of the VPC; undefined: the machine's own. */
export function carriedByNetwork(
  nics: readonly NicWant[],
  shared: Pick<SharedWant, 'vpcs' | 'peerings'>,
  flows: readonly CarriedFlow[],
): ReadonlyMap<number | undefined, readonly CarriedFlow[]> {
  const taken = nics.map((nic) => {
    const own = new Set<Ipv4>(addressesOf(nic))
    const ranges = rangesOf(nic, shared)
    const isInside = (ip: Ipv4) => ranges.some((range) => cidrContains(range, ip))
    const found = flows.filter(
      ({ source, destination }) =>
        (own.has(source) && isInside(destination)) || (own.has(destination) && isInside(source)),
    )
    return [nic.network, found] as const
  })
  return new Map(
    [...Map.groupBy(taken, ([network]) => network)].map(([network, all]) => [
      network,
      [...new Set(all.flatMap(([, found]) => found))],
    ]),
  )
}

/** Those of its VPC, and of those that are peered with it. */
function rangesOf(
  nic: NicWant,
  { vpcs, peerings = [] }: Pick<SharedWant, 'vpcs' | 'peerings'>,
): readonly Cidr[] {
  const peers = new Set(peerings.flatMap(({ vpcs: pair }) => (pair.includes(nic.vpc) ? pair : [])))
  return [
    nic.vpcCidr,
    ...(nic.moreVpcCidrs ?? []),
    ...vpcs.flatMap(({ id, cidr }) => (peers.has(id) ? cidr : [])),
  ]
}
