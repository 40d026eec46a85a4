/**
 * CreatePlacementGroup. Each host counts as a rack of its own, so both levels of a spread are the
 * same: an instance shares its host with no other of the group. There is no limit of seven
 * instances in a zone, and no `partition` is reserved before it has an instance.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import {
  PARTITIONS_MAX,
  PLACEMENT_STRATEGIES,
  type PlacementGroup,
} from '../../model/placement-group.ts'
import { changeAction } from '../change.ts'
import {
  GROUPS_VERSION,
  PLACEMENT_GROUPS_MAX,
  placementGroupNameSchema,
} from '../instances/placement-groups.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { specifiedTags, tagSpecificationsSchema, withCode } from '../schemas.ts'
import { placementGroupView } from '../views/placement-group.ts'
import { tagsView } from '../views/tags.ts'

const schema = z
  .strictObject({
    GroupName: placementGroupNameSchema,
    Strategy: z.enum(PLACEMENT_STRATEGIES).default('cluster'),
    SpreadLevel: z.enum(['host', 'rack']).optional(),
    PartitionCount: z.int().min(1).max(PARTITIONS_MAX).optional(),
    TagSpecifications: tagSpecificationsSchema(['placement-group']),
  })
  .refine(({ Strategy, SpreadLevel }) => SpreadLevel === undefined || Strategy === 'spread', {
    error: 'SpreadLevel is for the Strategy spread',
    ...withCode('InvalidParameterCombination'),
  })
  .refine(
    ({ Strategy, PartitionCount }) => PartitionCount === undefined || Strategy === 'partition',
    {
      error: 'PartitionCount is for the Strategy partition',
      ...withCode('InvalidParameterCombination'),
    },
  )

/** CreatePlacementGroup. */
export const createPlacementGroup = changeAction({
  name: 'CreatePlacementGroup',
  input: schema,
  async change(tx, asked, { account, newId, now, settings }) {
    await refuseOlderHosts(tx, settings, GROUPS_VERSION, 'placement groups')
    await tx.takeTurn(account)
    if ((await tx.placementGroups({ account })).length >= PLACEMENT_GROUPS_MAX)
      throw refused(
        'ResourceLimitExceeded',
        `The account has ${PLACEMENT_GROUPS_MAX} placement groups, which is the maximum: delete some`,
      )
    const { GroupName: name, Strategy: strategy } = asked
    const group: PlacementGroup = {
      ...{ id: newId('pg'), account, name, strategy, createdAt: now, members: 0, zone: null },
      spreadLevel: strategy === 'spread' ? (asked.SpreadLevel ?? 'rack') : null,
      partitionCount: strategy === 'partition' ? (asked.PartitionCount ?? PARTITIONS_MAX) : null,
    }
    if ((await tx.insertPlacementGroup(group)) === 'exists')
      throw refused(
        'InvalidPlacementGroup.Duplicate',
        `The placement group '${name}' already exists.`,
      )
    const resource = { account, resource: group.id, resourceType: 'placement-group' }
    const tags = specifiedTags(asked.TagSpecifications, resource)
    await tx.putTags(tags)
    return { group, tags }
  },
  view: ({ group, tags }, { settings }) => ({
    PlacementGroup: placementGroupView(group, tagsView(tags, group.id), settings),
  }),
})
