/** CreateSecurityGroup. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { ALL_OUT } from '../../model/group-rule.ts'
import { DEFAULT_GROUP } from '../../store/new-vpc.ts'
import { changeAction } from '../change.ts'
import { groupTextSchema } from '../networks/group-permissions.ts'
import { refuseForOlderHosts, requireDefaultVpc } from '../networks/security-groups.ts'
import { findVpcs } from '../networks/vpcs.ts'
import { idSchema, specifiedTags, tagSpecificationsSchema, withCode } from '../schemas.ts'
import { groupArn } from '../views/security-group.ts'
import { tagged, tagsView } from '../views/tags.ts'

const isAbsent = { params: { isAbsent: true } }

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html */
const schema = z.strictObject({
  GroupName: groupTextSchema
    // EC2 leaves out spaces at the ends.
    .transform((name) => name.trim())
    .refine((name) => name !== '', isAbsent)
    .refine((name) => name.toLowerCase() !== DEFAULT_GROUP, {
      error: `Cannot use reserved security group name: ${DEFAULT_GROUP}`,
      ...withCode('InvalidParameterValue'),
    })
    .refine((name) => !name.toLowerCase().startsWith('sg-'), {
      error: 'Group names may not be in the format sg-*',
      ...withCode('InvalidParameterValue'),
    }),
  Description: groupTextSchema.refine((text) => text !== '', isAbsent),
  VpcId: idSchema('vpc', 'InvalidVpcID.Malformed').optional(),
  TagSpecifications: tagSpecificationsSchema(['security-group']),
})

/** A new group lets everything out and nothing in. */
export const createSecurityGroup = changeAction({
  name: 'CreateSecurityGroup',
  input: schema,
  async change(tx, asked, { account, newId, settings }) {
    await refuseForOlderHosts(tx, settings)
    const { GroupName: name, Description: description, VpcId } = asked
    if (VpcId !== undefined) await findVpcs(tx, account, [VpcId])
    const vpc = VpcId ?? (await requireDefaultVpc(tx, account))
    const id = newId('sg')
    await tx.takeTurn(account)
    if ((await tx.groups({ account, vpcs: [vpc] })).length >= settings.quotas.securityGroupsPerVpc)
      throw refused(
        'SecurityGroupLimitExceeded',
        `The maximum number of security groups for VPC '${vpc}' has been reached: ${settings.quotas.securityGroupsPerVpc}`,
      )
    if ((await tx.insertGroup({ id, vpc, account, name, description })) === 'exists')
      throw refused(
        'InvalidGroup.Duplicate',
        `The security group '${name}' already exists for VPC '${vpc}'`,
      )
    const rule = { ...ALL_OUT, id: newId('sgr'), group: id, vpc, account, description: '' }
    await tx.insertGroupRule(rule)
    const of = { account, resource: id, resourceType: 'security-group' }
    const tags = specifiedTags(asked.TagSpecifications, of)
    await tx.putTags(tags)
    return { id, account, tags }
  },
  view: ({ id, account, tags }, { settings }) => ({
    GroupId: id,
    SecurityGroupArn: groupArn({ id, account }, settings.region),
    ...tagged(tagsView(tags, id)),
  }),
})
