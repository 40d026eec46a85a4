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
import type { InstanceWant } from '../model/want.ts'

/** The chain's lines, for the table of instances; the same instances always give the same text. */
export function metadataHopRules(instances: readonly InstanceWant[]): readonly string[] {
  const byLimit = Map.groupBy(
    instances.flatMap(({ nics, metadata }) => nics.map(({ ip }) => ({ ip, ...metadata }))),
    ({ hopLimit }) => hopLimit,
  )
  const rules = [...byLimit]
    .sort(([a], [b]) => a - b)
    .map(([limit, found]) => {
      const addresses = [...new Set(found.map(({ ip }) => ip))].join(', ')
      return `  oifname "${NIC_LINK_PREFIX}*" ip saddr ${METADATA_ADDRESS} tcp sport 80 ip daddr { ${addresses} } ip ttl set ${limit}`
    })
  return [
    'chain metadata_hop_limit {',
    '  type filter hook output priority mangle; policy accept;',
    ...rules,
    '}',
  ]
}
