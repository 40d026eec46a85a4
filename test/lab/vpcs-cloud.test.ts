/**
 * Two VPCs with the same range through the API and the real daemon: containers and a virtual
 * machine with the same addresses in both, again after SIGKILL, and nothing left in the end.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateSubnetCommand,
  CreateVpcCommand,
  DeleteSubnetCommand,
  DeleteVpcCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud, HOST_ADDRESS, OUTSIDE_ADDRESS } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { isLong } from '../long-files.ts'

const DEADLINE_MS = 90_000
const [FIRST, SECOND, MACHINE] = ['10.0.0.10', '10.0.0.11', '10.0.0.12'] as const
const METADATA = 'http://169.254.169.254/latest/meta-data/instance-id'

/** The long mode has virtual machines, too, at the same address in both VPCs. */
const hasMachines = isLong && canRunMachines()

/** A VPC with an instance at each of the two addresses. */
interface Made {
  readonly vpc: string
  readonly subnet: string
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
  const launch = async (address: string) => {
    const tags = [
      { ResourceType: 'instance' as const, Tags: [{ Key: 'Name', Value: `only-${name}` }] },
    ]
    const more = { SubnetId: subnet, PrivateIpAddress: address, TagSpecifications: tags }
    return (await calls.launch(image, more))[0] ?? ''
  }
  return { vpc, subnet, first: await launch(FIRST), second: await launch(SECOND) }
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
