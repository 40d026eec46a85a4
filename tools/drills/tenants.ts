/**
 * What tenants of a drill's cloud have: two VPCs with the same range, which is also the range of
 * the hosts' fabric, floating IPs, and rules that let pings in.
 */
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AttachInternetGatewayCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeAddressesCommand,
  DescribeInternetGatewaysCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  ReleaseAddressCommand,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { ListClient } from './api.ts'

/** The two VPCs. */
export const TENANTS = ['red', 'blue'] as const
export type Tenant = (typeof TENANTS)[number]
const RANGE = '10.0.0.0/24'
/** The gateway of their subnets. */
export const TENANT_GATEWAY = '10.0.0.1'

/** One VPC. */
export interface TenantVpc {
  readonly vpc: string
  readonly subnet: string
  readonly group: string
}

/** The VPCs, made if they are not there. */
export async function ensureTenants(
  list: ListClient,
): Promise<Readonly<Record<Tenant, TenantVpc>>> {
  await letPingsIn(list, await defaultGroup(list, await defaultVpc(list)))
  const [red, blue] = [await ensureVpc(list, 'red'), await ensureVpc(list, 'blue')]
  for (const { group } of [red, blue]) await letPingsIn(list, group)
  return { red, blue }
}

async function defaultVpc(list: ListClient): Promise<string> {
  const Filters = [{ Name: 'is-default', Values: ['true'] }]
  const { Vpcs = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeVpcsCommand({ Filters }), { abortSignal }),
  )
  return Vpcs[0]?.VpcId ?? ''
}

async function ensureVpc(list: ListClient, name: Tenant): Promise<TenantVpc> {
  const Filters = [{ Name: 'tag:Name', Values: [name] }]
  const { Vpcs = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeVpcsCommand({ Filters }), { abortSignal }),
  )
  const vpc = Vpcs[0]?.VpcId ?? (await createVpc(list, name))
  const ofVpc = [{ Name: 'vpc-id', Values: [vpc] }]
  const { Subnets = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeSubnetsCommand({ Filters: ofVpc }), { abortSignal }),
  )
  const subnet = Subnets[0]?.SubnetId ?? (await createSubnet(list, vpc))
  await ensureWayOut(list, vpc)
  return { vpc, subnet, group: await defaultGroup(list, vpc) }
}

async function createVpc(list: ListClient, name: Tenant): Promise<string> {
  const Tags = [{ Key: 'Name', Value: name }]
  const asked = new CreateVpcCommand({
    CidrBlock: RANGE,
    TagSpecifications: [{ ResourceType: 'vpc', Tags }],
  })
  const { Vpc } = await list.send((ec2, abortSignal) => ec2.send(asked, { abortSignal }))
  return Vpc?.VpcId ?? ''
}

async function createSubnet(list: ListClient, vpc: string): Promise<string> {
  const asked = new CreateSubnetCommand({ VpcId: vpc, CidrBlock: RANGE })
  const { Subnet } = await list.send((ec2, abortSignal) => ec2.send(asked, { abortSignal }))
  return Subnet?.SubnetId ?? ''
}

/** An internet gateway, and the route to it. */
async function ensureWayOut(list: ListClient, vpc: string): Promise<void> {
  const Filters = [{ Name: 'attachment.vpc-id', Values: [vpc] }]
  const { InternetGateways = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeInternetGatewaysCommand({ Filters }), { abortSignal }),
  )
  if (InternetGateways.length > 0) return
  const { InternetGateway } = await list.send((ec2, abortSignal) =>
    ec2.send(new CreateInternetGatewayCommand({}), { abortSignal }),
  )
  const gateway = { InternetGatewayId: InternetGateway?.InternetGatewayId ?? '' }
  await list.send((ec2, abortSignal) =>
    ec2.send(new AttachInternetGatewayCommand({ ...gateway, VpcId: vpc }), { abortSignal }),
  )
  const main = [
    { Name: 'vpc-id', Values: [vpc] },
    { Name: 'association.main', Values: ['true'] },
  ]
  const { RouteTables = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeRouteTablesCommand({ Filters: main }), { abortSignal }),
  )
  const RouteTableId = RouteTables[0]?.RouteTableId ?? ''
  const route = {
    RouteTableId,
    DestinationCidrBlock: '0.0.0.0/0',
    GatewayId: gateway.InternetGatewayId,
  }
  await list.send((ec2, abortSignal) => ec2.send(new CreateRouteCommand(route), { abortSignal }))
}

async function defaultGroup(list: ListClient, vpc: string): Promise<string> {
  const Filters = [
    { Name: 'vpc-id', Values: [vpc] },
    { Name: 'group-name', Values: ['default'] },
  ]
  const { SecurityGroups = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeSecurityGroupsCommand({ Filters }), { abortSignal }),
  )
  return SecurityGroups[0]?.GroupId ?? ''
}

async function letPingsIn(list: ListClient, group: string): Promise<void> {
  const ranges = [{ CidrIp: '0.0.0.0/0' }]
  const ping = { IpProtocol: 'icmp', FromPort: -1, ToPort: -1, IpRanges: ranges }
  const asked = new AuthorizeSecurityGroupIngressCommand({ GroupId: group, IpPermissions: [ping] })
  await list
    .send((ec2, abortSignal) => ec2.send(asked, { abortSignal }))
    .catch(unless('InvalidPermission.Duplicate'))
}

/** Gives each of these instances a floating IP, and releases all others. */
export async function ensureFloatingIps(
  list: ListClient,
  instances: readonly string[],
): Promise<void> {
  const { Addresses = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeAddressesCommand({}), { abortSignal }),
  )
  const has = new Set<string>()
  const free: string[] = []
  for (const { InstanceId = '', AllocationId = '' } of Addresses)
    if (instances.includes(InstanceId) && !has.has(InstanceId)) has.add(InstanceId)
    else free.push(AllocationId)
  for (const instance of instances.filter((one) => !has.has(one))) {
    const allocation = free.pop() ?? (await allocate(list))
    await associate(list, allocation, instance)
  }
  for (const AllocationId of free) {
    const asked = new ReleaseAddressCommand({ AllocationId })
    await list
      .send((ec2, abortSignal) => ec2.send(asked, { abortSignal }))
      .catch(unless('InvalidIPAddress.InUse'))
  }
}

async function allocate(list: ListClient): Promise<string> {
  const asked = new AllocateAddressCommand({ Domain: 'vpc' })
  const { AllocationId } = await list.send((ec2, abortSignal) => ec2.send(asked, { abortSignal }))
  return AllocationId ?? ''
}

/** Associates a floating IP with an instance, whoever has it. */
export async function associate(
  list: ListClient,
  allocation: string,
  instance: string,
): Promise<void> {
  const asked = new AssociateAddressCommand({
    AllocationId: allocation,
    InstanceId: instance,
    AllowReassociation: true,
  })
  await list.send((ec2, abortSignal) => ec2.send(asked, { abortSignal }))
}

/** The allocation of a floating IP. */
export async function allocationOf(list: ListClient, address: string): Promise<string> {
  const asked = new DescribeAddressesCommand({ PublicIps: [address] })
  const { Addresses = [] } = await list.send((ec2, abortSignal) => ec2.send(asked, { abortSignal }))
  return Addresses[0]?.AllocationId ?? ''
}

const codeSchema = z.object({ name: z.string() })

/** A handler that lets only this error pass as if nothing had happened. */
export function unless(code: string): (error: unknown) => void {
  return (error) => {
    if (codeSchema.safeParse(error).data?.name !== code) throw error
  }
}
