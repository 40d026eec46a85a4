/**
 * The rules of security groups one by one, in the terms of the SDK, and the filters of
 * DescribeSecurityGroupRules. Pure.
 */
import type { SecurityGroupRule, Tag as TagOutput } from '@aws-sdk/client-ec2'
import type { SecurityGroupRuleId } from '../../model/ids.ts'
import type { Group } from '../../model/records.ts'
import { derivedIdOf } from '../derived-ids.ts'
import type { FilterTable } from '../filters.ts'

/** The ids of what a default group allows; see `groupView`. */
export function ruleIds(
  group: Group,
): readonly { readonly id: SecurityGroupRuleId; readonly egress: boolean }[] {
  return [
    { id: derivedIdOf('sgr', group.id, 'from members'), egress: false },
    { id: derivedIdOf('sgr', group.id, 'outwards'), egress: true },
  ]
}

/** One of these rules. */
export function ruleView(
  group: Group,
  more: {
    readonly id: SecurityGroupRuleId
    readonly egress: boolean
    readonly region: string
    readonly tags: TagOutput[]
  },
): SecurityGroupRule {
  return {
    SecurityGroupRuleId: more.id,
    GroupId: group.id,
    GroupOwnerId: group.account,
    IsEgress: more.egress,
    IpProtocol: '-1',
    FromPort: -1,
    ToPort: -1,
    ...(more.egress
      ? { CidrIpv4: '0.0.0.0/0' }
      : { ReferencedGroupInfo: { GroupId: group.id, UserId: group.account } }),
    Tags: more.tags,
    SecurityGroupRuleArn: `arn:aws:ec2:${more.region}:${group.account}:security-group-rule/${more.id}`,
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html,
 * "Filter.N".
 */
export const GROUP_RULE_FILTERS: FilterTable<SecurityGroupRule> = {
  'group-id': (rule) => rule.GroupId,
  'security-group-rule-id': (rule) => rule.SecurityGroupRuleId,
}
