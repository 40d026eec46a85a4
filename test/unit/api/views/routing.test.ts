/** A VPC's internet gateway and main route table as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { internetGatewayView, routeTableView } from '../../../../src/api/views/routing.ts'
import { cidr } from '../../../../src/model/addr.ts'
import { network } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags } from '../../../kit/views.ts'

it('is all that a client reads of the gateway', async () => {
  await fc.assert(
    fc.asyncProperty(someTags, async (tags) => {
      const view = internetGatewayView(network.vpc, tags)
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
      const view = routeTableView({ ...network.vpc, cidr: cidr(block) }, tags)
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
