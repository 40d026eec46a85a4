/** What the actions on placement groups have in common. */
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import { PLACEMENT_GROUP_NAME_MAX, type PlacementGroup } from '../../model/placement-group.ts'
import type { Version } from '../../model/version.ts'
import type { ReadTx } from '../../store/store.ts'
import { idSchema, printable } from '../schemas.ts'

/** The first version whose hosts give up the place of a member that is gone. */
export const GROUPS_VERSION: Version = [0, 4]

/** Groups of one account (EC2: 500 in a region). */
export const PLACEMENT_GROUPS_MAX = 500

/** A group's name. */
export const placementGroupNameSchema = printable(PLACEMENT_GROUP_NAME_MAX).min(1)

/** A group's id. */
export const placementGroupIdSchema = idSchema('pg', 'InvalidPlacementGroupId.Malformed')

/** `InvalidPlacementGroup.Unknown`, for names and ids. */
export function missingPlacementGroups(names: readonly string[]): Error {
  return refused(
    'InvalidPlacementGroup.Unknown',
    names.length === 1
      ? `The Placement Group '${names.join()}' is unknown.`
      : `The Placement Groups '${names.join(', ')}' are unknown.`,
  )
}

/** The account's group with this id or name. Errors: `InvalidPlacementGroup.Unknown`. */
export async function requirePlacementGroup(
  tx: ReadTx,
  account: AccountId,
  reference: Pick<PlacementGroup, 'id'> | Pick<PlacementGroup, 'name'>,
): Promise<PlacementGroup> {
  const wanted = 'id' in reference ? reference.id : reference.name
  const all = await tx.placementGroups({ account })
  const found = all.find((group) => ('id' in reference ? group.id : group.name) === wanted)
  if (found === undefined) throw missingPlacementGroups([wanted])
  return found
}
