/**
 * What is told of VPCs beside their list: DescribeVpcAttribute, and DescribeVpcClassicLink and DescribeVpcClassicLinkDnsSupport, which
 * some clients ask before anything else. There is no EC2-Classic to link to.
 */
import type {
  DescribeVpcAttributeResult,
  DescribeVpcClassicLinkDnsSupportResult,
  DescribeVpcClassicLinkResult,
  VpcClassicLink,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { VpcId } from '../../model/ids.ts'
import type { Vpc } from '../../model/records.ts'
import type { Action, Call } from '../action.ts'
import { describe, refuseMissing } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import {
  dryRunShape,
  filterShape,
  idListSchema,
  idSchema,
  notFound,
  pagedShape,
} from '../schemas.ts'
import { tagsIndex } from '../views/tags.ts'

const MALFORMED = 'InvalidVpcID.Malformed'

const attributeSchema = z.strictObject({
  ...dryRunShape,
  VpcId: idSchema('vpc', MALFORMED),
  Attribute: z.enum(['enableDnsSupport', 'enableDnsHostnames', 'enableNetworkAddressUsageMetrics']),
})

/** DescribeVpcAttribute. Each host answers DNS for its instances, and every instance has a name. */
export const describeVpcAttribute: Action = {
  name: 'DescribeVpcAttribute',
  async run(call): Promise<DescribeVpcAttributeResult> {
    const { VpcId: id, Attribute } = parseInput(attributeSchema, call.input)
    dryRun(call)
    await findVpcs(call, [id])
    switch (Attribute) {
      case 'enableDnsSupport':
        return { VpcId: id, EnableDnsSupport: { Value: true } }
      case 'enableDnsHostnames':
        return { VpcId: id, EnableDnsHostnames: { Value: true } }
      default:
        return { VpcId: id, EnableNetworkAddressUsageMetrics: { Value: false } }
    }
  },
}

const vpcIds = idListSchema('vpc', MALFORMED).default([])
const linkSchema = z.strictObject({ ...filterShape, VpcIds: vpcIds })

/** DescribeVpcClassicLink: no VPC has it. */
export const describeVpcClassicLink: Action = {
  name: 'DescribeVpcClassicLink',
  async run(call): Promise<DescribeVpcClassicLinkResult> {
    const input = parseInput(linkSchema, call.input)
    dryRun(call)
    const vpcs = await findVpcs(call, input.VpcIds)
    const { account } = call.caller
    const tagsOf = tagsIndex(await call.parts.store.read((tx) => tx.tags({ account })))
    const views = vpcs.map((vpc): VpcClassicLink => {
      return { ClassicLinkEnabled: false, Tags: tagsOf(vpc.id), VpcId: vpc.id }
    })
    const page = await describe(call, views, input, {
      action: 'DescribeVpcClassicLink',
      key: (view) => view.VpcId ?? '',
      filters: { 'is-classic-link-enabled': (view) => view.ClassicLinkEnabled },
      tags: (view) => view.Tags ?? [],
      unpaged: true,
    })
    return { Vpcs: [...page.items] }
  },
}

const { Filters: _, ...unfiltered } = pagedShape(5, 255, { larger: 'refused' })
const dnsSchema = z.strictObject({ ...unfiltered, VpcIds: vpcIds })

/** DescribeVpcClassicLinkDnsSupport: no VPC has it. */
export const describeVpcClassicLinkDnsSupport: Action = {
  name: 'DescribeVpcClassicLinkDnsSupport',
  async run(call): Promise<DescribeVpcClassicLinkDnsSupportResult> {
    const input = parseInput(dnsSchema, call.input)
    dryRun(call)
    const vpcs = await findVpcs(call, input.VpcIds)
    const page = await describe(call, vpcs, input, {
      action: 'DescribeVpcClassicLinkDnsSupport',
      key: ({ id }) => id,
      filters: {},
    })
    const views = page.items.map(({ id }) => ({ VpcId: id, ClassicLinkDnsSupported: false }))
    return { Vpcs: views, NextToken: page.nextToken }
  },
}

async function findVpcs(call: Call, ids: readonly VpcId[]): Promise<readonly Vpc[]> {
  const { account } = call.caller
  const vpcs = await call.parts.store.read((tx) => tx.vpcs({ account }))
  refuseMissing(ids, new Set(vpcs.map(({ id }) => id)), (missing) =>
    notFound('InvalidVpcID.NotFound', 'vpc ID', missing),
  )
  return vpcs.filter(({ id }) => ids.length === 0 || ids.includes(id))
}
