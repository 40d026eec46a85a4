/** DeletePlacementGroup: only a group without instances that are not terminated. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { placementGroupNameSchema, requirePlacementGroup } from '../instances/placement-groups.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeletePlacementGroup.html */
export const deletePlacementGroup = changeAction({
  name: 'DeletePlacementGroup',
  input: z.strictObject({ GroupName: placementGroupNameSchema }),
  async change(tx, { GroupName: name }, { account }) {
    const { id } = await requirePlacementGroup(tx, account, { name })
    if ((await tx.deletePlacementGroup(id)) === 'used')
      throw refused(
        'InvalidPlacementGroup.InUse',
        `The placement group '${name}' is in use and may not be deleted.`,
      )
    await tx.deleteTagsOf(id)
  },
})
