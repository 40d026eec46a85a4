/** Rules of security groups that are there already, as requests change them. */
import type { SecurityGroupRule } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { authorizeSecurityGroupIngress } from '../../../../src/api/actions/authorize-security-group.ts'
import { createSecurityGroup } from '../../../../src/api/actions/create-security-group.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { deleteSecurityGroup } from '../../../../src/api/actions/delete-security-group.ts'
import { describeSecurityGroupRules } from '../../../../src/api/actions/describe-security-group-rules.ts'
import { modifySecurityGroupRules } from '../../../../src/api/actions/modify-security-group-rules.ts'
import { revokeSecurityGroupIngress } from '../../../../src/api/actions/revoke-security-group.ts'
import {
  updateSecurityGroupRuleDescriptionsEgress,
  updateSecurityGroupRuleDescriptionsIngress,
} from '../../../../src/api/actions/update-security-group-rule-descriptions.ts'
import { BOB, type Cloud, hostRow, openCloud } from '../../../kit/api-cloud.ts'
import { numbered } from '../../../kit/records.ts'

const HTTP = { IpProtocol: 'tcp', FromPort: 80, ToPort: 80 }
const HTTPS = { IpProtocol: 'tcp', FromPort: 443, ToPort: 443 }
const A = '192.0.2.0/25'
const B = '198.51.100.0/24'
const ANY = '0.0.0.0/0'

async function rulesOf(cloud: Cloud, id: string): Promise<readonly SecurityGroupRule[]> {
  const input = { Filters: [{ Name: 'group-id', Values: [id] }] }
  const { SecurityGroupRules } = (await cloud.run(describeSecurityGroupRules, input)) as {
    SecurityGroupRules: SecurityGroupRule[]
  }
  return SecurityGroupRules
}

/** A group that lets A in by HTTP and B by HTTPS, and everything out; with the ids of its rules. */
async function openWithRules(): Promise<{
  readonly cloud: Cloud
  readonly GroupId: string
  readonly http: string
  readonly https: string
  readonly out: string
}> {
  const cloud = await openCloud()
  const asked = { GroupName: 'web', Description: 'web' }
  const { GroupId } = (await cloud.run(createSecurityGroup, asked)) as { GroupId: string }
  await cloud.run(authorizeSecurityGroupIngress, {
    GroupId,
    IpPermissions: [
      { ...HTTP, IpRanges: [{ CidrIp: A, Description: 'old' }] },
      { ...HTTPS, IpRanges: [{ CidrIp: B }] },
    ],
  })
  const rules = await rulesOf(cloud, GroupId)
  const idOf = (port: number, egress = false) =>
    rules.find((rule) => rule.FromPort === port && rule.IsEgress === egress)?.SecurityGroupRuleId ??
    ''
  return { cloud, GroupId, http: idOf(80), https: idOf(443), out: idOf(-1, true) }
}

/** One rule of ModifySecurityGroupRules. */
function whole(SecurityGroupRuleId: string, SecurityGroupRule: object) {
  return { SecurityGroupRuleId, SecurityGroupRule }
}

it('replaces rules as a whole, which keep their ids, directions and tags', async () => {
  const { cloud, GroupId, http, https, out } = await openWithRules()
  await using _ = cloud
  const Tags = [{ Key: 'a', Value: 'b' }]
  await cloud.run(createTags, { Resources: [http], Tags })
  // One becomes what another one was.
  const answer = await cloud.run(modifySecurityGroupRules, {
    GroupId,
    SecurityGroupRules: [
      whole(http, { ...HTTPS, CidrIpv4: '198.51.100.7/24' }),
      whole(https, { ...HTTP, ReferencedGroupId: GroupId, Description: 'peers' }),
      whole(out, { IpProtocol: '-1', CidrIpv6: '2001:DB8::/32' }),
    ],
  })
  expect(answer).toEqual({ Return: true })
  const rules = await rulesOf(cloud, GroupId)
  const byId = new Map(rules.map((rule) => [rule.SecurityGroupRuleId, rule]))
  expect(byId.size).toBe(3)
  expect(byId.get(http)).toMatchObject({ ...HTTPS, CidrIpv4: B, IsEgress: false, Tags })
  expect(byId.get(http)?.Description ?? '').toBe('')
  expect(byId.get(https)).toMatchObject({
    ...HTTP,
    ReferencedGroupInfo: { GroupId },
    Description: 'peers',
  })
  expect(byId.get(out)).toMatchObject({ CidrIpv6: '2001:db8::/32', IsEgress: true })
})

it.each<[string, (ids: { http: string; https: string }) => readonly object[], string]>([
  ['none', () => [], 'MissingParameter'],
  [
    'a rule twice',
    ({ http }) => [whole(http, { ...HTTP, CidrIpv4: A }), whole(http, { ...HTTPS, CidrIpv4: A })],
    'InvalidParameterValue',
  ],
  [
    'two that become the same',
    ({ http, https }) => [
      whole(http, { ...HTTP, CidrIpv4: ANY }),
      whole(https, { ...HTTP, CidrIpv4: ANY }),
    ],
    'InvalidParameterValue',
  ],
  [
    'one that becomes what another is',
    ({ http }) => [whole(http, { ...HTTPS, CidrIpv4: B })],
    'InvalidPermission.Duplicate',
  ],
  [
    'one of two that is not there',
    ({ http }) => [
      whole(http, { ...HTTP, CidrIpv4: ANY }),
      whole(numbered('sgr', 77), { ...HTTP, CidrIpv4: ANY }),
    ],
    'InvalidSecurityGroupRuleId.NotFound',
  ],
  [
    'an id of something else',
    () => [whole(numbered('sg', 77), { ...HTTP, CidrIpv4: ANY })],
    'InvalidSecurityGroupRuleId.Malformed',
  ],
  ['no source', ({ http }) => [whole(http, HTTP)], 'MissingParameter'],
  [
    'two sources',
    ({ http }) => [whole(http, { ...HTTP, CidrIpv4: ANY, CidrIpv6: '::/0' })],
    'InvalidParameterCombination',
  ],
  [
    'no protocol',
    ({ http }) => [whole(http, { FromPort: 1, ToPort: 1, CidrIpv4: ANY })],
    'InvalidPermission.Malformed',
  ],
  [
    'an unknown group',
    ({ http }) => [whole(http, { ...HTTP, ReferencedGroupId: numbered('sg', 77) })],
    'InvalidGroup.NotFound',
  ],
  [
    'a prefix list',
    ({ http }) => [whole(http, { ...HTTP, PrefixListId: 'pl-1' })],
    'InvalidPrefixListID.NotFound',
  ],
])('refuses to replace %s, and changes none', async (_what, rules, code) => {
  const { cloud, GroupId, http, https } = await openWithRules()
  await using _ = cloud
  const before = await rulesOf(cloud, GroupId)
  const asked = { GroupId, SecurityGroupRules: rules({ http, https }) }
  expect(await cloud.refusal(modifySecurityGroupRules, asked)).toBe(code)
  expect(await rulesOf(cloud, GroupId)).toEqual(before)
})

it('replaces no rule of another group, nor of another account', async () => {
  const { cloud, GroupId, http } = await openWithRules()
  await using _ = cloud
  const SecurityGroupRules = [whole(http, { ...HTTP, CidrIpv4: ANY })]
  const refusal = (id: string, account?: typeof BOB) =>
    cloud.refusal(modifySecurityGroupRules, { GroupId: id, SecurityGroupRules }, account)
  expect(await refusal(cloud.group.id)).toBe('InvalidSecurityGroupRuleId.NotFound')
  expect(await refusal(GroupId, BOB)).toBe('InvalidGroup.NotFound')
})

it('holds the quota of rules when they are replaced', async () => {
  const { cloud, GroupId, https } = await openWithRules()
  await using _ = cloud
  // For IPv6 there is room: for IPv4 there is none.
  const ranges = Array.from({ length: 58 }, (_none, at) => ({ CidrIp: `10.0.0.${at}/32` }))
  const six = { ...HTTP, Ipv6Ranges: [{ CidrIpv6: '2001:db8::/32' }] }
  const IpPermissions = [{ ...HTTP, IpRanges: ranges }, six]
  await cloud.run(authorizeSecurityGroupIngress, { GroupId, IpPermissions })
  const rule = (await rulesOf(cloud, GroupId)).find(({ CidrIpv6 }) => CidrIpv6 !== undefined)
  const id = rule?.SecurityGroupRuleId ?? ''
  const replace = (which: string) => ({
    GroupId,
    SecurityGroupRules: [whole(which, { ...HTTPS, CidrIpv4: ANY })],
  })
  expect(await cloud.refusal(modifySecurityGroupRules, replace(id))).toBe(
    'RulesPerSecurityGroupLimitExceeded',
  )
  await cloud.run(modifySecurityGroupRules, replace(https))
})

it('changes descriptions by what rules say and by their ids, and takes them away', async () => {
  const { cloud, GroupId, http, https, out } = await openWithRules()
  await using _ = cloud
  const texts = async () => {
    const rules = await rulesOf(cloud, GroupId)
    return [http, https, out].map(
      (id) => rules.find((rule) => rule.SecurityGroupRuleId === id)?.Description ?? '',
    )
  }
  expect(await texts()).toEqual(['old', '', ''])
  const byRule = {
    GroupName: 'web',
    IpPermissions: [
      { ...HTTP, IpRanges: [{ CidrIp: A }] },
      { ...HTTPS, IpRanges: [{ CidrIp: B, Description: 'new' }] },
    ],
  }
  expect(await cloud.run(updateSecurityGroupRuleDescriptionsIngress, byRule)).toEqual({
    Return: true,
  })
  expect(await texts()).toEqual(['', 'new', ''])
  const byId = (SecurityGroupRuleId: string, Description?: string) => ({
    GroupId,
    SecurityGroupRuleDescriptions: [{ SecurityGroupRuleId, Description }],
  })
  await cloud.run(updateSecurityGroupRuleDescriptionsIngress, byId(http, 'one'))
  await cloud.run(updateSecurityGroupRuleDescriptionsIngress, byId(https))
  await cloud.run(updateSecurityGroupRuleDescriptionsEgress, byId(out, 'all'))
  expect(await texts()).toEqual(['one', '', 'all'])
})

it('refuses descriptions of what is not there, and changes none', async () => {
  const { cloud, GroupId, http, out } = await openWithRules()
  await using _ = cloud
  const before = await rulesOf(cloud, GroupId)
  const update = updateSecurityGroupRuleDescriptionsIngress
  const refusal = (more: object) => cloud.refusal(update, { GroupId, ...more })
  const there = { ...HTTP, IpRanges: [{ CidrIp: A, Description: 'new' }] }
  const elsewhere = { ...HTTPS, IpRanges: [{ CidrIp: A, Description: 'new' }] }
  const texts = (...ids: readonly string[]) =>
    ids.map((SecurityGroupRuleId) => ({ SecurityGroupRuleId, Description: 'new' }))
  expect(await refusal({})).toBe('MissingParameter')
  expect(
    await refusal({ IpPermissions: [there], SecurityGroupRuleDescriptions: texts(http) }),
  ).toBe('InvalidParameterCombination')
  expect(await refusal({ IpPermissions: [there, elsewhere] })).toBe('InvalidPermission.NotFound')
  // A rule of the other direction.
  expect(await refusal({ SecurityGroupRuleDescriptions: texts(http, out) })).toBe(
    'InvalidSecurityGroupRuleId.NotFound',
  )
  expect(
    await refusal({
      SecurityGroupRuleDescriptions: [{ SecurityGroupRuleId: http, Description: 'a<b' }],
    }),
  ).toBe('InvalidParameterValue')
  expect(await cloud.refusal(update, { IpPermissions: [there] })).toBe('MissingParameter')
  const named = { GroupId, IpPermissions: [there] }
  expect(await cloud.refusal(update, named, BOB)).toBe('InvalidGroup.NotFound')
  expect(await rulesOf(cloud, GroupId)).toEqual(before)
})

it('changes no rules while a host does not know rules, and says which', async () => {
  const { cloud, GroupId, http } = await openWithRules()
  await using _ = cloud
  const older = { ...hostRow('older', { vcpus: 1, memoryMiB: 1 }), version: '0.2.0' }
  await cloud.store.change((tx) => tx.upsertHost(older, 60_000))
  const rule = { SecurityGroupRuleId: http, SecurityGroupRule: { ...HTTP, CidrIpv4: B } }
  for (const [action, input] of [
    [createSecurityGroup, { GroupName: 'more', Description: 'more' }],
    [authorizeSecurityGroupIngress, { GroupId, ...HTTP, CidrIp: ANY }],
    [revokeSecurityGroupIngress, { GroupId, SecurityGroupRuleIds: [http] }],
    [modifySecurityGroupRules, { GroupId, SecurityGroupRules: [rule] }],
  ] as const)
    expect(await cloud.refusal(action, input), action.name).toBe('OperationNotPermitted')
  // What changes nothing on a host, or takes away a group that nobody uses, is allowed.
  await cloud.run(deleteSecurityGroup, { GroupId })
})
