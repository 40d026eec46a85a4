/** The rules of security groups as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ruleIds, ruleView } from '../../../../src/api/views/security-group-rule.ts'
import { network } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags } from '../../../kit/views.ts'

it('has one rule each way, whose ids differ and stay', () => {
  const [inwards, outwards] = ruleIds(network.group)
  expect(inwards).toEqual({ id: expect.stringMatching(/^sgr-[0-9a-f]{17}$/), egress: false })
  expect(outwards).toEqual({ id: expect.stringMatching(/^sgr-[0-9a-f]{17}$/), egress: true })
  expect(inwards?.id).not.toBe(outwards?.id)
  expect(ruleIds({ ...network.group, name: 'another' })).toEqual([inwards, outwards])
})

it('is all that a client reads', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ruleIds(network.group)), someTags, async (rule, tags) => {
      const { id, egress } = rule
      const view = ruleView(network.group, { ...rule, region: 'atoll', tags })
      expect(
        await seenBySdk('DescribeSecurityGroupRules', { SecurityGroupRules: [view] }),
      ).toStrictEqual({
        SecurityGroupRules: [
          {
            SecurityGroupRuleId: id,
            GroupId: 'sg-00000000000000010',
            GroupOwnerId: '000000000001',
            IsEgress: egress,
            IpProtocol: '-1',
            FromPort: -1,
            ToPort: -1,
            ...(egress
              ? { CidrIpv4: '0.0.0.0/0' }
              : {
                  ReferencedGroupInfo: { GroupId: 'sg-00000000000000010', UserId: '000000000001' },
                }),
            Tags: tags,
            SecurityGroupRuleArn: `arn:aws:ec2:atoll:000000000001:security-group-rule/${id}`,
          },
        ],
      })
    }),
    RUNS,
  )
})
