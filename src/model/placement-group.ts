/** Placement groups: which hosts instances may share. Pure. */
import type { AccountId, HostName, PlacementGroupId } from './ids.ts'

/**
 * - `cluster`: as few hosts as possible, of one zone.
 * - `spread`: each instance on a host of its own.
 * - `partition`: instances of different partitions share no host.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html
 */
export const PLACEMENT_STRATEGIES = ['cluster', 'spread', 'partition'] as const

export interface PlacementGroup {
  readonly id: PlacementGroupId
  readonly account: AccountId
  /** Unique in its account. */
  readonly name: string
  readonly strategy: (typeof PLACEMENT_STRATEGIES)[number]
  /** Null unless it spreads. Every host counts as a rack of its own, so both mean the same. */
  readonly spreadLevel: 'host' | 'rack' | null
  /** Null unless it has partitions. */
  readonly partitionCount: number | null
  readonly createdAt: string
  /** Instances in it that are not terminated. */
  readonly members: number
  /** The zone of a cluster's members; of no meaning while it has none. */
  readonly zone: string | null
}

/** The members of a group on one host. */
export interface PlacementSlot {
  readonly placementGroup: PlacementGroupId
  readonly host: HostName
  /** The partition that the host is in for this group. 0 for other strategies. */
  readonly partitionNumber: number
  readonly members: number
}

/** A group as its instances know it. */
export interface PlacementMembership {
  readonly id: PlacementGroupId
  readonly name: string
  /** From 1. Null unless the group has partitions. */
  readonly partition: number | null
}

/** What the instance itself is told. Empty outside of a group. */
export function groupWant(group: PlacementMembership | null | undefined): {
  readonly placementGroup?: Pick<PlacementMembership, 'name' | 'partition'>
} {
  return group ? { placementGroup: { name: group.name, partition: group.partition } } : {}
}

/** EC2's limit of partitions in a zone, and the number if none is given. */
export const PARTITIONS_MAX = 7

/** Longest name. */
export const PLACEMENT_GROUP_NAME_MAX = 255
