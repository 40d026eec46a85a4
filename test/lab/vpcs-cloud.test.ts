/**
 * Two VPCs with the same range through the API and the real daemon: containers and a virtual
 * machine with the same addresses in both, again after SIGKILL, and nothing left in the end.
 * Routes, gateways and network ACLs of one do not touch the other.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateNatGatewayCommand,
  CreateNetworkAclEntryCommand,
  CreateRouteCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DeleteInternetGatewayCommand,
  DeleteNatGatewayCommand,
  DeleteNetworkAclEntryCommand,
  DeleteRouteCommand,
  DeleteSubnetCommand,
  DeleteVpcCommand,
  DescribeNetworkAclsCommand,
  DescribeRouteTablesCommand,
  DetachInternetGatewayCommand,
  ReplaceRouteCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud, HOST_ADDRESS, OUTSIDE_ADDRESS } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { isLong } from '../long-files.ts'

const DEADLINE_MS = 90_000
const [FIRST, SECOND, MACHINE] = ['10.0.0.10', '10.0.0.11', '10.0.0.12'] as const
const EVERYWHERE = { DestinationCidrBlock: '0.0.0.0/0' }
const METADATA = 'http://169.254.169.254/latest/meta-data/instance-id'

/** The long mode has virtual machines, too, at the same address in both VPCs. */
const hasMachines = isLong && canRunMachines()

/** A VPC with an instance at each of the two addresses. */
interface Made {
  readonly vpc: string
  readonly subnet: string
  readonly gateway: string
  readonly table: string
  readonly first: string
  readonly second: string
}

let cloud: Cloud
let calls: InstanceCalls
let image = ''
let plain = ''
/** A virtual machine at the same address in each VPC; none where none can run. */
let machines: readonly string[] = []
let red: Made
let blue: Made

beforeAll(async () => {
  cloud = await createCloud('vpcs', 'qemu: {accel: tcg}\n')
  await cloud.netns.must(['ip', 'route', 'add', 'default', 'via', OUTSIDE_ADDRESS])
  calls = instanceCalls(cloud.ec2, DEADLINE_MS)
  image = await calls.register('static', 'docker://atoll-sample:static')
  ;[plain = ''] = await calls.launch(image)
  red = await make('red')
  blue = await make('blue')
  if (hasMachines) {
    const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
    const tiny = await calls.register('tiny', location)
    const launch = async ({ subnet }: Made) =>
      (await calls.launch(tiny, { SubnetId: subnet, PrivateIpAddress: MACHINE }))[0] ?? ''
    machines = [await launch(red), await launch(blue)]
  }
  for (const one of [
    plain,
    ...machines,
    ...[red, blue].flatMap(({ first, second }) => [first, second]),
  ])
    await calls.untilState(one, 'running')
}, 180_000)
afterAll(async () => {
  await cloud?.destroy()
})

async function make(name: string): Promise<Made> {
  const { Vpc } = await cloud.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))
  const vpc = Vpc?.VpcId ?? ''
  const { Subnet } = await cloud.ec2.send(
    new CreateSubnetCommand({ VpcId: vpc, CidrBlock: '10.0.0.0/24' }),
  )
  const subnet = Subnet?.SubnetId ?? ''
  const { gateway, table } = await leadOut(vpc)
  const launch = async (address: string) => {
    const tags = [
      { ResourceType: 'instance' as const, Tags: [{ Key: 'Name', Value: `only-${name}` }] },
    ]
    const more = { SubnetId: subnet, PrivateIpAddress: address, TagSpecifications: tags }
    return (await calls.launch(image, more))[0] ?? ''
  }
  return { vpc, subnet, gateway, table, first: await launch(FIRST), second: await launch(SECOND) }
}

/** A gateway for the VPC, and the route to it. */
async function leadOut(vpc: string): Promise<Pick<Made, 'gateway' | 'table'>> {
  const made = await cloud.ec2.send(new CreateInternetGatewayCommand({}))
  const gateway = made.InternetGateway?.InternetGatewayId ?? ''
  await cloud.ec2.send(new AttachInternetGatewayCommand({ InternetGatewayId: gateway, VpcId: vpc }))
  const Filters = [{ Name: 'vpc-id', Values: [vpc] }]
  const { RouteTables } = await cloud.ec2.send(new DescribeRouteTablesCommand({ Filters }))
  const table = RouteTables?.[0]?.RouteTableId ?? ''
  await cloud.ec2.send(
    new CreateRouteCommand({ ...EVERYWHERE, RouteTableId: table, GatewayId: gateway }),
  )
  return { gateway, table }
}

async function says(instance: string, ...argv: readonly string[]): Promise<string> {
  return (await cloud.inside(instance, argv)).stdout
}

async function pings(instance: string, address: string): Promise<boolean> {
  return (await cloud.inside(instance, ['ping', '-c1', '-W1', address])).exitCode === 0
}

function describeLife(when: string) {
  describe(when, () => {
    it('each instance reaches its neighbour and the outside, and knows who it is', async () => {
      for (const { first, second } of [red, blue]) {
        expect(await pings(first, SECOND)).toBe(true)
        expect(await pings(second, FIRST)).toBe(true)
        expect(await pings(first, OUTSIDE_ADDRESS)).toBe(true)
        for (const one of [first, second])
          expect(await says(one, 'wget', '-qO-', METADATA)).toBe(one)
      }
      expect(await says(plain, 'wget', '-qO-', METADATA)).toBe(plain)
    })

    it.skipIf(!hasMachines)(
      'each reaches the machine of its VPC (emulated: long mode)',
      async () => {
        for (const { first } of [red, blue])
          await eventually('it answers', () => pings(first, MACHINE), DEADLINE_MS)
      },
    )

    it('names are known in their own VPC only', async () => {
      const known = async (asker: string, name: string) =>
        (await cloud.inside(asker, ['nslookup', `${name}.atoll.internal`])).exitCode === 0
      for (const [own, other] of [
        [red, blue],
        [blue, red],
      ] as const) {
        expect(await known(own.first, own.second)).toBe(true)
        expect(await known(own.first, other.second)).toBe(false)
        expect(await known(plain, own.first)).toBe(false)
        expect(await known(own.first, plain)).toBe(false)
      }
      expect(await known(red.first, 'only-red')).toBe(true)
      expect(await known(red.first, 'only-blue')).toBe(false)
    })

    it('no instance reaches the host or the default VPC', async () => {
      const { PrivateIpAddress = '' } = await calls.look(plain)
      const found = [red, blue].flatMap(({ first }) =>
        [PrivateIpAddress, HOST_ADDRESS].map((address) => pings(first, address)),
      )
      expect(await Promise.all(found)).toEqual([false, false, false, false])
    })
  })
}

describeLife('at first')

describe('the daemon', () => {
  it('is killed, and finds everything again', async () => {
    const { stdout: before } = await cloud.inside(red.first, ['cat', '/proc/uptime'])
    await cloud.stop('SIGKILL')
    expect(await pings(red.first, SECOND)).toBe(true)
    expect(await pings(blue.first, OUTSIDE_ADDRESS)).toBe(true)
    await cloud.start()
    const answers = async () => (await says(red.first, 'wget', '-qO-', METADATA)) === red.first
    await eventually('metadata answers', answers, DEADLINE_MS)
    expect((await cloud.inside(red.first, ['cat', '/proc/uptime'])).exitCode).toBe(0)
    expect(before).not.toBe('')
  })
})

describeLife('after SIGKILL')

describe('the way out of a VPC', () => {
  const out = () => pings(red.first, OUTSIDE_ADDRESS)
  const becomes = (isOut: boolean) =>
    eventually(`out: ${isOut}`, async () => (await out()) === isOut, DEADLINE_MS)
  const attachment = () => ({ InternetGatewayId: red.gateway, VpcId: red.vpc })
  const route = () => ({ ...EVERYWHERE, RouteTableId: red.table })

  it('is a route, and there is none without', async () => {
    await cloud.ec2.send(new DeleteRouteCommand(route()))
    await becomes(false)
    expect(await pings(red.first, SECOND)).toBe(true)
    expect(await says(red.first, 'wget', '-qO-', METADATA)).toBe(red.first)
    expect(await pings(blue.first, OUTSIDE_ADDRESS)).toBe(true)
    const told = await cloud.atoll('explain', red.first, OUTSIDE_ADDRESS, 'icmp')
    expect(told.stdout).toContain(`no route of ${red.table}`)
    await cloud.ec2.send(new CreateRouteCommand({ ...route(), GatewayId: red.gateway }))
    await becomes(true)
  })

  it('is a blackhole without the gateway, also after SIGKILL', async () => {
    await cloud.ec2.send(new DetachInternetGatewayCommand(attachment()))
    await becomes(false)
    const told = await cloud.atoll('explain', red.first, OUTSIDE_ADDRESS, 'icmp')
    expect(told.stdout).toContain('is a blackhole')
    await cloud.stop('SIGKILL')
    expect(await out()).toBe(false)
    await cloud.start()
    await eventually(
      'metadata answers',
      async () => {
        return (await says(red.first, 'wget', '-qO-', METADATA)) === red.first
      },
      DEADLINE_MS,
    )
    expect(await out()).toBe(false)
    await cloud.ec2.send(new AttachInternetGatewayCommand(attachment()))
    await becomes(true)
  })

  it('may be a NAT gateway', async () => {
    const { NatGateway } = await cloud.ec2.send(
      new CreateNatGatewayCommand({ SubnetId: red.subnet }),
    )
    const NatGatewayId = NatGateway?.NatGatewayId ?? ''
    // Its own subnet goes by the same table, so it leads back to itself.
    await cloud.ec2.send(new ReplaceRouteCommand({ ...route(), NatGatewayId }))
    await becomes(false)
    const host = `${OUTSIDE_ADDRESS}/32`
    const more = { RouteTableId: red.table, DestinationCidrBlock: host }
    await cloud.ec2.send(new CreateRouteCommand({ ...more, GatewayId: red.gateway }))
    await becomes(true)
    await cloud.ec2.send(new DeleteRouteCommand(more))
    await becomes(false)
    await cloud.ec2.send(new DeleteNatGatewayCommand({ NatGatewayId }))
    await cloud.ec2.send(new ReplaceRouteCommand({ ...route(), GatewayId: red.gateway }))
    await becomes(true)
  })

  it('may be closed by the network ACL of the subnet', async () => {
    const Filters = [{ Name: 'vpc-id', Values: [red.vpc] }]
    const { NetworkAcls } = await cloud.ec2.send(new DescribeNetworkAclsCommand({ Filters }))
    const entry = {
      ...{ NetworkAclId: NetworkAcls?.[0]?.NetworkAclId ?? '', RuleNumber: 50, Egress: false },
    }
    // The answers are denied: an ACL tracks no connections.
    const CidrBlock = `${OUTSIDE_ADDRESS}/32`
    await cloud.ec2.send(
      new CreateNetworkAclEntryCommand({ ...entry, CidrBlock, Protocol: '-1', RuleAction: 'deny' }),
    )
    await becomes(false)
    expect(await pings(red.first, SECOND)).toBe(true)
    const told = await cloud.atoll('explain', red.first, OUTSIDE_ADDRESS, 'icmp/8')
    expect(told.stdout).toContain('The ingress entry 50 of')
    await cloud.ec2.send(new DeleteNetworkAclEntryCommand(entry))
    await becomes(true)
  })
})

describe('in the end', () => {
  const names = () => readdir(join(cloud.dir, 'run/netns'))

  it('nothing is left of a VPC whose instances are gone, and the other works', async () => {
    expect((await names()).toSorted()).toEqual(['atoll-vpc-1', 'atoll-vpc-2'])
    await calls.terminate(blue.first, blue.second, ...machines)
    await eventually(
      'it is gone',
      async () => (await names()).join() === 'atoll-vpc-1',
      DEADLINE_MS,
    )
    expect(await cloud.netns.must(['ip', '-o', 'link'])).not.toContain('at-t-2')
    await cloud.ec2.send(new DeleteSubnetCommand({ SubnetId: blue.subnet }))
    const InternetGatewayId = blue.gateway
    await cloud.ec2.send(new DetachInternetGatewayCommand({ InternetGatewayId, VpcId: blue.vpc }))
    await cloud.ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId }))
    await cloud.ec2.send(new DeleteVpcCommand({ VpcId: blue.vpc }))
    expect(await pings(red.first, SECOND)).toBe(true)
  })

  it('teardown removes everything', async () => {
    await cloud.stop('SIGKILL')
    const { stdout, stderr, exitCode } = await cloud.atoll('teardown', '--yes')
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toContain('network namespace atoll-vpc-1')
    expect(await names()).toEqual([])
    expect(await cloud.netns.must(['ip', '-o', 'link'])).not.toContain('at-')
  })
})
