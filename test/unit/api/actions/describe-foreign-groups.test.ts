/**
 * Rules that name a group of a peered VPC: made, shown, referenced, stale when the peering or the
 * group is gone, and revoked then.
 */
import type { SecurityGroup, StaleSecurityGroup } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { acceptVpcPeeringConnection } from '../../../../src/api/actions/accept-vpc-peering-connection.ts'
import { authorizeSecurityGroupIngress } from '../../../../src/api/actions/authorize-security-group.ts'
import { createSecurityGroup } from '../../../../src/api/actions/create-security-group.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { createVpcPeeringConnection } from '../../../../src/api/actions/create-vpc-peering-connection.ts'
import { deleteSecurityGroup } from '../../../../src/api/actions/delete-security-group.ts'
import {
  describeSecurityGroupReferences,
  describeStaleSecurityGroups,
} from '../../../../src/api/actions/describe-foreign-groups.ts'
import { describeSecurityGroupRules } from '../../../../src/api/actions/describe-security-group-rules.ts'
import { describeSecurityGroups } from '../../../../src/api/actions/describe-security-groups.ts'
import { deleteVpcPeeringConnection } from '../../../../src/api/actions/end-vpc-peering-connection.ts'
import { modifySecurityGroupRules } from '../../../../src/api/actions/modify-security-group-rules.ts'
import { revokeSecurityGroupIngress } from '../../../../src/api/actions/revoke-security-group.ts'
import type { AccountId } from '../../../../src/model/ids.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

async function vpcOf(cloud: Cloud, account: AccountId, CidrBlock: string): Promise<string> {
  const { Vpc } = await cloud.run(createVpc, { CidrBlock }, account)
  return (Vpc as { VpcId: string }).VpcId
}

async function groupIn(cloud: Cloud, account: AccountId, VpcId: string, name = 'web') {
  const asked = { VpcId, GroupName: name, Description: name }
  return ((await cloud.run(createSecurityGroup, asked, account)) as { GroupId: string }).GroupId
}

async function peer(cloud: Cloud, VpcId: string, PeerVpcId: string): Promise<string> {
  const asked = { VpcId, PeerVpcId, PeerOwnerId: BOB }
  const { VpcPeeringConnection } = await cloud.run(createVpcPeeringConnection, asked)
  const { VpcPeeringConnectionId } = VpcPeeringConnection as { VpcPeeringConnectionId: string }
  await cloud.run(acceptVpcPeeringConnection, { VpcPeeringConnectionId }, BOB)
  return VpcPeeringConnectionId
}

const permission = (GroupId: string, UserId?: string) => ({
  ...{ IpProtocol: 'tcp', FromPort: 443, ToPort: 443 },
  UserIdGroupPairs: [UserId === undefined ? { GroupId } : { GroupId, UserId }],
})

/** VPCs of Alice and Bob with a group each, and one of Bob that is peered with nobody. */
async function openTwo() {
  const cloud = await openCloud({ settings: { vpcPlace: 'own' } })
  const own = await vpcOf(cloud, ALICE, '10.1.0.0/16')
  const other = await vpcOf(cloud, BOB, '10.2.0.0/16')
  const group = await groupIn(cloud, ALICE, own)
  const theirs = await groupIn(cloud, BOB, other)
  const far = await groupIn(cloud, BOB, await vpcOf(cloud, BOB, '10.3.0.0/16'))
  const allow = { GroupId: group, IpPermissions: [permission(theirs, BOB)] }
  return { cloud, own, other, group, theirs, far, allow }
}

const staleOf = async (cloud: Cloud, VpcId: string) =>
  (
    (await cloud.run(describeStaleSecurityGroups, { VpcId })) as {
      StaleSecurityGroupSet: StaleSecurityGroup[]
    }
  ).StaleSecurityGroupSet

it('may name groups of a peered VPC by id and owner, and no others', async () => {
  const { cloud, own, other, group, theirs, far, allow } = await openTwo()
  await using _cloud = cloud
  const refused = async (asked: object) =>
    cloud.refusal(authorizeSecurityGroupIngress, { GroupId: group, IpPermissions: [asked] })
  expect(await refused(permission(theirs, BOB))).toBe('InvalidGroup.NotFound')
  const pcx = await peer(cloud, own, other)
  // As in EC2, a group of another account is named with its owner.
  for (const asked of [
    permission(theirs),
    permission(theirs, ALICE),
    permission(far, BOB),
    { ...permission(theirs, BOB), UserIdGroupPairs: [{ GroupName: 'web', UserId: BOB }] },
  ])
    expect(await refused(asked)).toBe('InvalidGroup.NotFound')
  cloud.bells.rungVpcs.length = 0
  const info = { UserId: BOB, VpcId: other, VpcPeeringConnectionId: pcx, PeeringStatus: 'active' }
  expect(await cloud.run(authorizeSecurityGroupIngress, allow)).toMatchObject({
    SecurityGroupRules: [{ ReferencedGroupInfo: { GroupId: theirs, ...info } }],
  })
  expect(cloud.bells.rungVpcs).toEqual([own])
  expect(await refused(permission(theirs, BOB))).toBe('InvalidPermission.Duplicate')
  const { SecurityGroups } = (await cloud.run(describeSecurityGroups, { GroupIds: [group] })) as {
    SecurityGroups: SecurityGroup[]
  }
  expect(SecurityGroups[0]?.IpPermissions).toMatchObject([
    { UserIdGroupPairs: [{ GroupId: theirs, ...info }] },
  ])
  expect(await staleOf(cloud, own)).toEqual([])
  const references = (ids: readonly string[], account: AccountId) =>
    cloud.run(describeSecurityGroupReferences, { GroupId: ids }, account)
  expect(await references([theirs, far], BOB)).toEqual({
    SecurityGroupReferenceSet: [
      { GroupId: theirs, ReferencingVpcId: own, VpcPeeringConnectionId: pcx },
    ],
  })
  expect(await references([group], ALICE)).toEqual({ SecurityGroupReferenceSet: [] })
  expect(await cloud.refusal(describeSecurityGroupReferences, { GroupId: [theirs] })).toBe(
    'InvalidGroup.NotFound',
  )
  for (const action of [describeSecurityGroupReferences, describeStaleSecurityGroups])
    expect(await cloud.refusal(action)).toBe('MissingParameter')
  expect(await cloud.refusal(describeStaleSecurityGroups, { VpcId: other })).toBe(
    'InvalidVpcID.NotFound',
  )
})

it('is stale when the peering has ended, and can be changed and revoked', async () => {
  const { cloud, own, other, group, theirs, allow } = await openTwo()
  await using _cloud = cloud
  const VpcPeeringConnectionId = await peer(cloud, own, other)
  await cloud.run(authorizeSecurityGroupIngress, allow)
  await cloud.run(deleteVpcPeeringConnection, { VpcPeeringConnectionId }, BOB)
  const pair = { GroupId: theirs, UserId: BOB, VpcId: other, PeeringStatus: 'deleted' }
  expect(await staleOf(cloud, own)).toEqual([
    {
      ...{ GroupId: group, GroupName: 'web', Description: 'web', VpcId: own },
      StaleIpPermissions: [
        {
          ...{ IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [], PrefixListIds: [] },
          UserIdGroupPairs: [pair],
        },
      ],
      StaleIpPermissionsEgress: [],
    },
  ])
  expect(await cloud.run(describeSecurityGroupReferences, { GroupId: [theirs] }, BOB)).toEqual({
    SecurityGroupReferenceSet: [],
  })
  const { SecurityGroupRules } = (await cloud.run(describeSecurityGroupRules)) as {
    SecurityGroupRules: { SecurityGroupRuleId: string; ReferencedGroupInfo?: object }[]
  }
  const stale = SecurityGroupRules.find(({ ReferencedGroupInfo }) =>
    JSON.stringify(ReferencedGroupInfo ?? {}).includes(theirs),
  )
  const SecurityGroupRule = {
    ...{ IpProtocol: 'tcp', FromPort: 80, ToPort: 80, ReferencedGroupId: theirs },
  }
  const changed = { SecurityGroupRuleId: stale?.SecurityGroupRuleId, SecurityGroupRule }
  await cloud.run(modifySecurityGroupRules, { GroupId: group, SecurityGroupRules: [changed] })
  const now = { ...permission(theirs, BOB), FromPort: 80, ToPort: 80 }
  await cloud.run(revokeSecurityGroupIngress, { GroupId: group, IpPermissions: [now] })
  expect(await staleOf(cloud, own)).toEqual([])
  const gone = { GroupId: group, IpPermissions: [now] }
  expect(await cloud.refusal(revokeSecurityGroupIngress, gone)).toBe('InvalidGroup.NotFound')
  // With a new peering it may be named again.
  await peer(cloud, own, other)
  await cloud.run(authorizeSecurityGroupIngress, allow)
})

it('does not keep the group from being deleted, and is stale then', async () => {
  const { cloud, own, other, group, theirs, allow } = await openTwo()
  await using _cloud = cloud
  await peer(cloud, own, other)
  await cloud.run(authorizeSecurityGroupIngress, allow)
  await cloud.run(deleteSecurityGroup, { GroupId: theirs }, BOB)
  expect(await staleOf(cloud, own)).toMatchObject([
    {
      GroupId: group,
      StaleIpPermissions: [{ UserIdGroupPairs: [{ GroupId: theirs, PeeringStatus: 'deleted' }] }],
    },
  ])
  await cloud.run(revokeSecurityGroupIngress, allow)
  expect(await staleOf(cloud, own)).toEqual([])
})
