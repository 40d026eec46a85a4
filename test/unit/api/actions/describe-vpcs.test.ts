/** The network is what the records say. */
import { describe, expect, it } from 'vitest'
import { createSecurityGroup } from '../../../../src/api/actions/create-security-group.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { describeSecurityGroups } from '../../../../src/api/actions/describe-security-groups.ts'
import { describeSubnets } from '../../../../src/api/actions/describe-subnets.ts'
import { describeVpcs } from '../../../../src/api/actions/describe-vpcs.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { openCloud, ZONE } from '../../../kit/api-cloud.ts'

describe('the network', () => {
  it('is what the records say', async () => {
    await using cloud = await openCloud()
    await cloud.run(runInstances, { ImageId: cloud.image, MinCount: 3, MaxCount: 3 })
    expect(await cloud.run(describeVpcs, { VpcIds: [cloud.vpc.id] })).toMatchObject({
      Vpcs: [{ VpcId: cloud.vpc.id, CidrBlock: '172.31.0.0/16', IsDefault: true }],
    })
    expect(await cloud.run(describeSubnets)).toMatchObject({
      Subnets: [
        {
          SubnetId: cloud.subnet.id,
          CidrBlock: '172.31.0.0/20',
          AvailableIpAddressCount: 4096 - 5 - 3,
          AvailabilityZone: ZONE,
          DefaultForAz: true,
        },
      ],
    })
    expect(await cloud.run(describeSecurityGroups, { GroupNames: ['default'] })).toMatchObject({
      SecurityGroups: [
        {
          GroupId: cloud.group.id,
          IpPermissions: [{ UserIdGroupPairs: [{ GroupId: cloud.group.id }] }],
          IpPermissionsEgress: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
        },
      ],
    })
  })

  it('has a group by its name alone in the default VPC only', async () => {
    await using cloud = await openCloud()
    const { Vpc } = await cloud.run(createVpc, { CidrBlock: '10.0.0.0/16' })
    const { VpcId } = Vpc as { readonly VpcId: string }
    const other = await cloud.run(createSecurityGroup, {
      ...{ GroupName: 'web', Description: 'elsewhere', VpcId },
    })
    expect(await cloud.refusal(describeSecurityGroups, { GroupNames: ['web'] })).toBe(
      'InvalidGroup.NotFound',
    )
    const own = await cloud.run(createSecurityGroup, { GroupName: 'web', Description: 'here' })
    const ids = async (input: object) => {
      const { SecurityGroups } = await cloud.run(describeSecurityGroups, input)
      return (SecurityGroups as { readonly GroupId: string }[]).map(({ GroupId }) => GroupId)
    }
    expect(await ids({ GroupNames: ['web'] })).toEqual([own['GroupId']])
    expect(await ids({ GroupNames: ['default'] })).toEqual([cloud.group.id])
    const named = [{ Name: 'group-name', Values: ['web'] }]
    const both = [String(own['GroupId']), String(other['GroupId'])]
    expect((await ids({ Filters: named })).toSorted()).toEqual(both.toSorted())
  })

  it.each([
    [describeVpcs, { VpcIds: ['vpc-00000000'] }, 'InvalidVpcID.NotFound'],
    [describeVpcs, { VpcIds: ['x'] }, 'InvalidVpcID.Malformed'],
    [describeSubnets, { SubnetIds: ['subnet-00000000'] }, 'InvalidSubnetID.NotFound'],
    [describeSubnets, { SubnetIds: ['x'] }, 'InvalidSubnetID.Malformed'],
    [describeSecurityGroups, { GroupIds: ['sg-00000000'] }, 'InvalidGroup.NotFound'],
    [describeSecurityGroups, { GroupNames: ['web'] }, 'InvalidGroup.NotFound'],
  ])('$name refuses %j with %s', async (action, input, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(action, input)).toBe(code)
  })
})
