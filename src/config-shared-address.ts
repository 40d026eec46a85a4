/** Setting of the address that clients of the API use, and that moves among hosts. */
import type { z } from 'zod'
import { ipv4Text } from './config-values.ts'
import { type Cidr, cidr, cidrContains, formatCidr, type Ipv4, parseIpv4 } from './model/addr.ts'
import { type Pool, rangeContains } from './model/pools.ts'
import { TRANSIT_RANGE } from './model/transit.ts'

/** `api.sharedAddress`. */
export const sharedAddress = ipv4Text
  .nullable()
  .default(null)
  .describe(
    'Address of the API that moves among hosts (scripts/install --api-address, or Pacemaker), the same on all hosts; it is in host.crt (docs/api-address.md)',
  )

/** Addresses that mean something else on every machine (RFC 6890), or in Atoll. */
const NEVER_SHARED = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(cidr),
  TRANSIT_RANGE,
]

/** What the shared address is held against. */
interface Settings {
  readonly api: { readonly listen: Ipv4; readonly sharedAddress: Ipv4 | null }
  readonly network: { readonly vpc: Cidr; readonly pools: readonly Pool[] }
  readonly fabric: { readonly address: Ipv4 | null }
  readonly store: { readonly nodes: readonly string[] }
  readonly bus: { readonly nodes: readonly string[] }
}

/** Why an address cannot be shared by hosts, or null. */
function objection(address: Ipv4, { api, network, fabric, store, bus }: Settings): string | null {
  const never = NEVER_SHARED.find((net) => cidrContains(net, address))
  if (never !== undefined) return `is in ${formatCidr(never)}, which no host can share`
  if (cidrContains(network.vpc, address)) return 'is in network.vpc, whose addresses are instances'
  if (network.pools.some(({ ranges }) => ranges.some((range) => rangeContains(range, address))))
    return 'is in network.pools, whose addresses are given to instances'
  if (address === fabric.address) return "is this host's own fabric.address"
  const nodes = [...store.nodes, ...bus.nodes].map((node) => parseIpv4(node.split(':')[0] ?? ''))
  if (nodes.includes(address)) return 'is the address of a node of store.nodes or bus.nodes'
  if (api.listen !== '0.0.0.0' && api.listen !== address)
    return `needs api.listen 0.0.0.0: the API answers at ${api.listen} only`
  return null
}

/** Refuses a shared address that instances, engines or one host have, or where nobody listens. */
export function refuseTakenSharedAddress(config: Settings, context: z.RefinementCtx): void {
  const { sharedAddress: address } = config.api
  const message = address === null ? null : objection(address, config)
  if (message === null) return
  context.addIssue({ code: 'custom', path: ['api', 'sharedAddress'], message })
}
