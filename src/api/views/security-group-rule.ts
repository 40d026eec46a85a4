/**
 * Rules of security groups, one by one, in the SDK's terms, and the filters of
 * DescribeSecurityGroupRules. Pure.
 */
import type {
  RevokedSecurityGroupRule,
  SecurityGroupRule,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import { formatCidr } from '../../model/addr.ts'
import type { GroupRule } from '../../model/records.ts'
import type { FilterTable } from '../filters.ts'
import type { NamedGroupInfos } from '../networks/foreign-groups.ts'
import { protocolName } from '../networks/group-permissions.ts'

/** One rule. */
export function ruleView(
  rule: GroupRule,
  more: {
    readonly region: string
    readonly tags: TagOutput[]
    readonly infoOf: NamedGroupInfos
  },
): SecurityGroupRule {
  const { id, group, account, peer } = rule
  return {
    SecurityGroupRuleId: id,
    GroupId: group,
    GroupOwnerId: account,
    ...matchView(rule),
    ...(peer.kind === 'group'
      ? { ReferencedGroupInfo: { GroupId: peer.group, ...more.infoOf(rule) } }
      : {}),
    Tags: more.tags,
    SecurityGroupRuleArn: `arn:aws:ec2:${more.region}:${account}:security-group-rule/${id}`,
  }
}

/** A rule that was revoked. */
export function revokedRuleView(rule: GroupRule): RevokedSecurityGroupRule {
  const { id, group, peer } = rule
  return {
    SecurityGroupRuleId: id,
    GroupId: group,
    ...matchView(rule),
    ...(peer.kind === 'group' ? { ReferencedGroupId: peer.group } : {}),
  }
}

function matchView({ egress, protocol, fromPort, toPort, peer, description }: GroupRule) {
  return {
    IsEgress: egress,
    IpProtocol: protocolName(protocol),
    FromPort: fromPort,
    ToPort: toPort,
    ...(peer.kind === 'ipv4' ? { CidrIpv4: formatCidr(peer.cidr) } : {}),
    ...(peer.kind === 'ipv6' ? { CidrIpv6: peer.cidr } : {}),
    ...(peer.kind === 'list' ? { PrefixListId: peer.list } : {}),
    ...(description === '' ? {} : { Description: description }),
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
