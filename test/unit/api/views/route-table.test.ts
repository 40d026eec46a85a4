/** A VPC's internet gateway and main route table as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { internetGatewayView } from '../../../../src/api/views/internet-gateway.ts'
import { routeTableView } from '../../../../src/api/views/route-table.ts'
import { cidr } from '../../../../src/model/addr.ts'
import type { VpcRouting } from '../../../../src/model/vpc-routing.ts'
import { network, numbered } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags } from '../../../kit/views.ts'

const { id: vpc, account } = network.vpc
const gateway = { id: numbered('igw', 1), account, vpc }
const table = { id: numbered('rtb', 1), account, vpc }
const routing: VpcRouting = {
  vpc,
  internetGateways: [gateway],
  natGateways: [],
  tables: [table],
  routes: [
    {
      ...{ table: table.id, vpc, destination: cidr('0.0.0.0/0') },
      target: { kind: 'internet-gateway', id: gateway.id },
    },
  ],
  associations: [{ id: numbered('rtbassoc', 1), table: table.id, vpc, subnet: null }],
  ...{ acls: [], aclEntries: [], aclAssociations: [] },
}

const targets = { nics: new Map(), peerings: new Set<never>() }

it('is all that a client reads of the gateway', async () => {
  await fc.assert(
    fc.asyncProperty(someTags, async (tags) => {
      const view = internetGatewayView(gateway, tags)
      expect(
        await seenBySdk('DescribeInternetGateways', { InternetGateways: [view] }),
      ).toStrictEqual({
        InternetGateways: [
          {
            Attachments: [{ State: 'available', VpcId: 'vpc-00000000000000010' }],
            InternetGatewayId: 'igw-00000000000000010',
            OwnerId: '000000000001',
            Tags: tags,
          },
        ],
      })
    }),
    RUNS,
  )
})

it('is all that a client reads of the route table', async () => {
  const blocks = fc.constantFrom('172.31.0.0/16', '10.0.0.0/28', '100.64.0.0/16')
  await fc.assert(
    fc.asyncProperty(blocks, someTags, async (block, tags) => {
      const view = routeTableView(table, { ranges: [cidr(block)], routing, targets, tags })
      expect(await seenBySdk('DescribeRouteTables', { RouteTables: [view] })).toStrictEqual({
        RouteTables: [
          {
            Associations: [
              {
                Main: true,
                RouteTableAssociationId: 'rtbassoc-00000000000000010',
                RouteTableId: 'rtb-00000000000000010',
                AssociationState: { State: 'associated' },
              },
            ],
            PropagatingVgws: [],
            RouteTableId: 'rtb-00000000000000010',
            Routes: [
              {
                DestinationCidrBlock: block,
                GatewayId: 'local',
                Origin: 'CreateRouteTable',
                State: 'active',
              },
              {
                DestinationCidrBlock: '0.0.0.0/0',
                GatewayId: 'igw-00000000000000010',
                Origin: 'CreateRoute',
                State: 'active',
              },
            ],
            Tags: tags,
            VpcId: 'vpc-00000000000000010',
            OwnerId: '000000000001',
          },
        ],
      })
    }),
    RUNS,
  )
})
