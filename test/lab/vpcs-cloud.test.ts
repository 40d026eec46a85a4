/**
 * Two VPCs with the same range through the API and the real daemon: containers and a virtual
 * machine with the same addresses in both, again after SIGKILL, and nothing left in the end.
 * Routes, gateways and network ACLs of one do not touch the other. An instance of one is the router
 * of another subnet of it. Network interfaces come and go.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AssociateRouteTableCommand,
  AttachInternetGatewayCommand,
  AttachNetworkInterfaceCommand,
  CreateNatGatewayCommand,
  CreateNetworkAclEntryCommand,
  CreateNetworkInterfaceCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSubnetCommand,
  DeleteInternetGatewayCommand,
  DeleteNatGatewayCommand,
  DeleteNetworkAclEntryCommand,
  DeleteNetworkInterfaceCommand,
  DeleteRouteCommand,
  DeleteSubnetCommand,
  DeleteVpcCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRouteTablesCommand,
  DetachInternetGatewayCommand,
  DetachNetworkInterfaceCommand,
  ModifyInstanceAttributeCommand,
  ReplaceRouteCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud, HOST_ADDRESS, OUTSIDE_ADDRESS } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { makeRole } from '../kit/cloud-roles.ts'
import { makeVpc, type VpcWithTwo } from '../kit/cloud-vpcs.ts'
import { isLong } from '../long-files.ts'

const DEADLINE_MS = 90_000
const [FIRST, SECOND, MACHINE] = ['10.0.0.10', '10.0.0.11', '10.0.0.12'] as const
const EVERYWHERE = { DestinationCidrBlock: '0.0.0.0/0' }
/** How often an interface is attached and detached. */
const ROUNDS = isLong ? 30 : 2
const METADATA = 'http://169.254.169.254/latest/meta-data/instance-id'

/** The long mode has virtual machines, too, at the same address in both VPCs. */
const hasMachines = isLong && canRunMachines()

let cloud: Cloud
let calls: InstanceCalls
let image = ''
let plain = ''
/** A virtual machine at the same address in each VPC; none where none can run. */
let machines: readonly string[] = []
let red: VpcWithTwo
let blue: VpcWithTwo

beforeAll(async () => {
  cloud = await createCloud('vpcs', 'qemu: {accel: tcg}\n')
  await cloud.netns.must(['ip', 'route', 'add', 'default', 'via', OUTSIDE_ADDRESS])
  calls = instanceCalls(cloud.ec2, DEADLINE_MS)
  image = await calls.register('static', 'docker://atoll-sample:static')
  ;[plain = ''] = await calls.launch(image)
  red = await makeVpc('red', { cloud, calls, image, addresses: [FIRST, SECOND] })
  blue = await makeVpc('blue', { cloud, calls, image, addresses: [FIRST, SECOND] })
  if (hasMachines) {
    const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
    const tiny = await calls.register('tiny', location)
    const launch = async ({ subnet }: VpcWithTwo) =>
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

async function says(instance: string, ...argv: readonly string[]): Promise<string> {
  return (await cloud.inside(instance, argv)).stdout
}

/** Runs a program in the namespace of red. */
function inVpc(...argv: readonly string[]): Promise<string> {
  return cloud.netns.must(['nsenter', `--net=${cloud.dir}/run/netns/atoll-vpc-1`, ...argv])
}

async function pings(instance: string, address: string): Promise<boolean> {
  return (await cloud.inside(instance, ['ping', '-c1', '-W1', address])).exitCode === 0
}

/** The metadata service of its VPC is up, and tells it from all others. */
function untilItKnowsItself(instance: string): Promise<void> {
  const knows = async () => (await says(instance, 'wget', '-qO-', METADATA)) === instance
  return eventually(`${instance} has its metadata`, knows, DEADLINE_MS)
}

function describeLife(when: string) {
  describe(when, () => {
    it('each instance reaches its neighbour and the outside, and knows who it is', async () => {
      for (const { first, second } of [red, blue]) {
        await eventually(`first reaches ${SECOND}`, () => pings(first, SECOND))
        await eventually(`second reaches ${FIRST}`, () => pings(second, FIRST))
        await eventually(`first reaches ${OUTSIDE_ADDRESS}`, () => pings(first, OUTSIDE_ADDRESS))
        for (const one of [first, second]) await untilItKnowsItself(one)
      }
      await untilItKnowsItself(plain)
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
        await eventually('its own VPC has it', () => known(own.first, own.second), DEADLINE_MS)
        expect(await known(own.first, other.second)).toBe(false)
        expect(await known(plain, own.first)).toBe(false)
        expect(await known(own.first, plain)).toBe(false)
      }
      await eventually('red has it', () => known(red.first, 'only-red'), DEADLINE_MS)
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
    await eventually(`red reaches ${SECOND}`, () => pings(red.first, SECOND))
    await eventually(`blue reaches ${OUTSIDE_ADDRESS}`, () => pings(blue.first, OUTSIDE_ADDRESS))
    await cloud.start()
    await untilItKnowsItself(red.first)
    expect((await cloud.inside(red.first, ['cat', '/proc/uptime'])).exitCode).toBe(0)
    expect(before).not.toBe('')
  })
})

describeLife('after SIGKILL')

// Some twenty calls of the AWS CLI. The unit suite has what metadata shows, and to whom.
describe.runIf(isLong)('the role of an instance (long mode)', () => {
  const path = `${METADATA.replace('instance-id', 'iam')}/security-credentials/`
  const told = (instance: string, name = '') => says(instance, 'wget', '-qO-', `${path}${name}`)

  const patience = { timeout: 300_000 }
  it(
    'gives credentials to it, and not to who has its address in another VPC',
    patience,
    async () => {
      const role = await makeRole(cloud, 'reader', 'ec2:DescribeInstances')
      await role.giveTo(red.first)
      await eventually('red has it', async () => (await told(red.first)) === 'reader', DEADLINE_MS)
      const keys = await role.keys(await told(red.first, 'reader'))
      const identity = await keys.aws('sts', 'get-caller-identity')
      expect(JSON.parse(identity.stdout).Arn).toMatch(
        new RegExp(`:assumed-role/reader/${red.first}$`),
      )
      expect((await keys.aws('ec2', 'describe-instances')).exitCode).toBe(0)
      const ended = await keys.aws('ec2', 'terminate-instances', '--instance-ids', blue.first)
      expect(ended.stderr).toContain('UnauthorizedOperation')
      for (const other of [blue.first, red.second, plain])
        for (const name of ['', 'reader']) expect(await told(other, name)).toBe('')

      const own = await makeRole(cloud, 'writer', 'ec2:*')
      await own.giveTo(blue.first)
      await eventually(
        'blue has it',
        async () => (await told(blue.first)) === 'writer',
        DEADLINE_MS,
      )
      expect(await told(blue.first, 'reader')).toBe('')
      expect(await told(red.first)).toBe('reader')

      await role.takeFrom(red.first)
      await eventually(
        'it is gone',
        async () => (await told(red.first, 'reader')) === '',
        DEADLINE_MS,
      )
      expect((await keys.aws('ec2', 'describe-instances')).exitCode).not.toBe(0)
    },
  )
})

describe('the way out of a VPC', () => {
  const out = () => pings(red.first, OUTSIDE_ADDRESS)
  const becomes = (isOut: boolean) =>
    eventually(`out: ${isOut}`, async () => (await out()) === isOut, DEADLINE_MS)
  const attachment = () => ({ InternetGatewayId: red.gateway, VpcId: red.vpc })
  const route = () => ({ ...EVERYWHERE, RouteTableId: red.table })

  it('is a route, and there is none without', async () => {
    await cloud.ec2.send(new DeleteRouteCommand(route()))
    await becomes(false)
    await eventually(`red reaches ${SECOND}`, () => pings(red.first, SECOND))
    await untilItKnowsItself(red.first)
    await eventually(`blue reaches ${OUTSIDE_ADDRESS}`, () => pings(blue.first, OUTSIDE_ADDRESS))
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
    await untilItKnowsItself(red.first)
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
    await eventually(`red reaches ${SECOND}`, () => pings(red.first, SECOND))
    const told = await cloud.atoll('explain', red.first, OUTSIDE_ADDRESS, 'icmp/8')
    expect(told.stdout).toContain('The ingress entry 50 of')
    await cloud.ec2.send(new DeleteNetworkAclEntryCommand(entry))
    await becomes(true)
  })
})

describe('an instance as a router', () => {
  let inner = ''
  let RouteTableId = ''
  let SubnetId = ''
  const out = () => pings(inner, OUTSIDE_ADDRESS)
  const becomes = (isOut: boolean) =>
    eventually(`out: ${isOut}`, async () => (await out()) === isOut, DEADLINE_MS)
  const check = (Value: boolean) =>
    cloud.ec2.send(
      new ModifyInstanceAttributeCommand({ InstanceId: red.second, SourceDestCheck: { Value } }),
    )
  const route = async () => {
    const { RouteTables } = await cloud.ec2.send(
      new DescribeRouteTablesCommand({ RouteTableIds: [RouteTableId] }),
    )
    return RouteTables?.[0]?.Routes?.find(({ Origin }) => Origin === 'CreateRoute')
  }
  const explained = async () =>
    (await cloud.atoll('explain', inner, OUTSIDE_ADDRESS, 'icmp/8')).stdout

  beforeAll(async () => {
    const VpcId = red.vpc
    const { Subnet } = await cloud.ec2.send(
      new CreateSubnetCommand({ VpcId, CidrBlock: '10.0.1.0/24' }),
    )
    SubnetId = Subnet?.SubnetId ?? ''
    const { RouteTable } = await cloud.ec2.send(new CreateRouteTableCommand({ VpcId }))
    RouteTableId = RouteTable?.RouteTableId ?? ''
    await cloud.ec2.send(new AssociateRouteTableCommand({ RouteTableId, SubnetId }))
    ;[inner = ''] = await calls.launch(image, { SubnetId })
    await calls.untilState(inner, 'running')
    const router = cloud.docker.docker.getContainer(`atoll-${red.second}`)
    const { State } = await router.inspect()
    await cloud.netns.must([
      ...['nsenter', '--target', `${State.Pid}`, '--net', 'sh', '-ec'],
      `sysctl -qw net.ipv4.ip_forward=1
       nft 'table ip n { chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }; }'`,
    ])
  }, DEADLINE_MS)

  it('leads out of a subnet that has no other way', async () => {
    expect(await out()).toBe(false)
    await cloud.ec2.send(
      new CreateRouteCommand({ ...EVERYWHERE, RouteTableId, InstanceId: red.second }),
    )
    // With the check it gets nothing that is for others.
    expect(await explained()).toContain('checks source and destination')
    expect(await out()).toBe(false)
    await check(false)
    await becomes(true)
    expect(await explained()).toMatch(new RegExp(`${red.second}.* gets it at ${SECOND}`))
    // It is seen until it leaves the router, whose groups let it in.
    const traced = (await cloud.atoll('trace', inner, OUTSIDE_ADDRESS, 'icmp')).stdout
    expect(traced).toContain('it arrived')
    expect(traced).toContain('lets it in: everything from')
    expect(await route()).toMatchObject({ InstanceId: red.second, State: 'active' })
    expect(await pings(inner, FIRST)).toBe(true)
  })

  it('goes on without the daemon, and ends at once with the check', async () => {
    await cloud.stop('SIGKILL')
    expect(await out()).toBe(true)
    await cloud.start()
    expect(await out()).toBe(true)
    await check(true)
    await becomes(false)
    await check(false)
    await becomes(true)
  })

  it('is a blackhole while the router is stopped, and gone with its route', async () => {
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [red.second] }))
    await calls.untilState(red.second, 'stopped')
    expect(await out()).toBe(false)
    expect(await route()).toMatchObject({ State: 'blackhole' })
    expect(await explained()).toContain('is stopped')
    await cloud.ec2.send(new DeleteRouteCommand({ ...EVERYWHERE, RouteTableId }))
    await calls.terminate(inner)
    await cloud.ec2.send(new DeleteSubnetCommand({ SubnetId }))
    expect(await inVpc('ip', 'rule')).not.toContain('10.0.1.0/24')
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [red.second] }))
    await calls.untilState(red.second, 'running')
  })
})

describe('network interfaces that come and go', () => {
  it('leave nothing behind, and are shown as they are', async () => {
    const NetworkInterfaceIds = [
      (await cloud.ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: red.subnet })))
        .NetworkInterface?.NetworkInterfaceId ?? '',
    ]
    const [NetworkInterfaceId = ''] = NetworkInterfaceIds
    const status = async () => {
      const { NetworkInterfaces: [nic] = [] } = await cloud.ec2.send(
        new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds }),
      )
      return nic?.Attachment?.Status ?? nic?.Status
    }
    const files = async () => (await readdir(`/proc/${cloud.daemon().pid}/fd`)).length
    const links = async () => (await inVpc('ip', '-o', 'link')).split('\n').length
    const round = async () => {
      const { AttachmentId } = await cloud.ec2.send(
        new AttachNetworkInterfaceCommand({
          ...{ NetworkInterfaceId, InstanceId: red.first, DeviceIndex: 1 },
        }),
      )
      expect(['attaching', 'attached']).toContain(await status())
      await eventually('attached', async () => (await status()) === 'attached', DEADLINE_MS)
      // It is there when the records say so; the kernel says a little later that it is up.
      const operstate = () => says(red.first, 'cat', '/sys/class/net/eth1/operstate')
      expect(await operstate()).not.toBe('')
      await eventually('up', async () => (await operstate()).startsWith('up'), DEADLINE_MS)
      await cloud.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId }))
      await eventually('available', async () => (await status()) === 'available', DEADLINE_MS)
    }
    await round()
    const before = [await links(), await inVpc('ip', 'rule')]
    const open = await files()
    for (let at = 0; at < ROUNDS; at += 1) await round()
    expect([await links(), await inVpc('ip', 'rule')]).toEqual(before)
    await eventually('no file is left open', async () => (await files()) <= open + 2, DEADLINE_MS)
    await cloud.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId }))
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
    // The kernel removes the other end of the link after the namespace.
    const isCut = async () => !(await cloud.netns.must(['ip', '-o', 'link'])).includes('at-t-2')
    await eventually('its link is gone', isCut, DEADLINE_MS)
    await cloud.ec2.send(new DeleteSubnetCommand({ SubnetId: blue.subnet }))
    const InternetGatewayId = blue.gateway
    await cloud.ec2.send(new DetachInternetGatewayCommand({ InternetGatewayId, VpcId: blue.vpc }))
    await cloud.ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId }))
    await cloud.ec2.send(new DeleteVpcCommand({ VpcId: blue.vpc }))
    await eventually(`red reaches ${SECOND}`, () => pings(red.first, SECOND))
  })

  it('teardown is refused while the daemon runs', async () => {
    const { stderr, exitCode } = await cloud.atoll('teardown', '--yes')
    expect(stderr).toContain("Stop it (systemctl stop 'atolld*'), and run this again")
    expect(exitCode).toBe(1)
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
