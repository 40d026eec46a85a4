/**
 * Where the hosts' own services answer: the same addresses on every host, and never an instance's.
 * Pure.
 */
import { type Ipv4, METADATA_ADDRESS, RESOLVER_ADDRESS, resolverOf } from '../model/addr.ts'
import type { SharedWant } from '../model/want.ts'

type Networks = Pick<SharedWant, 'subnets' | 'vpcs'>

/**
 * Where DNS is answered: at each subnet's gateway, at the base plus two of each VPC (VPC user
 * guide, "Amazon DNS server") and of each subnet, which is reserved with it, and at
 * 169.254.169.253.
 */
export function resolverAddresses({ subnets, vpcs }: Networks): readonly Ipv4[] {
  const gateways = subnets.map(({ gateway }) => gateway)
  const resolvers = [...vpcs, ...subnets].flatMap(({ cidr }) => resolverOf(cidr) ?? [])
  return [...new Set([...gateways, ...resolvers, RESOLVER_ADDRESS])]
}

/** All of them: DNS, DHCP and metadata. */
export function serviceAddresses(networks: Networks): readonly Ipv4[] {
  return [...resolverAddresses(networks), METADATA_ADDRESS]
}
