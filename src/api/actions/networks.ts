/**
 * The network as it is: DescribeVpcs, DescribeSubnets, DescribeSecurityGroups. Nothing here can be changed yet.
 */
import type {
  DescribeSecurityGroupsResult,
  DescribeSubnetsResult,
  DescribeVpcsResult,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Action } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { IDS_MAX, idListSchema, notFound, pagedShape, textSchema } from '../schemas.ts'
import {
  GROUP_FILTERS,
  groupView,
  SUBNET_FILTERS,
  subnetView,
  VPC_FILTERS,
  vpcView,
} from '../views/network.ts'
import { tagsIndex } from '../views/tags.ts'

const paged = pagedShape(5, 1000, { larger: 'refused' })

const vpcsSchema = z.strictObject({
  ...paged,
  VpcIds: idListSchema('vpc', 'InvalidVpcID.Malformed').default([]),
})

/** DescribeVpcs. */
export const describeVpcs: Action = {
  name: 'DescribeVpcs',
  async run(call): Promise<DescribeVpcsResult> {
    const input = parseInput(vpcsSchema, call.input)
    refuseIdsWithMaxResults('VpcIds', input.VpcIds, input)
    dryRun(call)
    const { account } = call.caller
    const { vpcs, tags } = await call.parts.store.read(async (tx) => ({
      vpcs: await tx.vpcs({ account }),
      tags: await tx.tags({ account }),
    }))
    refuseMissing(input.VpcIds, new Set(vpcs.map(({ id }) => id)), (missing) =>
      notFound('InvalidVpcID.NotFound', 'vpc ID', missing),
    )
    const tagsOf = tagsIndex(tags)
    const wanted = isAmong(input.VpcIds)
    const shown = vpcs.filter(({ id }) => wanted(id))
    const views = await mapInPieces(call.budget, shown, (vpc) => vpcView(vpc, tagsOf(vpc.id)))
    const page = await describe(call, views, input, {
      action: 'DescribeVpcs',
      key: (vpc) => vpc.VpcId ?? '',
      filters: VPC_FILTERS,
      tags: (vpc) => vpc.Tags ?? [],
    })
    return { Vpcs: [...page.items], NextToken: page.nextToken }
  },
}

const subnetsSchema = z.strictObject({
  ...paged,
  SubnetIds: idListSchema('subnet', 'InvalidSubnetID.Malformed').default([]),
})

/** DescribeSubnets. */
export const describeSubnets: Action = {
  name: 'DescribeSubnets',
  async run(call): Promise<DescribeSubnetsResult> {
    const input = parseInput(subnetsSchema, call.input)
    refuseIdsWithMaxResults('SubnetIds', input.SubnetIds, input)
    dryRun(call)
    const { account } = call.caller
    const ids = input.SubnetIds.length === 0 ? undefined : input.SubnetIds
    const { subnets, nics, tags } = await call.parts.store.read(async (tx) => ({
      subnets: await tx.subnets(ids === undefined ? { account } : { account, ids }),
      nics: await tx.nics({ account }),
      tags: await tx.tags({ account }),
    }))
    refuseMissing(ids, new Set(subnets.map(({ id }) => id)), (missing) =>
      notFound('InvalidSubnetID.NotFound', 'subnet ID', missing),
    )
    const tagsOf = tagsIndex(tags)
    const nicsIn = Map.groupBy(nics, (nic) => nic.subnet)
    const views = await mapInPieces(call.budget, subnets, (subnet) =>
      subnetView(subnet, {
        used: nicsIn.get(subnet.id)?.length ?? 0,
        region: call.parts.settings.region,
        tags: tagsOf(subnet.id),
      }),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeSubnets',
      key: (subnet) => subnet.SubnetId ?? '',
      filters: SUBNET_FILTERS,
      tags: (subnet) => subnet.Tags ?? [],
    })
    return { Subnets: [...page.items], NextToken: page.nextToken }
  },
}

const groupsSchema = z.strictObject({
  ...paged,
  GroupIds: idListSchema('sg', 'InvalidGroupId.Malformed').default([]),
  GroupNames: z.array(textSchema).max(IDS_MAX).default([]),
})

/** DescribeSecurityGroups. */
export const describeSecurityGroups: Action = {
  name: 'DescribeSecurityGroups',
  async run(call): Promise<DescribeSecurityGroupsResult> {
    const input = parseInput(groupsSchema, call.input)
    refuseIdsWithMaxResults('GroupIds', [...input.GroupIds, ...input.GroupNames], input)
    dryRun(call)
    const { account } = call.caller
    const { groups, tags } = await call.parts.store.read(async (tx) => ({
      groups: await tx.groups({ account }),
      tags: await tx.tags({ account }),
    }))
    const missing = (lost: readonly string[]): Error =>
      notFound('InvalidGroup.NotFound', 'security group', lost)
    refuseMissing(input.GroupIds, new Set(groups.map(({ id }) => id)), missing)
    refuseMissing(input.GroupNames, new Set(groups.map(({ name }) => name)), missing)
    const tagsOf = tagsIndex(tags)
    const wanted = isAmong(input.GroupIds)
    const named = isAmong(input.GroupNames)
    const shown = groups.filter(({ id, name }) => wanted(id) && named(name))
    const views = await mapInPieces(call.budget, shown, (group) =>
      groupView(group, call.parts.settings.region, tagsOf(group.id)),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeSecurityGroups',
      key: (group) => group.GroupId ?? '',
      filters: GROUP_FILTERS,
      tags: (group) => group.Tags ?? [],
    })
    return { SecurityGroups: [...page.items], NextToken: page.nextToken }
  },
}
