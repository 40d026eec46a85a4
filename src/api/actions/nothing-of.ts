/**
 * Actions that list something of one thing that is there, and of which no thing has any: DescribeStaleSecurityGroups of a VPC,
 * DescribeSecurityGroupReferences of groups, GetSubnetCidrReservations of a subnet.
 */
import { z } from 'zod'
import type { ErrorCode } from '../../model/errors.ts'
import type { IdPrefix } from '../../model/ids.ts'
import type { Action } from '../action.ts'
import { describe } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { findTaggable } from '../taggable.ts'

function nothingOf(
  action: string,
  of: {
    readonly parameter: string
    readonly prefix: IdPrefix
    readonly malformed: ErrorCode
    readonly lists: readonly string[]
  },
): Action {
  const ids = z
    .preprocess(
      (given) => (typeof given === 'string' ? [given] : given),
      idListSchema(of.prefix, of.malformed),
    )
    .refine((given) => given.length > 0)
  const schema = z.strictObject({
    ...pagedShape(1, 1000, { larger: 'limited' }),
    [of.parameter]: ids,
  })
  return {
    name: action,
    async run(call) {
      const input = parseInput(schema, call.input)
      dryRun(call)
      // Parsed just now; a computed key has no type of its own.
      const wanted = ids.parse(Reflect.get(input, of.parameter))
      await call.parts.store.read((tx) => findTaggable(tx, call.caller.account, wanted))
      await describe<never>(call, [], input, { action, key: () => '', filters: {} })
      return Object.fromEntries(of.lists.map((list) => [list, []]))
    },
  }
}

/** DescribeStaleSecurityGroups: rules name no group of another VPC. */
export const describeStaleSecurityGroups = nothingOf('DescribeStaleSecurityGroups', {
  parameter: 'VpcId',
  prefix: 'vpc',
  malformed: 'InvalidVpcID.Malformed',
  lists: ['StaleSecurityGroupSet'],
})

/** DescribeSecurityGroupReferences: nothing refers to a group over a peering of VPCs. */
export const describeSecurityGroupReferences = nothingOf('DescribeSecurityGroupReferences', {
  parameter: 'GroupId',
  prefix: 'sg',
  malformed: 'InvalidGroupId.Malformed',
  lists: ['SecurityGroupReferenceSet'],
})

/** GetSubnetCidrReservations: nobody reserves parts of a subnet. */
export const getSubnetCidrReservations = nothingOf('GetSubnetCidrReservations', {
  parameter: 'SubnetId',
  prefix: 'subnet',
  malformed: 'InvalidSubnetID.Malformed',
  lists: ['SubnetIpv4CidrReservations', 'SubnetIpv6CidrReservations'],
})
