import { describe, expect, it } from 'vitest'
import type { Action } from '../../../../src/api/action.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { describeDhcpOptions } from '../../../../src/api/actions/describe-dhcp-options.ts'
import { describeInternetGateways } from '../../../../src/api/actions/describe-internet-gateways.ts'
import { describeNetworkAcls } from '../../../../src/api/actions/describe-network-acls.ts'
import { describeRouteTables } from '../../../../src/api/actions/describe-route-tables.ts'
import { describeVpcs } from '../../../../src/api/actions/describe-vpcs.ts'
import { BOB, openCloud } from '../../../kit/api-cloud.ts'

type Part = Readonly<Record<string, unknown>>
const PARTS: readonly (readonly [string, Action, string, string, string])[] = [
  [
    'InternetGateways',
    describeInternetGateways,
    'InternetGatewayId',
    'igw',
    'InvalidInternetGatewayID.NotFound',
  ],
  ['RouteTables', describeRouteTables, 'RouteTableId', 'rtb', 'InvalidRouteTableID.NotFound'],
  ['NetworkAcls', describeNetworkAcls, 'NetworkAclId', 'acl', 'InvalidNetworkAclID.NotFound'],
  ['DhcpOptions', describeDhcpOptions, 'DhcpOptionsId', 'dopt', 'InvalidDhcpOptionID.NotFound'],
]

describe.each(PARTS)('%s', (list, action, id, prefix, missing) => {
  const parameter = id.endsWith('s') ? `${id.slice(0, -'Id'.length)}Ids` : `${id}s`
  const ids = list === 'DhcpOptions' ? 'DhcpOptionsIds' : parameter

  it('shows one of each VPC, by the same id again and again, with its tags', async () => {
    await using cloud = await openCloud()
    const own = `${prefix}-${cloud.vpc.id.slice('vpc-'.length)}`
    const [part] = (await cloud.run(action))[list] as Part[]
    expect(part).toMatchObject({ [id]: own, OwnerId: cloud.vpc.account, Tags: [] })
    await cloud.run(createTags, { Resources: [own], Tags: [{ Key: 'Name', Value: 'main' }] })
    for (const input of [
      { [ids]: [own] },
      { Filters: [{ Name: 'tag:Name', Values: ['m*'] }] },
      { Filters: [{ Name: 'owner-id', Values: [cloud.vpc.account] }] },
      { MaxResults: 5 },
    ])
      expect((await cloud.run(action, input))[list]).toMatchObject([
        { [id]: own, Tags: [{ Key: 'Name', Value: 'main' }] },
      ])
    expect((await cloud.run(action, {}, BOB))[list]).toEqual([])
    expect(await cloud.refusal(action, { [ids]: [own] }, BOB)).toBe(missing)
  })

  it('refuses what is not there', async () => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(action, { [ids]: [`${prefix}-00000000`] })).toBe(missing)
    expect(await cloud.refusal(action, { [ids]: ['x'] })).toMatch(/\.Malformed$/)
    expect(await cloud.refusal(action, { Filters: [{ Name: 'x', Values: ['x'] }] })).toBe(
      'InvalidParameterValue',
    )
    expect(await cloud.refusal(action, { MaxResults: 5, [ids]: [`${prefix}-00000000`] })).toBe(
      'InvalidParameterCombination',
    )
  })
})

it('the default route leads to the gateway, and the VPC names its DHCP options', async () => {
  await using cloud = await openCloud()
  const digits = cloud.vpc.id.slice('vpc-'.length)
  expect(await cloud.run(describeRouteTables)).toMatchObject({
    RouteTables: [
      {
        VpcId: cloud.vpc.id,
        Routes: [
          { DestinationCidrBlock: '172.31.0.0/16', GatewayId: 'local', State: 'active' },
          { DestinationCidrBlock: '0.0.0.0/0', GatewayId: `igw-${digits}`, State: 'active' },
        ],
        Associations: [{ Main: true }],
      },
    ],
  })
  expect(await cloud.run(describeVpcs)).toMatchObject({
    Vpcs: [{ DhcpOptionsId: `dopt-${digits}` }],
  })
  const Filters = [{ Name: 'association.subnet-id', Values: [cloud.subnet.id] }]
  expect((await cloud.run(describeNetworkAcls, { Filters }))['NetworkAcls']).toHaveLength(1)
})
