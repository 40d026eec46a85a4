/** The placement group that a launch asks for, and the place that it finds in it. */
import { z } from 'zod'
import { refused, unavailable } from '../../model/errors.ts'
import type { AccountId, HostName } from '../../model/ids.ts'
import {
  PARTITIONS_MAX,
  type PlacementGroup,
  type PlacementMembership,
} from '../../model/placement-group.ts'
import type { Host } from '../../model/records.ts'
import { choicesInGroup, type GroupMembers, type HostChoice } from '../../plan/placement-group.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import {
  placementGroupIdSchema,
  placementGroupNameSchema,
  requirePlacementGroup,
} from '../instances/placement-groups.ts'

/** Members of `Placement`. */
export const placementGroupShape = {
  // Some launchers send an empty name.
  GroupName: z.union([z.literal(''), placementGroupNameSchema]).optional(),
  GroupId: placementGroupIdSchema.optional(),
  PartitionNumber: z.int().min(1).max(PARTITIONS_MAX).optional(),
}
type Given = z.output<z.ZodObject<typeof placementGroupShape>>

/** What a request asks for. */
export interface PlacementGroupOrder {
  readonly reference: Pick<PlacementGroup, 'id'> | Pick<PlacementGroup, 'name'>
  /** Null: any. */
  readonly partition: number | null
}

/**
 * The order. Null without one. Errors: `InvalidParameterCombination` for a partition without a
 * group, and for a group that is named twice.
 */
export function placementGroupOrder({
  GroupName: name = '',
  GroupId: id,
  PartitionNumber,
}: Given): PlacementGroupOrder | null {
  const partition = PartitionNumber ?? null
  if (name !== '' && id !== undefined)
    throw refused(
      'InvalidParameterCombination',
      'Placement.GroupId and Placement.GroupName cannot be used together',
    )
  if (id !== undefined) return { reference: { id }, partition }
  if (name !== '') return { reference: { name }, partition }
  if (partition === null) return null
  throw refused(
    'InvalidParameterCombination',
    'Placement.PartitionNumber needs a placement group with the strategy partition: Placement.GroupName',
  )
}

/** A group that a launch chooses hosts of. */
export interface GroupChoice {
  readonly group: PlacementGroup
  /** Null: any. */
  readonly partition: number | null
  readonly slots: GroupMembers['slots']
}

/**
 * The group that an order names, with what it has. Errors: `InvalidPlacementGroup.Unknown`;
 * `InvalidParameterCombination` and `InvalidParameterValue` for a partition that it does not have.
 */
export async function groupChoice(
  tx: ReadTx,
  account: AccountId,
  order: PlacementGroupOrder | null,
): Promise<GroupChoice | null> {
  if (order === null) return null
  const { partition } = order
  const group = await requirePlacementGroup(tx, account, order.reference)
  if (partition !== null && group.partitionCount === null)
    throw refused(
      'InvalidParameterCombination',
      `The placement group '${group.name}' has no partitions: its strategy is ${group.strategy}`,
    )
  if (partition !== null && partition > (group.partitionCount ?? 0))
    throw refused(
      'InvalidParameterValue',
      `The placement group '${group.name}' has ${group.partitionCount} partition(s), and no partition ${partition}`,
    )
  return { group, partition, slots: await tx.placementSlots(group.id) }
}

/** The zone that a group's next member must be in. Null: any. */
export function zoneOf(choice: GroupChoice | null): string | null {
  if (choice?.group.strategy !== 'cluster' || choice.group.members === 0) return null
  return choice.group.zone
}

/** What a launch knows of its group. It changes with every instance. */
export interface GroupRoom {
  readonly choice: GroupChoice
  slots: GroupMembers['slots']
}

/** The hosts to try for the next instance, best first. Without a group: all. */
export function hostChoices(room: GroupRoom | null, hosts: readonly Host[]): readonly HostChoice[] {
  if (room === null) return [{ partition: null, hosts }]
  const { group, partition } = room.choice
  return choicesInGroup({ group, slots: room.slots }, hosts, partition)
}

/**
 * Takes the place of an instance on a host. `taken`: another launch was faster, and the host is not
 * proposed again.
 */
export async function takeSlot(
  tx: Tx,
  room: GroupRoom,
  host: HostName,
  partition: number | null,
): Promise<'done' | 'taken'> {
  const { id: placementGroup, strategy } = room.choice.group
  const slot = { placementGroup, host, partitionNumber: partition ?? 0 }
  const outcome = await tx.takePlacementSlot(slot, strategy === 'spread')
  const known = room.slots.find((one) => one.host === host)
  const others = room.slots.filter((one) => one.host !== host)
  const members = (known?.members ?? 0) + 1
  // Of a host in another partition nobody needs to know which.
  const now = outcome === 'done' ? { ...slot, members } : { ...slot, partitionNumber: -1, members }
  room.slots = [...others, now]
  return outcome
}

/** Gives the place up again. */
export async function returnSlot(tx: Tx, room: GroupRoom, host: HostName): Promise<void> {
  await tx.freePlacementSlot(room.choice.group.id, host)
  room.slots = room.slots.flatMap((slot) => {
    if (slot.host !== host) return [slot]
    return slot.members > 1 ? [{ ...slot, members: slot.members - 1 }] : []
  })
}

/** Errors: `InvalidParameterCombination` for a zone in which the group may have no member. */
export function refuseOtherZone(choice: GroupChoice | null, zone: string): void {
  const only = zoneOf(choice)
  if (choice === null || only === null || only === zone) return
  throw refused(
    'InvalidParameterCombination',
    `The placement group '${choice.group.name}' has its instances in the zone '${only}', not in '${zone}': a cluster is in one zone`,
  )
}

/**
 * Makes the new instances members. Errors: `unavailable` when the group was deleted meanwhile, or
 * its first members came into another zone.
 */
export async function joinGroup(
  tx: Tx,
  { choice: { group } }: GroupRoom,
  members: number,
  zone: string,
): Promise<void> {
  const joining = { members, zone: group.strategy === 'cluster' ? zone : null }
  if ((await tx.joinPlacementGroup(group.id, joining)) === 'done') return
  throw unavailable(`The placement group '${group.name}' was changed meanwhile; try again`)
}

/** What an instance records of its group. */
export function membershipIn(
  room: GroupRoom | null,
  partition: number | null,
): PlacementMembership | null {
  if (room === null) return null
  const { id, name } = room.choice.group
  return { id, name, partition }
}
