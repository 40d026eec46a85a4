import { expect, it } from 'vitest'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { getSecurityGroupsForVpc } from '../../../../src/api/actions/get-security-groups-for-vpc.ts'
import { cidr } from '../../../../src/model/addr.ts'
import { formatId } from '../../../../src/model/ids.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const OTHER = formatId('vpc', new Uint8Array(9).fill(7))

/** A second VPC of the account, and a group there. */
async function addOtherVpc({ store, vpc, group }: Cloud): Promise<void> {
  await store.change(async (tx) => {
    await tx.insertVpc({ ...vpc, id: OTHER, cidr: cidr('10.0.0.0/16'), isDefault: false })
    await tx.insertGroup({ ...group, id: formatId('sg', new Uint8Array(9).fill(7)), vpc: OTHER })
  })
}

it('GetSecurityGroupsForVpc lists the groups of that VPC alone', async () => {
  await using cloud = await openCloud()
  const { vpc, group } = cloud
  await addOtherVpc(cloud)
  expect(await cloud.run(getSecurityGroupsForVpc, { VpcId: OTHER })).toMatchObject({
    SecurityGroupForVpcs: [{ PrimaryVpcId: OTHER, Tags: [] }],
  })
  const Tags = [{ Key: 'team', Value: 'web' }]
  await cloud.run(createTags, { Resources: [group.id], Tags })
  expect(await cloud.run(getSecurityGroupsForVpc, { VpcId: vpc.id })).toEqual({
    SecurityGroupForVpcs: [
      {
        GroupId: group.id,
        GroupName: 'default',
        Description: group.description,
        OwnerId: ALICE,
        PrimaryVpcId: vpc.id,
        Tags,
      },
    ],
  })
})

it.each([
  ['group-name', 'default', 1],
  ['group-name', 'web', 0],
  ['primary-vpc-id', OTHER, 0],
  ['owner-id', ALICE, 1],
])('GetSecurityGroupsForVpc filtered by %s %s finds %i', async (Name, value, found) => {
  await using cloud = await openCloud()
  await addOtherVpc(cloud)
  const Filters = [{ Name, Values: [value] }]
  expect(await cloud.run(getSecurityGroupsForVpc, { VpcId: cloud.vpc.id, Filters })).toMatchObject({
    SecurityGroupForVpcs: { length: found },
  })
})

it('GetSecurityGroupsForVpc refuses what is no VPC of the caller', async () => {
  await using cloud = await openCloud()
  const refusal = (input: object, account = ALICE) =>
    cloud.refusal(getSecurityGroupsForVpc, input, account)
  expect(await refusal({})).toBe('MissingParameter')
  expect(await refusal({ VpcId: 'x' })).toBe('InvalidVpcID.Malformed')
  expect(await refusal({ VpcId: OTHER })).toBe('InvalidVpcID.NotFound')
  expect(await refusal({ VpcId: cloud.vpc.id }, BOB)).toBe('InvalidVpcID.NotFound')
  expect(await refusal({ VpcId: cloud.vpc.id, MaxResults: 4 })).toBe('InvalidParameterValue')
})
