/** The source check of what comes from other hosts by the fabric, as nft rules. Pure. */
import { formatCidr } from '../model/addr.ts'
import type { HostWant } from '../model/want.ts'
import type { Networks } from './networks.ts'
import { chain, type NftObject } from './nft-tables.ts'
import { drop } from './nft-text.ts'
import { getsFromOutside } from './router-routes.ts'
import type { RouterRules } from './routers.ts'

/**
 * Packets out of the VXLAN device. They go from an instance to an instance, or are ICMP errors of a
 * peer, which connection tracking must know as related. `fib` checks in the routing table that the
 * source is reached through this device, and so is on a peer. Of a VPC with routers on peers, or
 * NAT gateways that peers carry, which send what is from others, the peers have checked the source.
 */
export function fromFabric(
  vpcs: Networks,
  { shared }: HostWant,
  { routes }: RouterRules,
  withPeers: readonly string[] | null,
): readonly NftObject[] {
  const forwarded = shared.vpcs
    .filter((vpc) => getsFromOutside(vpc, shared))
    .map(({ id, cidr, hasRouters }) => ({
      vpc: formatCidr(cidr),
      own: hasRouters === true ? shared.vpcs.filter((one) => one.id === id) : [],
    }))
    .flatMap(({ vpc, own }) => [
      ...own.map((range) => `ip daddr ${vpc} ip saddr ${formatCidr(range.cidr)} accept`),
      ...vpcs.match('ip saddr').map((other) => `ip daddr ${vpc} ${other} ${drop('fabric')}`),
      `ip daddr ${vpc} accept`,
    ])
  return [
    chain('from_fabric', [
      `meta nfproto ipv6 ${drop('ipv6')}`,
      `ip daddr @services ${drop('service_outside')}`,
      ...vpcs.match('ip daddr').map((ours) => `${ours} goto from_peer`),
      ...routes.fromFabric,
      drop('fabric'),
    ]),
    chain('from_peer', [
      'ip saddr @peers icmp type { destination-unreachable, time-exceeded, parameter-problem } accept',
      ...(withPeers ??
        vpcs.match('ip saddr').map((ours) => `${ours} fib saddr . iif oif exists accept`)),
      ...forwarded,
      drop('fabric'),
    ]),
  ]
}
