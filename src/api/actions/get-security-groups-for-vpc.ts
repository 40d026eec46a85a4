/** GetSecurityGroupsForVpc. */
import type { SecurityGroupForVpc, Tag as TagOutput } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Group } from '../../model/records.ts'
import { findVpcs } from '../networks/vpcs.ts'
import { describeAction } from '../read.ts'
import { idSchema, pagedShape } from '../schemas.ts'
import { tagsIndex } from '../views/tags.ts'

/** The groups that NICs of a VPC may be in: its own, because VPCs share no groups. */
export const getSecurityGroupsForVpc = describeAction({
  name: 'GetSecurityGroupsForVpc',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    VpcId: idSchema('vpc', 'InvalidVpcID.Malformed'),
  }),
  rows: ({ VpcId }, { account, read }) =>
    read(async (tx) => {
      await findVpcs(tx, account, [VpcId])
      const groups = await tx.groups({ account, vpcs: [VpcId] })
      const resources = groups.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      return groups.map((group) => ({ group, tags: tagsOf(group.id) }))
    }),
  view: ({ group, tags }) => groupForVpcView(group, tags),
  key: (group) => group.GroupId ?? '',
  // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetSecurityGroupsForVpc.html
  filters: {
    description: (group) => group.Description,
    'group-id': (group) => group.GroupId,
    'group-name': (group) => group.GroupName,
    'owner-id': (group) => group.OwnerId,
    'primary-vpc-id': (group) => group.PrimaryVpcId,
  },
  answer: (SecurityGroupForVpcs) => ({ SecurityGroupForVpcs }),
})

function groupForVpcView(group: Group, tags: TagOutput[]): SecurityGroupForVpc {
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    OwnerId: group.account,
    PrimaryVpcId: group.vpc,
    Tags: tags,
  }
}
