/** What budgets are made of: why packets are dropped, and buckets that limit rates. Pure. */
import { type NftObject, namedCounter, set } from './nft-tables.ts'
import { dropBy, dropCounted, dropCounterOf } from './nic-counters.ts'
import { MAX_NICS, RATE_DROP_REASONS } from './rates.ts'

/** Why a packet was dropped; each has a counter. */
export const BUDGET_DROP_REASONS = [
  /** More open connections than the NIC's share of the connection table. */
  'budget_connections',
  /** New connections too fast. */
  'budget_new_connections',
  'budget_dns',
  'budget_dhcp',
  /** To the TCP services: metadata, and DNS over TCP. */
  'budget_service_tcp',
  /** To a service address, by ICMP or to a port without a service. */
  'budget_service_other',
  'budget_fragments',
  /** A packet that would cause an ICMP error: its TTL ends here, or there is no route. */
  'budget_unreachable',
  'budget_arp',
  ...RATE_DROP_REASONS,
] as const
export type BudgetDropReason = (typeof BUDGET_DROP_REASONS)[number]

/** Packets, on average and at once. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** Definition of a set with a bucket for each NIC. */
export const BUCKET_SET = [
  'type ifname',
  `size ${MAX_NICS}`,
  'flags dynamic,timeout',
  // An unused bucket is full again after `burst / perSecond` seconds, so it can be removed.
  'timeout 1m',
] as const

/** The name of a set of buckets. */
export function bucketName(name: string, { perSecond, burst }: Rate): string {
  return `${name}_${perSecond}_${burst}`
}

/** A set of buckets, one for each NIC. */
export function bucketSet(name: string, rate: Rate): NftObject {
  return set(bucketName(name, rate), BUCKET_SET)
}

/** Drops packets above the rate of their NIC. */
export function above(
  link: 'iifname' | 'oifname',
  name: string,
  rate: Rate,
  reason: BudgetDropReason,
): string {
  const { perSecond, burst } = rate
  const limit = `limit rate over ${perSecond}/second burst ${burst} packets`
  return `update @${bucketName(name, rate)} { ${link} ${limit} } ${drop(reason)}`
}

/** The counter of a reason. */
export function counter(reason: BudgetDropReason): NftObject {
  return namedCounter(dropCounterOf(reason))
}

/** Drops, and counts for the NICs and by the reason. */
export function drop(reason: BudgetDropReason): string {
  return reason === 'budget_arp' ? dropCounted(reason) : dropBy(reason)
}
