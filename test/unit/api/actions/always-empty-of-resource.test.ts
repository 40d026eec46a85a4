import { expect, it } from 'vitest'
import {
  describeSecurityGroupReferences,
  describeStaleSecurityGroups,
  getSubnetCidrReservations,
} from '../../../../src/api/actions/always-empty-of-resource.ts'
import { BOB, openCloud } from '../../../kit/api-cloud.ts'

it('is empty of what is there, and refused of what is not', async () => {
  await using cloud = await openCloud()
  const { vpc, group, subnet } = cloud
  for (const [action, input, answer, code] of [
    [
      describeStaleSecurityGroups,
      { VpcId: vpc.id },
      { StaleSecurityGroupSet: [] },
      'InvalidVpcID.NotFound',
    ],
    [
      describeSecurityGroupReferences,
      { GroupId: [group.id] },
      { SecurityGroupReferenceSet: [] },
      'InvalidGroup.NotFound',
    ],
    [
      getSubnetCidrReservations,
      { SubnetId: subnet.id },
      { SubnetIpv4CidrReservations: [], SubnetIpv6CidrReservations: [] },
      'InvalidSubnetID.NotFound',
    ],
  ] as const) {
    expect(await cloud.run(action, input)).toEqual(answer)
    expect(await cloud.refusal(action, input, BOB)).toBe(code)
    expect(await cloud.refusal(action)).toBe('MissingParameter')
    const [parameter = ''] = Object.keys(input)
    expect(await cloud.refusal(action, { [parameter]: 'x' })).toMatch(/\.Malformed$/)
  }
})
