/**
 * The addresses at which each host's DHCP, DNS and metadata services answer. They are the same on
 * every host, and no instance ever gets one. Pure.
 */
import { type Ipv4, METADATA_ADDRESS, RESOLVER_ADDRESS, resolverOf } from '../model/addr.ts'
import type { SharedWant } from '../model/want.ts'

type Networks = Pick<SharedWant, 'subnets' | 'vpcs'>

/**
 * The addresses of DNS: each subnet's gateway; the base plus two of each VPC (VPC user guide,
 * "Amazon DNS server") and of each subnet, where it is reserved, too; and 169.254.169.253.
 */
export function resolverAddresses({ subnets, vpcs }: Networks): readonly Ipv4[] {
  const gateways = subnets.map(({ gateway }) => gateway)
  const resolvers = [...vpcs, ...subnets].flatMap(({ cidr }) => resolverOf(cidr) ?? [])
  return [...new Set([...gateways, ...resolvers, RESOLVER_ADDRESS])]
}

/** The addresses of all services: DNS, DHCP and metadata. */
export function serviceAddresses(networks: Networks): readonly Ipv4[] {
  return [...resolverAddresses(networks), METADATA_ADDRESS]
}
