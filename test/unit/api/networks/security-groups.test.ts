/** Security groups and their rules, as requests make, change and remove them. */
import type { SecurityGroup, SecurityGroupRule } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import type { Action } from '../../../../src/api/action.ts'
import {
  authorizeSecurityGroupEgress,
  authorizeSecurityGroupIngress,
} from '../../../../src/api/actions/authorize-security-group.ts'
import { createSecurityGroup } from '../../../../src/api/actions/create-security-group.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { deleteSecurityGroup } from '../../../../src/api/actions/delete-security-group.ts'
import { describeSecurityGroupRules } from '../../../../src/api/actions/describe-security-group-rules.ts'
import { describeSecurityGroups } from '../../../../src/api/actions/describe-security-groups.ts'
import {
  revokeSecurityGroupEgress,
  revokeSecurityGroupIngress,
} from '../../../../src/api/actions/revoke-security-group.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { cidr } from '../../../../src/model/addr.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'
import { numbered } from '../../../kit/records.ts'

const WEB = { GroupName: 'web', Description: 'web servers' }
const HTTP = { IpProtocol: 'tcp', FromPort: 80, ToPort: 80 }
const ANY = '0.0.0.0/0'

async function make(cloud: Cloud, more: object = {}): Promise<string> {
  return ((await cloud.run(createSecurityGroup, { ...WEB, ...more })) as { GroupId: string })
    .GroupId
}

async function show(cloud: Cloud, input: object): Promise<SecurityGroup> {
  const { SecurityGroups } = (await cloud.run(describeSecurityGroups, input)) as {
    SecurityGroups: SecurityGroup[]
  }
  expect(SecurityGroups).toHaveLength(1)
  return SecurityGroups[0] ?? {}
}

async function rulesOf(cloud: Cloud, id: string): Promise<readonly SecurityGroupRule[]> {
  const input = { Filters: [{ Name: 'group-id', Values: [id] }] }
  const { SecurityGroupRules } = (await cloud.run(describeSecurityGroupRules, input)) as {
    SecurityGroupRules: SecurityGroupRule[]
  }
  return SecurityGroupRules
}

it('lets everything out of a new group and nothing in', async () => {
  await using cloud = await openCloud()
  const tags = [{ Key: 'a', Value: 'b' }]
  const id = await make(cloud, {
    TagSpecifications: [{ ResourceType: 'security-group', Tags: tags }],
  })
  const group = await show(cloud, { GroupIds: [id] })
  expect(group).toMatchObject({ ...WEB, VpcId: cloud.vpc.id, IpPermissions: [], Tags: tags })
  expect(group.IpPermissionsEgress).toMatchObject([
    { IpProtocol: '-1', IpRanges: [{ CidrIp: ANY }] },
  ])
})

it.each([
  [{ GroupName: 'default' }, 'InvalidParameterValue'],
  [{ GroupName: 'sg-web' }, 'InvalidParameterValue'],
  [{ GroupName: '' }, 'MissingParameter'],
  [{ GroupName: '  ' }, 'MissingParameter'],
  [{ GroupName: 'x'.repeat(256) }, 'InvalidParameterValue'],
  [{ GroupName: 'wéb' }, 'InvalidParameterValue'],
  [{ Description: undefined }, 'MissingParameter'],
  [{ Description: 'a\nb' }, 'InvalidParameterValue'],
  [{ Description: "it's" }, 'InvalidParameterValue'],
  [{ VpcId: numbered('vpc', 77) }, 'InvalidVpcID.NotFound'],
  [{ GroupName: ' here ' }, 'InvalidGroup.Duplicate'],
])('refuses to make %j: %s', async (more, code) => {
  await using cloud = await openCloud()
  await make(cloud, { GroupName: 'here' })
  expect(await cloud.refusal(createSecurityGroup, { ...WEB, ...more })).toBe(code)
})

it.each([
  ['both forms', { ...HTTP, CidrIp: ANY, IpPermissions: [HTTP] }, 'InvalidParameterCombination'],
  ['nothing', {}, 'MissingParameter'],
  ['no source', { IpPermissions: [HTTP] }, 'MissingParameter'],
  ['no protocol', { FromPort: 1, ToPort: 1, CidrIp: ANY }, 'InvalidPermission.Malformed'],
  ['TCP without ports', { IpProtocol: 'tcp', CidrIp: ANY }, 'InvalidParameterValue'],
  ['a port too high', { ...HTTP, ToPort: 65_536, CidrIp: ANY }, 'InvalidParameterValue'],
  ['a range turned round', { ...HTTP, FromPort: 81, CidrIp: ANY }, 'InvalidParameterValue'],
  ['an unknown protocol', { ...HTTP, IpProtocol: 'sctpx', CidrIp: ANY }, 'InvalidParameterValue'],
  ['protocol 256', { IpProtocol: '256', CidrIp: ANY }, 'InvalidParameterValue'],
  ['no prefix', { ...HTTP, CidrIp: '192.0.2.1' }, 'InvalidParameterValue'],
  ['prefix 33', { ...HTTP, CidrIp: '192.0.2.1/33' }, 'InvalidParameterValue'],
  [
    'a code without a type',
    { IpProtocol: 'icmp', FromPort: -1, ToPort: 0, CidrIp: ANY },
    'InvalidParameterValue',
  ],
  [
    'a prefix list',
    { IpPermissions: [{ ...HTTP, PrefixListIds: [{ PrefixListId: 'pl-1' }] }] },
    'InvalidPrefixListID.NotFound',
  ],
  [
    'an unknown group',
    { IpPermissions: [{ ...HTTP, UserIdGroupPairs: [{ GroupId: numbered('sg', 77) }] }] },
    'InvalidGroup.NotFound',
  ],
  [
    'the same twice',
    {
      IpPermissions: [{ ...HTTP, IpRanges: [{ CidrIp: '10.0.0.1/8' }, { CidrIp: '10.9.9.9/8' }] }],
    },
    'InvalidParameterValue',
  ],
  [
    'a description of other characters',
    { IpPermissions: [{ ...HTTP, IpRanges: [{ CidrIp: ANY, Description: 'a<b' }] }] },
    'InvalidParameterValue',
  ],
])('refuses rules: %s', async (_what, rules, code) => {
  await using cloud = await openCloud()
  const GroupId = await make(cloud)
  expect(await cloud.refusal(authorizeSecurityGroupIngress, { GroupId, ...rules })).toBe(code)
  expect(await cloud.refusal(authorizeSecurityGroupEgress, { GroupId, ...rules })).toBe(code)
})

it('makes all of the rules or none, and tells them as it was told', async () => {
  await using cloud = await openCloud()
  const GroupId = await make(cloud)
  const IpPermissions = [
    {
      ...HTTP,
      IpRanges: [{ CidrIp: '100.68.0.18/18', Description: 'office' }],
      Ipv6Ranges: [{ CidrIpv6: '2001:DB8:0::/32' }],
      UserIdGroupPairs: [{ GroupId, UserId: ALICE }, { GroupName: 'default' }],
    },
    { IpProtocol: '1', FromPort: 8, ToPort: -1, IpRanges: [{ CidrIp: ANY }] },
    { IpProtocol: '50', FromPort: 1, ToPort: 2, IpRanges: [{ CidrIp: ANY }] },
  ]
  const specs = [{ ResourceType: 'security-group-rule', Tags: [{ Key: 'a', Value: 'b' }] }]
  const answer = await cloud.run(authorizeSecurityGroupIngress, {
    GroupId,
    IpPermissions,
    TagSpecifications: specs,
  })
  const made = (answer as { SecurityGroupRules: SecurityGroupRule[] }).SecurityGroupRules
  expect(made).toMatchObject([
    { CidrIpv4: '100.68.0.0/18', Description: 'office', FromPort: 80, IsEgress: false },
    { CidrIpv6: '2001:db8::/32' },
    { ReferencedGroupInfo: { GroupId, UserId: ALICE } },
    { ReferencedGroupInfo: { GroupId: cloud.group.id } },
    { IpProtocol: 'icmp', FromPort: 8, ToPort: -1 },
    { IpProtocol: '50', FromPort: -1, ToPort: -1, Tags: [{ Key: 'a', Value: 'b' }] },
  ])
  const { IpPermissions: shown } = await show(cloud, { GroupIds: [GroupId] })
  expect(shown).toHaveLength(3)
  for (const [name, value] of [
    ['ip-permission.group-name', 'default'],
    ['ip-permission.cidr', '100.68.0.0/18'],
    ['ip-permission.protocol', '50'],
    ['ip-permission.to-port', '80'],
  ])
    expect(
      await show(cloud, {
        Filters: [
          { Name: name, Values: [value] },
          { Name: 'group-id', Values: [GroupId] },
        ],
      }),
    ).toMatchObject({ GroupId })
  const more = {
    GroupId,
    IpPermissions: [{ ...HTTP, IpRanges: [{ CidrIp: ANY }] }, ...IpPermissions],
  }
  expect(await cloud.refusal(authorizeSecurityGroupIngress, more)).toBe(
    'InvalidPermission.Duplicate',
  )
  expect(await rulesOf(cloud, GroupId)).toHaveLength(7)
  // What was told is taken back as it is.
  await cloud.run(revokeSecurityGroupIngress, { GroupId, IpPermissions: shown })
  expect(await rulesOf(cloud, GroupId)).toHaveLength(1)
})

it('revokes by ids and by what rules say, all or none', async () => {
  await using cloud = await openCloud()
  const GroupId = await make(cloud)
  // As Terraform writes the rule that has no ports.
  const all = { IpProtocol: '-1', FromPort: 0, ToPort: 0 }
  const v6 = { GroupId, IpPermissions: [{ ...all, Ipv6Ranges: [{ CidrIpv6: '::/0' }] }] }
  const v4 = { GroupId, IpPermissions: [{ ...all, IpRanges: [{ CidrIp: ANY }] }] }
  const refusal = async (action: Action, input: object) => await cloud.refusal(action, input)
  expect(await refusal(revokeSecurityGroupEgress, v6)).toBe('InvalidPermission.NotFound')
  expect(await refusal(revokeSecurityGroupIngress, v4)).toBe('InvalidPermission.NotFound')
  await cloud.run(revokeSecurityGroupEgress, v4)
  expect(await rulesOf(cloud, GroupId)).toEqual([])
  await cloud.run(authorizeSecurityGroupIngress, {
    GroupName: 'web',
    SourceSecurityGroupName: 'web',
  })
  const rules = await rulesOf(cloud, GroupId)
  expect(rules.map((rule) => [rule.IpProtocol, rule.FromPort, rule.ToPort]).sort()).toEqual([
    ['icmp', -1, -1],
    ['tcp', 0, 65_535],
    ['udp', 0, 65_535],
  ])
  const ids = rules.map((rule) => rule.SecurityGroupRuleId)
  const wrong = { GroupId, SecurityGroupRuleIds: [...ids, numbered('sgr', 77)] }
  const missing = 'InvalidSecurityGroupRuleId.NotFound'
  expect(await refusal(revokeSecurityGroupIngress, wrong)).toBe(missing)
  const right = { GroupId, SecurityGroupRuleIds: ids }
  expect(await refusal(revokeSecurityGroupEgress, right)).toBe(missing)
  const both = { ...right, ...HTTP, CidrIp: ANY }
  expect(await refusal(revokeSecurityGroupIngress, both)).toBe('InvalidParameterCombination')
  await cloud.run(createTags, { Resources: ids, Tags: [{ Key: 'a', Value: 'b' }] })
  await cloud.run(revokeSecurityGroupIngress, right)
  expect(await cloud.store.read((tx) => tx.tags({ account: ALICE }))).toEqual([])
})

it('deletes only what nobody needs', async () => {
  await using cloud = await openCloud()
  const GroupId = await make(cloud)
  const refusal = (input: object) => cloud.refusal(deleteSecurityGroup, input)
  expect(await refusal({ GroupName: 'default' })).toBe('CannotDelete')
  expect(await refusal({})).toBe('MissingParameter')
  expect(await cloud.refusal(deleteSecurityGroup, { GroupId }, BOB)).toBe('InvalidGroup.NotFound')
  const named = {
    GroupId: cloud.group.id,
    IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId }] }],
  }
  await cloud.run(authorizeSecurityGroupIngress, named)
  expect(await refusal({ GroupId })).toBe('DependencyViolation')
  await cloud.run(revokeSecurityGroupIngress, named)
  const launch = { ImageId: cloud.image, MinCount: 1, MaxCount: 1, SecurityGroupIds: [GroupId] }
  await cloud.run(runInstances, launch)
  expect(await refusal({ GroupId })).toBe('DependencyViolation')
  const unused = await make(cloud, { GroupName: 'unused' })
  await cloud.run(authorizeSecurityGroupIngress, {
    GroupId: unused,
    IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: unused }] }],
  })
  expect(await cloud.run(deleteSecurityGroup, { GroupName: 'unused' })).toEqual({
    Return: true,
    GroupId: unused,
  })
  expect(await refusal({ GroupId: unused })).toBe('InvalidGroup.NotFound')
})

it('names no group of another VPC', async () => {
  await using cloud = await openCloud()
  const vpc = numbered('vpc', 9)
  await cloud.store.change(async (tx) => {
    await tx.insertVpc({ ...cloud.vpc, id: vpc, cidr: cidr('10.9.0.0/16'), isDefault: false })
  })
  const other = await make(cloud, { VpcId: vpc })
  const GroupId = await make(cloud)
  const refusal = (pair: object) =>
    cloud.refusal(authorizeSecurityGroupIngress, {
      GroupId,
      IpPermissions: [{ ...HTTP, UserIdGroupPairs: [pair] }],
    })
  expect(await refusal({ GroupId: other })).toBe('InvalidGroup.NotFound')
  expect(await refusal({ GroupId, UserId: BOB })).toBe('InvalidGroup.NotFound')
  expect(await refusal({ GroupId, VpcId: vpc })).toBe('InvalidGroup.NotFound')
  const launch = { ImageId: cloud.image, MinCount: 1, MaxCount: 1, SecurityGroupIds: [other] }
  expect(await cloud.refusal(runInstances, launch)).toBe('InvalidParameter')
})

it('holds the quotas', async () => {
  await using cloud = await openCloud()
  const ids: string[] = []
  for (const number of [1, 2, 3, 4, 5, 6]) ids.push(await make(cloud, { GroupName: `g${number}` }))
  const launch = { ImageId: cloud.image, MinCount: 1, MaxCount: 1, SecurityGroupIds: ids }
  expect(await cloud.refusal(runInstances, launch)).toBe('SecurityGroupsPerInterfaceLimitExceeded')
  const [GroupId = ''] = ids
  const ranges = Array.from({ length: 61 }, (_, at) => ({ CidrIp: `10.0.0.${at}/32` }))
  const rules = (some: typeof ranges) => ({ GroupId, IpPermissions: [{ ...HTTP, IpRanges: some }] })
  const code = 'RulesPerSecurityGroupLimitExceeded'
  expect(await cloud.refusal(authorizeSecurityGroupIngress, rules(ranges))).toBe(code)
  await cloud.run(authorizeSecurityGroupIngress, rules(ranges.slice(1)))
  expect(await cloud.refusal(authorizeSecurityGroupIngress, rules(ranges.slice(0, 1)))).toBe(code)
  await cloud.run(authorizeSecurityGroupEgress, rules(ranges.slice(0, 59)))
  expect(await cloud.refusal(authorizeSecurityGroupEgress, rules(ranges.slice(60)))).toBe(code)
})
