/**
 * The hop limit of instance metadata: the kernel sets the IP TTL of what the service sends. Pure.
 *
 * An answer with TTL 1 reaches the instance, but nothing behind it: no guest that the instance
 * routes for, and no container in it with a network of its own. EC2 limits only the answer to the
 * token request. Here the limit holds for the whole connection, without which there is no token
 * either. Syntax: nft(8), "ip ttl set".
 */
import { METADATA_ADDRESS } from '../model/addr.ts'
import { NIC_LINK_PREFIX } from '../model/names.ts'
import { addressesOf, type InstanceWant } from '../model/want.ts'
import { baseChain, type NftObject, set } from './nft-tables.ts'

/** The chain, and a set for each limit with the addresses that have it. */
export function metadataHopRules(instances: readonly InstanceWant[]): readonly NftObject[] {
  const byLimit = Map.groupBy(
    instances.flatMap(({ nics, metadata }) =>
      nics.flatMap(addressesOf).map((ip) => ({ ip, ...metadata })),
    ),
    ({ hopLimit }) => hopLimit,
  )
  const limits = [...byLimit.keys()].sort((a, b) => a - b)
  const setName = (limit: number) => `metadata_hop_limit_${limit}`
  return [
    ...limits.map((limit) => {
      const addresses = byLimit.get(limit)?.map(({ ip }) => ip)
      return set(setName(limit), ['type ipv4_addr'], addresses)
    }),
    baseChain(
      'metadata_hop_limit',
      'type filter hook output priority mangle; policy accept;',
      limits.map(
        (limit) =>
          `oifname "${NIC_LINK_PREFIX}*" ip saddr ${METADATA_ADDRESS} tcp sport 80 ip daddr @${setName(limit)} ip ttl set ${limit}`,
      ),
    ),
  ]
}
