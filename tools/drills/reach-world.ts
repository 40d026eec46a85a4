/** Instances of three VPCs on two hosts of a lab, with groups and floating IPs. */
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AttachInternetGatewayCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeInstancesCommand,
  DescribeRouteTablesCommand,
  DescribeVpcsCommand,
  type EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/run.ts'
import { containersOf, netnsOf } from './host-state.ts'

/** Floating IPs on the outside network of the lab. */
export const REACH_CONFIG = {
  network: { pools: [{ name: 'reach', ranges: ['198.51.100.200-198.51.100.210'] }] },
}
const CIDR = '10.0.0.0/16'
const SUBNET = '10.0.0.0/24'
/** Private addresses in both VPCs. */
export const ADDRESSES = ['10.0.0.10', '10.0.0.11'] as const
/** How long an instance may take to run. */
export const RUNNING_MS = 90_000
/** Name of the machine outside, and of where it is. */
export const OUTSIDE = 'outside'

/** Somebody who tries, and whom others try. */
export interface Place {
  readonly name: string
  /** Null: outside. */
  readonly instance: string | null
  readonly vpc: string
  readonly host: string
  readonly ip: string
  /** The file of its network namespace. */
  readonly netns: string
}

/** What is tried: a place by one of its addresses. */
export interface Target {
  readonly place: Place
  readonly label: string
  readonly address: string
}

/** Everything that is tried. */
export interface World {
  readonly places: readonly Place[]
  readonly targets: readonly Target[]
  /** A group of each VPC. */
  readonly groups: readonly { readonly vpc: string; readonly id: string; readonly cidr: string }[]
}

/** Makes everything. */
export async function makeWorld(lab: Lab, ec2: EC2Client, image: string): Promise<World> {
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({}))
  const own = Vpcs.find(({ IsDefault }) => IsDefault === true)
  const vpcs = [{ name: 'default', id: own?.VpcId ?? '', cidr: own?.CidrBlock ?? '', subnet: '' }]
  for (const name of ['red', 'blue']) {
    const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: CIDR }))
    const id = Vpc?.VpcId ?? ''
    const { Subnet } = await ec2.send(new CreateSubnetCommand({ VpcId: id, CidrBlock: SUBNET }))
    await openToOutside(ec2, id)
    vpcs.push({ name, id, cidr: CIDR, subnet: Subnet?.SubnetId ?? '' })
  }
  const groups: World['groups'][number][] = []
  const places: Place[] = []
  const targets: Target[] = []
  for (const { name, id, cidr, subnet } of vpcs) {
    const group = await makeGroup(ec2, id, cidr)
    groups.push({ vpc: name, id: group, cidr })
    for (const [at, host] of lab.hosts.slice(0, 2).entries()) {
      const others = lab.hosts.filter((one) => one !== host)
      for (const other of others) await host.must(['atoll', 'drain', other.name])
      const { Instances = [] } = await ec2.send(
        new RunInstancesCommand({
          ...{ ImageId: image, MinCount: 1, MaxCount: 1, SecurityGroupIds: [group] },
          ...(subnet === '' ? {} : { SubnetId: subnet, PrivateIpAddress: ADDRESSES[at] }),
        }),
      )
      for (const other of others) await host.must(['atoll', 'undrain', other.name])
      const instance = Instances[0]?.InstanceId ?? ''
      const ip = await runningAddress(ec2, instance)
      const pid = (await containersOf(lab, host.name)).find((one) => one.instance === instance)?.pid
      if (pid === undefined) throw new Error(`${instance} does not run on ${host.name}`)
      const label = `${name} ${at + 1} (${host.name})`
      const netns = await netnsOf(lab, host.name, pid)
      const place = { name: label, instance, vpc: name, host: host.name, ip, netns }
      places.push(place)
      targets.push({ place, label: `${label} ${ip}`, address: ip })
      if (at === 0) continue
      const { AllocationId, PublicIp = '' } = await ec2.send(new AllocateAddressCommand({}))
      await ec2.send(new AssociateAddressCommand({ AllocationId, InstanceId: instance }))
      targets.push({ place, label: `${label} ${PublicIp}`, address: PublicIp })
    }
  }
  const outside: Place = {
    ...{ name: OUTSIDE, instance: null, vpc: OUTSIDE, host: '', ip: '203.0.113.1' },
    netns: `/run/netns/${lab.layout.outside.netns}`,
  }
  const all = [...places, outside]
  return {
    places: all,
    targets: [...targets, { place: outside, label: `outside ${outside.ip}`, address: outside.ip }],
    groups,
  }
}

/** Gives a VPC an internet gateway and a route to it, where it has none from the beginning. */
async function openToOutside(ec2: EC2Client, vpc: string): Promise<void> {
  try {
    const { InternetGateway } = await ec2.send(new CreateInternetGatewayCommand({}))
    const gateway = InternetGateway?.InternetGatewayId
    const there = { InternetGatewayId: gateway, VpcId: vpc }
    await ec2.send(new AttachInternetGatewayCommand(there))
    const { RouteTables = [] } = await ec2.send(
      new DescribeRouteTablesCommand({ Filters: [{ Name: 'vpc-id', Values: [vpc] }] }),
    )
    const RouteTableId = RouteTables[0]?.RouteTableId
    const route = { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', GatewayId: gateway }
    await ec2.send(new CreateRouteCommand(route))
  } catch (error) {
    if (!(error instanceof Error && error.name === 'InvalidAction')) throw error
  }
}

async function makeGroup(ec2: EC2Client, vpc: string, cidr: string): Promise<string> {
  const { GroupId = '' } = await ec2.send(
    new CreateSecurityGroupCommand({ GroupName: 'reach', Description: 'reach', VpcId: vpc }),
  )
  const from = (CidrIp: string) => ({ IpRanges: [{ CidrIp }] })
  await ec2.send(
    new AuthorizeSecurityGroupIngressCommand({
      GroupId,
      IpPermissions: [
        { IpProtocol: 'icmp', FromPort: -1, ToPort: -1, ...from('0.0.0.0/0') },
        { IpProtocol: 'tcp', FromPort: 8080, ToPort: 8080, ...from('0.0.0.0/0') },
        { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, ...from(cidr) },
        { IpProtocol: 'udp', FromPort: 53, ToPort: 53, UserIdGroupPairs: [{ GroupId }] },
      ],
    }),
  )
  return GroupId
}

async function runningAddress(ec2: EC2Client, instance: string): Promise<string> {
  return await until(`${instance} runs`, RUNNING_MS, async () => {
    const { Reservations = [] } = await ec2.send(
      new DescribeInstancesCommand({ InstanceIds: [instance] }),
    )
    const one = Reservations[0]?.Instances?.[0]
    return one?.State?.Name === 'running' ? (one.PrivateIpAddress ?? null) : null
  })
}
