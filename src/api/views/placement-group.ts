/** Placement groups in the SDK's terms, and the filters of DescribePlacementGroups. Pure. */
import type { PlacementGroup as GroupOutput, Tag as TagOutput } from '@aws-sdk/client-ec2'
import type { PlacementGroup } from '../../model/placement-group.ts'
import type { ApiSettings } from '../action.ts'
import type { FilterTable } from '../filters.ts'

/** One group. */
export function placementGroupView(
  group: PlacementGroup,
  tags: TagOutput[],
  { region }: Pick<ApiSettings, 'region'>,
): GroupOutput {
  const { name, strategy, spreadLevel, partitionCount } = group
  return {
    GroupName: name,
    GroupId: group.id,
    GroupArn: `arn:aws:ec2:${region}:${group.account}:placement-group/${name}`,
    State: 'available',
    Strategy: strategy,
    ...(spreadLevel === null ? {} : { SpreadLevel: spreadLevel }),
    ...(partitionCount === null ? {} : { PartitionCount: partitionCount }),
    Operator: { Managed: false },
    Tags: tags,
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribePlacementGroups.html */
export const PLACEMENT_GROUP_FILTERS: FilterTable<GroupOutput> = {
  'group-arn': (group) => group.GroupArn,
  'group-name': (group) => group.GroupName,
  'spread-level': (group) => group.SpreadLevel,
  state: (group) => group.State,
  strategy: (group) => group.Strategy,
}
