/** VPCs that tests make through the API. */
import {
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeRouteTablesCommand,
} from '@aws-sdk/client-ec2'
import type { Cloud } from '../../tools/kit/cloud.ts'
import type { InstanceCalls } from '../../tools/kit/instance-calls.ts'

/** A VPC with an instance at each of the two addresses. */
export interface VpcWithTwo {
  readonly vpc: string
  readonly subnet: string
  readonly gateway: string
  readonly table: string
  readonly first: string
  readonly second: string
}

interface MadeOf {
  readonly cloud: Cloud
  readonly calls: InstanceCalls
  readonly image: string
  readonly addresses: readonly [string, string]
}

/** The VPC, whose instances have the Name tag `only-NAME`. */
export async function makeVpc(name: string, of: MadeOf): Promise<VpcWithTwo> {
  const { cloud, calls, image, addresses } = of
  const { Vpc } = await cloud.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  const vpc = Vpc?.VpcId ?? ''
  const { Subnet } = await cloud.ec2.send(
    new CreateSubnetCommand({ VpcId: vpc, CidrBlock: '10.0.0.0/24' }),
  )
  const subnet = Subnet?.SubnetId ?? ''
  const { gateway, table } = await leadOut(cloud, vpc)
  const launch = async (address: string) => {
    const tags = [
      { ResourceType: 'instance' as const, Tags: [{ Key: 'Name', Value: `only-${name}` }] },
    ]
    const more = { SubnetId: subnet, PrivateIpAddress: address, TagSpecifications: tags }
    return (await calls.launch(image, more))[0] ?? ''
  }
  const [first, second] = [await launch(addresses[0]), await launch(addresses[1])]
  return { vpc, subnet, gateway, table, first, second }
}

/** A gateway for the VPC, and the route to it. */
async function leadOut(cloud: Cloud, vpc: string): Promise<Pick<VpcWithTwo, 'gateway' | 'table'>> {
  const made = await cloud.ec2.send(new CreateInternetGatewayCommand({}))
  const gateway = made.InternetGateway?.InternetGatewayId ?? ''
  await cloud.ec2.send(new AttachInternetGatewayCommand({ InternetGatewayId: gateway, VpcId: vpc }))
  const Filters = [{ Name: 'vpc-id', Values: [vpc] }]
  const { RouteTables } = await cloud.ec2.send(new DescribeRouteTablesCommand({ Filters }))
  const table = RouteTables?.[0]?.RouteTableId ?? ''
  await cloud.ec2.send(
    new CreateRouteCommand({
      DestinationCidrBlock: '0.0.0.0/0',
      RouteTableId: table,
      GatewayId: gateway,
    }),
  )
  return { gateway, table }
}
