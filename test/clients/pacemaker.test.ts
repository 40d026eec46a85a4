/**
 * What clusters of Pacemaker use on EC2, as Debian packages it: the fence agent, and the resource
 * agents for addresses. They run in the network of containers, the cluster's nodes, with the keys
 * of the nodes' role. Programs of botocore 1.29 have no setting for the address of the API: a rule
 * set in AWS_DATA_PATH names it (docs/api.md).
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  AllocateAddressCommand,
  CreateRouteCommand,
  DescribeAddressesCommand,
  DescribeRouteTablesCommand,
  ModifyInstanceAttributeCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { Ran } from '../../tools/kit/netns.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, reportOf } from '../kit/compatibility.ts'

/** Each action starts the AWS CLI once or more. */
const MOVES_MS = 900_000
const API_PORT = 8773
/** The subnet's gateway is the host. */
const ENDPOINT = `https://172.31.0.1:${API_PORT}`
const RULE_SET = 'ec2/2016-11-15/endpoint-rule-set-1.json'
const RULES = [{ type: 'endpoint', conditions: [], endpoint: { url: ENDPOINT } }]
const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: {
    ...{ Effect: 'Allow', Action: 'sts:AssumeRole' },
    Principal: { Service: 'ec2.amazonaws.com' },
  },
})
/** What resource agents exit with: OCF_SUCCESS and OCF_NOT_RUNNING. */
const SUCCESS = 0
const NOT_RUNNING = 7

interface Node {
  readonly id: string
  readonly address: string
  fence(...args: readonly string[]): Promise<Ran>
  /** The exit code of an action of a resource agent. */
  agent(name: string, action: string, parameters: Record<string, string>): Promise<number>
  pings(address: string): Promise<boolean>
}

let at: ClientCloud
let env: NodeJS.ProcessEnv
let one: Node
let two: Node
let reader: Node

beforeAll(async () => {
  at = await openClientCloud('pacemaker', '', `instanceToHostPorts: [${API_PORT}]`)
  const data = join(at.cloud.dir, 'data', RULE_SET)
  await mkdir(dirname(data), { recursive: true })
  await writeFile(data, JSON.stringify({ version: '1.0', parameters: {}, rules: RULES }))
  const settings = join(at.cloud.dir, '.aws/config')
  await mkdir(dirname(settings))
  await writeFile(settings, `[default]\nregion = ${at.cloud.credentials.region}\n`)
  env = {
    ...{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
    ...{ AWS_DATA_PATH: join(at.cloud.dir, 'data'), OCF_ROOT: '/usr/lib/ocf' },
  }
  await makeRole('nodes', 'AmazonEC2FullAccess')
  await makeRole('readers', 'AmazonEC2ReadOnlyAccess')
  one = await node('nodes')
  two = await node('nodes')
  reader = await node('readers')
})
afterAll(() => at?.[Symbol.asyncDispose]())

async function makeRole(name: string, policy: string): Promise<void> {
  const arn = `arn:aws:iam::aws:policy/${policy}`
  for (const args of [
    ['create-role', '--role-name', name, '--assume-role-policy-document', TRUST],
    ['attach-role-policy', '--role-name', name, '--policy-arn', arn],
    ['create-instance-profile', '--instance-profile-name', name],
    ['add-role-to-instance-profile', '--instance-profile-name', name, '--role-name', name],
  ]) {
    const { exitCode, stderr } = await at.cloud.aws('iam', ...args)
    expect(exitCode, stderr).toBe(0)
  }
}

async function node(role: string): Promise<Node> {
  const [id = ''] = await at.calls.launch(at.image, {
    ...{ InstanceType: 't3.micro', IamInstanceProfile: { Name: role } },
    MetadataOptions: { HttpTokens: 'required' },
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'cluster', Value: role }] }],
  })
  await at.calls.untilState(id, 'running')
  const { PrivateIpAddress: address = '' } = await at.calls.look(id)
  const region = ['--region', at.cloud.credentials.region]
  return {
    ...{ id, address },
    fence: (...args) => at.within(id, '/usr/sbin/fence_aws', [...region, ...args], env),
    async agent(name, action, parameters) {
      const given = Object.entries(parameters).map(([key, value]) => [`OCF_RESKEY_${key}`, value])
      const more = { ...env, OCF_RESOURCE_INSTANCE: name, ...Object.fromEntries(given) }
      const program = `/usr/lib/ocf/resource.d/heartbeat/${name}`
      return (await at.within(id, program, [action], more)).exitCode
    },
    async pings(to) {
      return (await at.within(id, 'ping', ['-c', '1', '-W', '2', to])).exitCode === 0
    },
  }
}

const stateOf = async (id: string) => (await at.calls.look(id)).State?.Name

describe('fence_aws', () => {
  const report = reportOf(
    'fence_aws',
    () => debianVersion('fence-agents'),
    "The fence agent, on a node with the keys of its instance's role.",
  )

  report.passes('lists what it may fence, all or by a filter', async () => {
    const ids = (text: string) => text.split('\n').map((line) => line.split(',')[0])
    const all = await one.fence('--action=list')
    expect(ids(all.stdout), all.stderr).toEqual(expect.arrayContaining([one.id, two.id, reader.id]))
    const { stdout } = await one.fence('--action=list', '--filter=tag:cluster=nodes')
    expect(ids(stdout)).toEqual(expect.arrayContaining([one.id, two.id]))
    expect(ids(stdout)).not.toContain(reader.id)
    expect((await one.fence('--action=monitor')).exitCode).toBe(0)
  })

  report.passes('switches a node off, and says so only when it is', async () => {
    const status = await one.fence('--action=status', `--plug=${two.id}`)
    expect(status.stdout, status.stderr).toContain('Status: ON')
    const { exitCode, stdout, stderr } = await one.fence('--action=off', `--plug=${two.id}`)
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toContain('Powered OFF')
    expect(await stateOf(two.id)).toBe('stopped')
    expect((await one.fence('--action=status', `--plug=${two.id}`)).stdout).toContain('Status: OFF')
  })

  report.passes('switches it on', async () => {
    const { exitCode, stderr } = await one.fence('--action=on', `--plug=${two.id}`)
    expect(exitCode, stderr).toBe(0)
    expect(await stateOf(two.id)).toBe('running')
    expect(await one.pings(two.address)).toBe(true)
  })

  report.passes('reboots it, which is off and on', async () => {
    const { exitCode, stderr } = await one.fence('--action=reboot', `--plug=${two.id}`)
    expect(exitCode, stderr).toBe(0)
    expect(await stateOf(two.id)).toBe('running')
  })

  report.passes('fails where the role may only read', async () => {
    const off = await reader.fence('--action=off', `--plug=${two.id}`, '--power-timeout=5')
    expect(off.exitCode).not.toBe(0)
    expect(await stateOf(two.id)).toBe('running')
  })

  report.passes('fails for an instance that is not there', async () => {
    const { exitCode } = await one.fence('--action=off', '--plug=i-0123456789abcdef0')
    expect(exitCode).not.toBe(0)
  })
})

describe('resource agents', () => {
  const report = reportOf(
    'Resource agents of Pacemaker',
    () => debianVersion('resource-agents'),
    'Agents that move addresses between nodes: awsvip, awseip, aws-vpc-move-ip.',
  )
  /** Starts on one node, takes over on the other while the first has it, and stops there. */
  async function moves(
    name: string,
    parameters: Record<string, string>,
    arrives: (to: Node) => Promise<void>,
  ): Promise<void> {
    const on = (where: Node, action: string) => where.agent(name, action, parameters)
    expect(await on(one, 'validate-all')).toBe(SUCCESS)
    expect(await on(one, 'monitor')).toBe(NOT_RUNNING)
    for (const [to, from] of [
      [one, two],
      [two, one],
    ] as const) {
      expect(await on(to, 'start')).toBe(SUCCESS)
      expect(await on(to, 'monitor')).toBe(SUCCESS)
      expect(await on(to, 'start'), 'again').toBe(SUCCESS)
      await arrives(to)
      expect(await on(from, 'stop'), 'where it is not').toBe(SUCCESS)
    }
    expect(await on(two, 'stop')).toBe(SUCCESS)
    expect(await on(two, 'monitor')).toBe(NOT_RUNNING)
    expect(await on(two, 'stop'), 'again').toBe(SUCCESS)
  }

  report.passes(
    'awsvip moves a secondary private address',
    () => {
      const parameters = { secondary_private_ip: '172.31.9.9', api_delay: '0' }
      return moves('awsvip', parameters, async ({ id }) => {
        const { NetworkInterfaces = [] } = await at.calls.look(id)
        const addresses = NetworkInterfaces[0]?.PrivateIpAddresses ?? []
        expect(addresses.map((it) => it.PrivateIpAddress)).toContain('172.31.9.9')
      })
    },
    MOVES_MS,
  )

  report.passes(
    'awseip moves a floating IP',
    async () => {
      const asked = new AllocateAddressCommand({ Domain: 'vpc' })
      const { PublicIp = '', AllocationId = '' } = await at.cloud.ec2.send(asked)
      const parameters = { elastic_ip: PublicIp, allocation_id: AllocationId, api_delay: '0' }
      await moves('awseip', parameters, async ({ id }) => {
        const named = new DescribeAddressesCommand({ AllocationIds: [AllocationId] })
        const { Addresses = [] } = await at.cloud.ec2.send(named)
        expect(Addresses.map(({ InstanceId }) => InstanceId)).toEqual([id])
      })
    },
    MOVES_MS,
  )

  report.passes(
    'aws-vpc-move-ip moves an address outside of the VPC by a route',
    async () => {
      const ip = '10.99.0.1'
      const { RouteTables = [] } = await at.cloud.ec2.send(new DescribeRouteTablesCommand())
      const table = RouteTables[0]?.RouteTableId ?? ''
      for (const InstanceId of [one.id, two.id]) {
        const SourceDestCheck = { Value: false }
        await at.cloud.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, SourceDestCheck }))
      }
      const route = { RouteTableId: table, DestinationCidrBlock: `${ip}/32` }
      await at.cloud.ec2.send(new CreateRouteCommand({ ...route, InstanceId: reader.id }))
      const parameters = { ip, routing_table: table, interface: 'eth0', monapi: 'true' }
      await moves('aws-vpc-move-ip', parameters, () =>
        expect.poll(() => reader.pings(ip), { timeout: 60_000 }).toBe(true),
      )
      const byInterface = { ...parameters, lookup_type: 'NetworkInterfaceId' }
      await moves('aws-vpc-move-ip', byInterface, async () => undefined)
    },
    MOVES_MS,
  )

  report.excludes('aws-vpc-route53', 'Atoll has no Route 53')
})
