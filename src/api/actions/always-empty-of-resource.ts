/**
 * Actions that list something of an existing resource, of which no resource has any:
 * DescribeStaleSecurityGroups of a VPC, DescribeSecurityGroupReferences of groups,
 * GetSubnetCidrReservations of a subnet.
 */
import { z } from 'zod'
import type { ErrorCode } from '../../model/errors.ts'
import type { IdPrefix } from '../../model/ids.ts'
import type { Action, ActionName } from '../action.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { findTaggable } from '../taggable.ts'

interface EmptyListOf {
  readonly name: ActionName
  readonly parameter: string
  readonly prefix: IdPrefix
  readonly malformed: ErrorCode
  readonly lists: readonly string[]
}

function emptyListOf({ name, parameter, prefix, malformed, lists }: EmptyListOf): Action {
  const ids = z
    .preprocess(
      (given) => (typeof given === 'string' ? [given] : given),
      idListSchema(prefix, malformed),
    )
    .refine((given) => given.length > 0)
  return describeAction({
    name,
    input: z.strictObject({
      ...pagedShape(1, 1000, { larger: 'limited' }),
      [parameter]: ids,
    }),
    async rows(asked, { account, read }): Promise<readonly never[]> {
      // Parsed just before. A computed key has no type of its own.
      const wanted = ids.parse(Reflect.get(asked, parameter))
      await read((tx) => findTaggable(tx, account, wanted))
      return []
    },
    view: (nothing: never) => nothing,
    key: () => '',
    filters: {},
    answer: () => Object.fromEntries(lists.map((list) => [list, []])),
  })
}

/** DescribeStaleSecurityGroups: rules never name a group of another VPC. */
export const describeStaleSecurityGroups = emptyListOf({
  name: 'DescribeStaleSecurityGroups',
  parameter: 'VpcId',
  prefix: 'vpc',
  malformed: 'InvalidVpcID.Malformed',
  lists: ['StaleSecurityGroupSet'],
})

/** DescribeSecurityGroupReferences: there are no VPC peerings. */
export const describeSecurityGroupReferences = emptyListOf({
  name: 'DescribeSecurityGroupReferences',
  parameter: 'GroupId',
  prefix: 'sg',
  malformed: 'InvalidGroupId.Malformed',
  lists: ['SecurityGroupReferenceSet'],
})

/** GetSubnetCidrReservations: subnets have no reservations. */
export const getSubnetCidrReservations = emptyListOf({
  name: 'GetSubnetCidrReservations',
  parameter: 'SubnetId',
  prefix: 'subnet',
  malformed: 'InvalidSubnetID.Malformed',
  lists: ['SubnetIpv4CidrReservations', 'SubnetIpv6CidrReservations'],
})
