/**
 * Settings of the pools of floating IPs: which public addresses the cloud may hand out, and that
 * nothing else has them.
 */
import { z } from 'zod'
import { absolutePath, ipv4Text, label, zoneName } from './config-values.ts'
import { type Cidr, cidr, cidrContains, formatCidr, type Ipv4, parseIpv4 } from './model/addr.ts'
import { type NatSettings, namedSources } from './model/nat.ts'
import {
  type AddressRange,
  formatRange,
  type Pool,
  parseRange,
  poolSize,
  rangeContains,
  rangesOverlap,
  wholeRange,
} from './model/pools.ts'
import { TRANSIT_RANGE } from './model/transit.ts'

const POOLS_MAX = 64
const RANGES_MAX = 64
const ZONES_MAX = 64
/** Addresses of one pool: a network of /16. */
const ADDRESSES_MAX = 65_536

/** Addresses that mean something else on every machine (RFC 6890), or in Atoll. */
const NEVER_PUBLIC = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(cidr),
  TRANSIT_RANGE,
]

const range = z.string().transform((text, context) => {
  const found = parseRange(text)
  if (found !== undefined) return found
  context.addIssue(
    'must be addresses such as 203.0.113.10-203.0.113.20, 203.0.113.10, or a network such as 203.0.113.16/28',
  )
  return z.NEVER
})

const pool = z
  .strictObject({
    name: label,
    ranges: z.array(range).min(1).max(RANGES_MAX),
    zones: z.array(zoneName).min(1).max(ZONES_MAX).nullable().default(null),
    gateway: ipv4Text.nullable().default(null),
  })
  .superRefine(({ ranges, gateway }, context) => {
    const refuse = (message: string) =>
      context.addIssue({ code: 'custom', path: ['ranges'], message })
    if (gateway !== null && ranges.some((one) => rangeContains(one, gateway)))
      refuse(`has its own gateway ${gateway}: it would be handed out`)
    if (gateway !== null && NEVER_PUBLIC.some((net) => cidrContains(net, gateway)))
      context.addIssue({ code: 'custom', path: ['gateway'], message: 'is no address of a router' })
    if (poolSize({ ranges }) > ADDRESSES_MAX) refuse(`has more than ${ADDRESSES_MAX} addresses`)
    for (const one of ranges)
      for (const net of NEVER_PUBLIC)
        if (rangesOverlap(one, wholeRange(net)))
          refuse(`${formatRange(one)} has addresses of ${formatCidr(net)}`)
  })

/** `network.pools`. */
export const pools = z
  .array(pool)
  .max(POOLS_MAX)
  .default([])
  .superRefine((all, context) => {
    for (const [at, { name, ranges }] of all.entries()) {
      const before = all.slice(0, at)
      if (before.some((one) => one.name === name))
        context.addIssue({ code: 'custom', path: [at, 'name'], message: `${name} is there twice` })
      for (const [index, one] of ranges.entries()) {
        const others = [...before.flatMap((pool) => pool.ranges), ...ranges.slice(0, index)]
        const other = others.find((each) => rangesOverlap(each, one))
        if (other !== undefined)
          context.addIssue({
            code: 'custom',
            path: [at, 'ranges', index],
            message: `${formatRange(one)} overlaps ${formatRange(other)}`,
          })
      }
    }
  })
  .describe(
    'Pools of floating IPs, alike on all hosts: [{name: public, ranges: [203.0.113.16-203.0.113.40], zones: [atoll-1a], gateway: 203.0.113.1}] (docs/floating-ips.md)',
  )

/** `network.nextHopHook`. */
export const nextHopHook = absolutePath
  .nullable()
  .default(null)
  .describe(
    'Program that tells the routers of a routed network where floating IPs are: called with add or remove, the floating IP, and the address of this host (docs/floating-ips.md)',
  )

/** What the pools are held against. */
interface Settings {
  readonly network: {
    readonly vpc: Cidr
    readonly pools: readonly Pool[]
    readonly nat: NatSettings
  }
  readonly fabric: { readonly address: Ipv4 | null }
  readonly store: { readonly nodes: readonly string[] }
  readonly bus: { readonly nodes: readonly string[] }
}

/** Refuses pools with addresses that other settings name. */
export function refuseTakenPools(config: Settings, context: z.RefinementCtx): void {
  const { network, fabric, store, bus } = config
  const nodes = (setting: string, all: readonly string[]) =>
    all.flatMap((node) => {
      const ip = parseIpv4(node.split(':')[0] ?? '')
      return ip === undefined ? [] : [{ setting, range: { first: ip, last: ip } }]
    })
  const taken: readonly { readonly setting: string; readonly range: AddressRange }[] = [
    { setting: 'network.vpc', range: wholeRange(network.vpc) },
    ...(fabric.address === null
      ? []
      : [{ setting: 'fabric.address', range: { first: fabric.address, last: fabric.address } }]),
    ...namedSources(network.nat).map((ip) => ({
      setting: 'network.nat',
      range: { first: ip, last: ip },
    })),
    ...nodes('store.nodes', store.nodes),
    ...nodes('bus.nodes', bus.nodes),
  ]
  for (const [at, { ranges }] of network.pools.entries())
    for (const [index, one] of ranges.entries()) {
      const other = taken.find(({ range }) => rangesOverlap(one, range))
      if (other === undefined) continue
      context.addIssue({
        code: 'custom',
        path: ['network', 'pools', at, 'ranges', index],
        message: `${formatRange(one)} has addresses of ${other.setting}`,
      })
    }
}
