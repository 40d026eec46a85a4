/**
 * Peering of two VPCs, whose instances then reach each other at their private addresses. Pure.
 * https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html
 */
import type { Cidr, Ipv4 } from './addr.ts'
import type { AccountId, PeeringId, VpcId } from './ids.ts'
import type { Vpc } from './records.ts'
import { overlapping, rangesOf } from './vpc-range.ts'

/**
 * `expired` is no state of a record: it follows from the time.
 */
export type PeeringState = 'pending-acceptance' | 'active' | 'rejected' | 'deleted' | 'failed'

/** One of the two VPCs. Its account and range stay known when it is gone. */
export interface PeeringSide {
  readonly account: AccountId
  readonly vpc: VpcId
  readonly cidr: Cidr
  /**
   * Whether public names of its instances lead to their private addresses when the other VPC asks
   * (`AllowDnsResolutionFromRemoteVpc`).
   */
  readonly showsPrivate: boolean
}

/** A peering connection. */
export interface VpcPeering {
  readonly id: PeeringId
  readonly requester: PeeringSide
  readonly accepter: PeeringSide
  readonly state: PeeringState
  /** Why it is `failed`; empty otherwise. */
  readonly reason: string
  readonly createdAt: string
  /** When a request that nobody has accepted is over. */
  readonly expiresAt: string
  /** When it was rejected or deleted, or failed; null: it is pending or active. */
  readonly endedAt: string | null
}

/** An active peering, as hosts need it. */
export interface ActivePeering {
  readonly id: PeeringId
  readonly vpcs: readonly [VpcId, VpcId]
  /**
   * Those of them whose public names lead to private addresses when the other one asks; absent:
   * neither.
   */
  readonly showPrivate?: readonly VpcId[] | undefined
}

/**
 * A range of a VPC as the namespace of another one sees it, with which it is peered. A VPC of
 * several ranges is there several times.
 */
export interface PeeredVpc {
  readonly id: PeeringId
  readonly vpc: VpcId
  /** The number of its network. */
  readonly network: number
  readonly cidr: Cidr
  /**
   * The link between the two namespaces on this host; null where there is none, and its instances
   * are reached on other hosts.
   */
  readonly link: string | null
  /** Whether its public names lead to private addresses. */
  readonly showsPrivate?: true
}

/**
 * A VPC with a namespace as the machine's own one sees it, with which a VPC in there is peered.
 * Only what subnets with a route to the connection exchange with it takes the link. For all else of
 * the machine, the range is what it would be without the peering.
 */
export interface RoutedPeer extends PeeredVpc {
  readonly link: string
  /** The VPC in the machine's own namespace. */
  readonly own: VpcId
  readonly ownCidr: Cidr
}

/**
 * Stands for the machine's own namespace among the numbers of VPCs' namespaces, which begin with 1.
 */
export const MACHINE_NETWORK = 0

/** A VPC that is peered with another one, by its number; `MACHINE_NETWORK`: it has none. */
export interface PeerNetwork {
  readonly network: number
  readonly cidrs: readonly Cidr[]
  /** Its namespace's own address, by which that sends errors to a peer. Absent: not known. */
  readonly source?: Ipv4
}

/** A request is over after seven days (VPC peering guide, "VPC peering connection lifecycle"). */
export const PEERING_REQUEST_MS = 7 * 24 * 3600 * 1000

/** The VPCs that are peered with this one. */
export function peersOfVpc(vpc: VpcId, peerings: readonly ActivePeering[]): readonly VpcId[] {
  return peerings.flatMap(({ vpcs: [a, b] }) => (a === vpc ? b : b === vpc ? a : []))
}

/**
 * The peerings that hosts can make: both VPCs are there, and neither overlaps the other or another
 * peer of the other. One of them at least has a network of its own, and no other peer in the
 * machine's own namespace than that VPC. The database keeps most others from being there.
 */
export function usablePeerings(
  peerings: readonly ActivePeering[],
  vpcs: readonly Pick<Vpc, 'id' | 'cidr' | 'moreCidrs' | 'network'>[],
): readonly ActivePeering[] {
  const known = new Map(vpcs.map((vpc) => [vpc.id, vpc]))
  const reached = new Map<VpcId, Cidr[]>()
  /** Of VPCs with a network of their own, those that have a peer without. */
  const linked = new Set<VpcId>()
  return peerings
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .filter(({ vpcs: [a, b] }) => {
      const [ofA, ofB] = [known.get(a), known.get(b)]
      if (ofA === undefined || ofB === undefined) return false
      if (ofA.network === null && ofB.network === null) return false
      const crossing = ofA.network === null ? b : ofB.network === null ? a : null
      if (crossing !== null && linked.has(crossing)) return false
      const [rangesA, rangesB] = [rangesOf(ofA), rangesOf(ofB)]
      const fromA = reached.get(a) ?? rangesA
      const fromB = reached.get(b) ?? rangesB
      if (overlapping(fromA, rangesB) !== undefined) return false
      if (overlapping(fromB, rangesA) !== undefined) return false
      if (crossing !== null) linked.add(crossing)
      reached.set(a, [...fromA, ...rangesB])
      reached.set(b, [...fromB, ...rangesA])
      return true
    })
}
