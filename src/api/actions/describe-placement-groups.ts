/** DescribePlacementGroups. */
import { z } from 'zod'
import { isAmong, refuseMissing } from '../describe.ts'
import {
  missingPlacementGroups,
  placementGroupIdSchema,
  placementGroupNameSchema,
} from '../instances/placement-groups.ts'
import { describeAction } from '../read.ts'
import { filterShape, IDS_MAX } from '../schemas.ts'
import { PLACEMENT_GROUP_FILTERS, placementGroupView } from '../views/placement-group.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's placement groups, without pages, as in EC2. */
export const describePlacementGroups = describeAction({
  name: 'DescribePlacementGroups',
  input: z.strictObject({
    ...filterShape,
    GroupNames: z.array(placementGroupNameSchema).max(IDS_MAX).default([]),
    GroupIds: z.array(placementGroupIdSchema).max(IDS_MAX).default([]),
  }),
  rows: ({ GroupNames: names, GroupIds: ids }, { account, read }) =>
    read(async (tx) => {
      const groups = await tx.placementGroups({ account })
      refuseMissing(names, new Set(groups.map(({ name }) => name)), missingPlacementGroups)
      refuseMissing(ids, new Set(groups.map(({ id }) => id)), missingPlacementGroups)
      const resources = groups.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isNamed = isAmong(names)
      const isWanted = isAmong(ids)
      return groups
        .filter(({ id, name }) => isWanted(id) && isNamed(name))
        .map((group) => ({ group, tags: tagsOf(group.id) }))
    }),
  view: ({ group, tags }, _asked, { settings }) => placementGroupView(group, tags, settings),
  key: (group) => group.GroupId ?? '',
  filters: PLACEMENT_GROUP_FILTERS,
  tags: (group) => group.Tags ?? [],
  unpaged: true,
  answer: (PlacementGroups) => ({ PlacementGroups }),
})
