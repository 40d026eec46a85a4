/**
 * Which network a new VPC gets: the one place that decides between the root namespace and a
 * namespace of its own (`Vpc.network`). Pure.
 */
import { type Cidr, cidrContains, cidrOverlaps, formatCidr } from '../model/addr.ts'
import type { AccountId, HostName } from '../model/ids.ts'
import { type Pool, rangesOverlap, wholeRange } from '../model/pools.ts'
import { type Host, VPC_NETWORK_MAX, type Vpc } from '../model/records.ts'
import { TRANSIT_RANGE } from '../model/transit.ts'
import { areAllOf, type Version } from '../model/version.ts'
import { isPrivate } from '../model/vpc-range.ts'

/** Hosts of this version and later tell VPCs apart that overlap. */
const OVERLAPPING_VERSION: Version = [0, 3]

/** What is asked for. */
interface NewVpc {
  readonly cidr: Cidr
  readonly account: AccountId
  /** `own`: in a network of its own; `root`: with all others in the root namespace. */
  readonly place: 'own' | 'root'
}

/** What there is already. */
interface Known {
  /** The numbers of all VPCs that have one. */
  readonly numbers: readonly number[]
  /** Those in the root namespace, for one that is to be there. */
  readonly vpcs: readonly Vpc[]
  readonly hosts: readonly Host[]
  /** The host that answers. */
  readonly self: HostName
  /** Of floating IPs, which are in the root namespace. */
  readonly pools: readonly Pool[]
}

type NewNetwork =
  | { readonly network: Vpc['network'] }
  /** Why there is none, as a sentence. */
  | { readonly network: undefined; readonly why: string }

/** The network of a new VPC. */
export function newNetwork(vpc: NewVpc, known: Known): NewNetwork {
  if (cidrOverlaps(TRANSIT_RANGE, vpc.cidr))
    return refusal(`${formatCidr(TRANSIT_RANGE)} is between the hosts and their VPCs`)
  return vpc.place === 'own' ? ownNetwork(known) : rootNetwork(vpc, known)
}

/**
 * The number after the highest, so that a VPC with a lower one is older (`plan/stand-ins.ts`). When
 * the highest number that there can be is in use, the lowest that no VPC has.
 */
function ownNetwork({ numbers, hosts, self }: Known): NewNetwork {
  if (!areAllOf(OVERLAPPING_VERSION, hosts, self))
    return refusal('Some hosts have an older version, which takes all VPCs for one: upgrade them')
  const taken = new Set(numbers)
  const next = 1 + numbers.reduce((highest, number) => Math.max(highest, number), 0)
  if (next <= VPC_NETWORK_MAX) return { network: next }
  for (let number = 1; number <= VPC_NETWORK_MAX; number += 1)
    if (!taken.has(number)) return { network: number }
  return refusal(`There are ${VPC_NETWORK_MAX} VPCs, and there cannot be more`)
}

/** The root namespace: for private ranges that do not overlap, and hold no address of a host. */
function rootNetwork({ cidr, account }: NewVpc, { vpcs, hosts, pools }: Known): NewNetwork {
  const text = formatCidr(cidr)
  const other = vpcs.find((vpc) => vpc.network === null && cidrOverlaps(vpc.cidr, cidr))
  if (other?.account === account)
    return refusal(`${text} overlaps ${formatCidr(other.cidr)} of '${other.id}'`)
  if (!isPrivate(cidr)) return refusal(`${text} is no private network (RFC 1918)`)
  const pool = pools.find(({ ranges }) =>
    ranges.some((one) => rangesOverlap(one, wholeRange(cidr))),
  )
  if (pool !== undefined)
    return refusal(`${text} has addresses of the pool '${pool.name}' of floating IPs`)
  const hasHost = hosts.some(
    ({ fabricAddress }) => fabricAddress !== null && cidrContains(cidr, fabricAddress),
  )
  if (other !== undefined || hasHost) return refusal(`${text} is in use; choose another range`)
  return { network: null }
}

function refusal(why: string): NewNetwork {
  return { network: undefined, why }
}
