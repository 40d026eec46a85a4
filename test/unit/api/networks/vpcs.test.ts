import { expect, it } from 'vitest'
import { describeVpcAttribute } from '../../../../src/api/actions/describe-vpc-attribute.ts'
import { describeVpcClassicLink } from '../../../../src/api/actions/describe-vpc-classic-link.ts'
import { describeVpcClassicLinkDnsSupport } from '../../../../src/api/actions/describe-vpc-classic-link-dns-support.ts'
import { BOB, openCloud } from '../../../kit/api-cloud.ts'

const NOBODY = 'vpc-00000000000000000'

it.each([
  ['enableDnsSupport', { EnableDnsSupport: { Value: true } }],
  ['enableDnsHostnames', { EnableDnsHostnames: { Value: true } }],
  ['enableNetworkAddressUsageMetrics', { EnableNetworkAddressUsageMetrics: { Value: false } }],
])('DescribeVpcAttribute tells %s', async (Attribute, expected) => {
  await using cloud = await openCloud()
  const VpcId = cloud.vpc.id
  expect(await cloud.run(describeVpcAttribute, { VpcId, Attribute })).toEqual({
    VpcId,
    ...expected,
  })
  expect(await cloud.refusal(describeVpcAttribute, { VpcId: NOBODY, Attribute })).toBe(
    'InvalidVpcID.NotFound',
  )
  expect(await cloud.refusal(describeVpcAttribute, { VpcId, Attribute }, BOB)).toBe(
    'InvalidVpcID.NotFound',
  )
})

it('no VPC is linked to EC2-Classic', async () => {
  await using cloud = await openCloud()
  const VpcId = cloud.vpc.id
  expect(await cloud.run(describeVpcClassicLink, { VpcIds: [VpcId] })).toEqual({
    Vpcs: [{ VpcId, ClassicLinkEnabled: false, Tags: [] }],
  })
  const Filters = [{ Name: 'is-classic-link-enabled', Values: ['true'] }]
  expect(await cloud.run(describeVpcClassicLink, { Filters })).toEqual({ Vpcs: [] })
  expect(await cloud.run(describeVpcClassicLinkDnsSupport)).toMatchObject({
    Vpcs: [{ VpcId, ClassicLinkDnsSupported: false }],
  })
  for (const action of [describeVpcClassicLink, describeVpcClassicLinkDnsSupport])
    expect(await cloud.refusal(action, { VpcIds: [NOBODY] })).toBe('InvalidVpcID.NotFound')
})
