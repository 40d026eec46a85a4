/** Security groups in the SDK's terms, and the filters of DescribeSecurityGroups. Pure. */
import type { IpPermission, SecurityGroup, Tag as TagOutput } from '@aws-sdk/client-ec2'
import { formatCidr } from '../../model/addr.ts'
import { hasPorts, isIcmp } from '../../model/group-rule.ts'
import type { Group, GroupRule } from '../../model/records.ts'
import type { Comparables, FilterTable } from '../filters.ts'
import type { NamedGroupInfos } from '../networks/foreign-groups.ts'
import { protocolName } from '../networks/group-permissions.ts'
import { tagged } from './tags.ts'

/** A group, and what only filters need. */
interface ShownGroup {
  readonly view: SecurityGroup
  /** Names of the account's groups by id. */
  readonly names: ReadonlyMap<string, string>
}

/** The ARN of a group. */
export function groupArn({ id, account }: Pick<Group, 'id' | 'account'>, region: string): string {
  return `arn:aws:ec2:${region}:${account}:security-group/${id}`
}

/** One security group with its rules. */
export function groupView(
  group: Group,
  more: {
    readonly rules: readonly GroupRule[]
    readonly infoOf: NamedGroupInfos
    readonly region: string
    readonly tags: TagOutput[]
  },
): SecurityGroup {
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    SecurityGroupArn: groupArn(group, more.region),
    VpcId: group.vpc,
    OwnerId: group.account,
    IpPermissions: permissionsView(
      more.rules.filter(({ egress }) => !egress),
      more.infoOf,
    ),
    IpPermissionsEgress: permissionsView(
      more.rules.filter(({ egress }) => egress),
      more.infoOf,
    ),
    ...tagged(more.tags),
  }
}

/** The rules of one direction. Those with the same protocol and ports are shown together. */
export function permissionsView(
  rules: readonly GroupRule[],
  infoOf: NamedGroupInfos,
): IpPermission[] {
  const alike = Map.groupBy(rules, (rule) => `${rule.protocol} ${rule.fromPort} ${rule.toPort}`)
  return [...alike.values()].flatMap((some) => {
    const [first] = some
    return first === undefined ? [] : [permissionView(first, some, infoOf)]
  })
}

function permissionView(
  { protocol, fromPort, toPort }: GroupRule,
  rules: readonly GroupRule[],
  infoOf: NamedGroupInfos,
): IpPermission {
  const isRange = hasPorts(protocol) || isIcmp(protocol)
  const described = ({ description }: GroupRule) =>
    description === '' ? {} : { Description: description }
  return {
    IpProtocol: protocolName(protocol),
    ...(isRange ? { FromPort: fromPort, ToPort: toPort } : {}),
    UserIdGroupPairs: rules.flatMap((rule) =>
      rule.peer.kind === 'group'
        ? { GroupId: rule.peer.group, ...infoOf(rule), ...described(rule) }
        : [],
    ),
    IpRanges: rules.flatMap((rule) =>
      rule.peer.kind === 'ipv4' ? { CidrIp: formatCidr(rule.peer.cidr), ...described(rule) } : [],
    ),
    Ipv6Ranges: rules.flatMap((rule) =>
      rule.peer.kind === 'ipv6' ? { CidrIpv6: rule.peer.cidr, ...described(rule) } : [],
    ),
    PrefixListIds: rules.flatMap((rule) =>
      rule.peer.kind === 'list' ? { PrefixListId: rule.peer.list, ...described(rule) } : [],
    ),
  }
}

/** The filters on the rules of one direction. */
function ruleFilters(
  prefix: string,
  rulesOf: (group: SecurityGroup) => readonly IpPermission[],
): FilterTable<ShownGroup> {
  const of =
    (read: (rule: IpPermission, shown: ShownGroup) => Comparables) => (shown: ShownGroup) =>
      rulesOf(shown.view).flatMap((rule) => read(rule, shown))
  return {
    [`${prefix}.cidr`]: of((rule) => rule.IpRanges?.map((range) => range.CidrIp)),
    [`${prefix}.from-port`]: of((rule) => rule.FromPort),
    [`${prefix}.group-id`]: of((rule) => rule.UserIdGroupPairs?.map((pair) => pair.GroupId)),
    [`${prefix}.group-name`]: of((rule, { names }) =>
      rule.UserIdGroupPairs?.map((pair) => names.get(pair.GroupId ?? '')),
    ),
    [`${prefix}.ipv6-cidr`]: of((rule) => rule.Ipv6Ranges?.map((range) => range.CidrIpv6)),
    [`${prefix}.prefix-list-id`]: of((rule) => rule.PrefixListIds?.map((one) => one.PrefixListId)),
    [`${prefix}.protocol`]: of((rule) => rule.IpProtocol),
    [`${prefix}.to-port`]: of((rule) => rule.ToPort),
    [`${prefix}.user-id`]: of((rule) => rule.UserIdGroupPairs?.map((pair) => pair.UserId)),
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html,
 * "Filter.N".
 */
export const GROUP_FILTERS: FilterTable<ShownGroup> = {
  ...ruleFilters('ip-permission', (group) => group.IpPermissions ?? []),
  ...ruleFilters('egress.ip-permission', (group) => group.IpPermissionsEgress ?? []),
  description: ({ view }) => view.Description,
  'group-id': ({ view }) => view.GroupId,
  'group-name': ({ view }) => view.GroupName,
  'owner-id': ({ view }) => view.OwnerId,
  'vpc-id': ({ view }) => view.VpcId,
}
