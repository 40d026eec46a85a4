/** The rules of security groups as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ruleView } from '../../../../src/api/views/security-group-rule.ts'
import { defaultRules, network } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags } from '../../../kit/views.ts'

it('is all that a client reads', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...defaultRules(network.group)),
      someTags,
      async (rule, tags) => {
        const { id, egress } = rule
        const view = ruleView(rule, {
          infoOf: ({ account }) => ({ UserId: account }),
          region: 'atoll',
          tags,
        })
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
                    ReferencedGroupInfo: {
                      GroupId: 'sg-00000000000000010',
                      UserId: '000000000001',
                    },
                  }),
              Tags: tags,
              SecurityGroupRuleArn: `arn:aws:ec2:atoll:000000000001:security-group-rule/${id}`,
            },
          ],
        })
      },
    ),
    RUNS,
  )
})
