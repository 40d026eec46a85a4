import type { DescribeSecurityGroupRulesResult } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { describeSecurityGroupRules } from '../../../../src/api/actions/describe-security-group-rules.ts'
import { BOB, openCloud } from '../../../kit/api-cloud.ts'

it('shows what the default group allows, rule by rule', async () => {
  await using cloud = await openCloud()
  const list = async (input: object = {}) =>
    ((await cloud.run(describeSecurityGroupRules, input)) as DescribeSecurityGroupRulesResult)
      .SecurityGroupRules ?? []
  const rules = await list()
  expect(rules.toSorted((a, b) => Number(a.IsEgress) - Number(b.IsEgress))).toMatchObject([
    { IsEgress: false, IpProtocol: '-1', ReferencedGroupInfo: { GroupId: cloud.group.id } },
    { IsEgress: true, IpProtocol: '-1', CidrIpv4: '0.0.0.0/0' },
  ])
  expect(await list()).toEqual(rules)
  const id = rules[0]?.SecurityGroupRuleId ?? ''
  await cloud.run(createTags, { Resources: [id], Tags: [{ Key: 'Name', Value: 'rule' }] })
  expect(await list({ SecurityGroupRuleIds: [id] })).toHaveLength(1)
  expect(await list({ Filters: [{ Name: 'tag:Name', Values: ['rule'] }] })).toHaveLength(1)
  expect(await list({ Filters: [{ Name: 'group-id', Values: [cloud.group.id] }] })).toHaveLength(2)
  expect(await cloud.refusal(describeSecurityGroupRules, { SecurityGroupRuleIds: [id] }, BOB)).toBe(
    'InvalidSecurityGroupRuleId.NotFound',
  )
})
