/** Security groups as a client reads them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { groupView } from '../../../../src/api/views/security-group.ts'
import { defaultRules, network } from '../../../kit/records.ts'
import { oddText, RUNS, seenBySdk, someTags, tagsIfAny } from '../../../kit/views.ts'

const DIGITS = '00000000000000010'

describe('groupView', () => {
  it('is all that a client reads', async () => {
    await fc.assert(
      fc.asyncProperty(oddText, oddText, someTags, async (name, description, tags) => {
        const view = groupView(
          { ...network.group, name, description },
          {
            ...{ rules: defaultRules(network.group), region: 'atoll', tags },
            infoOf: ({ account }) => ({ UserId: account }),
          },
        )
        const none = { Ipv6Ranges: [], PrefixListIds: [] }
        expect(await seenBySdk('DescribeSecurityGroups', { SecurityGroups: [view] })).toStrictEqual(
          {
            SecurityGroups: [
              {
                GroupId: `sg-${DIGITS}`,
                GroupName: name,
                Description: description,
                SecurityGroupArn: `arn:aws:ec2:atoll:000000000001:security-group/sg-${DIGITS}`,
                VpcId: `vpc-${DIGITS}`,
                OwnerId: '000000000001',
                IpPermissions: [
                  {
                    IpProtocol: '-1',
                    UserIdGroupPairs: [{ GroupId: `sg-${DIGITS}`, UserId: '000000000001' }],
                    IpRanges: [],
                    ...none,
                  },
                ],
                IpPermissionsEgress: [
                  {
                    IpProtocol: '-1',
                    UserIdGroupPairs: [],
                    IpRanges: [{ CidrIp: '0.0.0.0/0' }],
                    ...none,
                  },
                ],
                ...tagsIfAny(tags),
              },
            ],
          },
        )
      }),
      RUNS,
    )
  })
})
