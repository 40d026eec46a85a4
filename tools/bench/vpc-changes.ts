/** Changes of one VPC on a host with many, from the answer of the API until they are in force. */
import { authorizeSecurityGroupIngress } from '../../src/api/actions/authorize-security-group.ts'
import { runInstances } from '../../src/api/actions/run-instances.ts'
import type { HostWant } from '../../src/model/want.ts'
import { call } from './scale/launches.ts'
import type { VpcHost } from './vpc-host.ts'

const TYPE = 'at1.small'
const FIRST_PORT = 10_000

/** Milliseconds of each change. */
export interface Changes {
  readonly instance: readonly number[]
  readonly rule: readonly number[]
}

/** So many times one more instance and one more rule, in each of the VPCs in turn. */
export async function measureChanges(host: VpcHost, rounds: number): Promise<Changes> {
  const [instance, rule]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const subnet = host.subnets[round % host.subnets.length] ?? ''
    instance.push(await oneMoreInstance(host, subnet))
    rule.push(await oneMoreRule(host, subnet, FIRST_PORT + round))
  }
  return { instance, rule }
}

/** The want that a pass has just applied as a whole. */
export async function wantOf(host: VpcHost): Promise<HostWant> {
  let found: HostWant | undefined
  const applied = host.untilApplied(({ service, want }) => {
    if (service !== 'volumes') return false
    found = want
    return true
  })
  host.wake()
  await applied
  if (found === undefined) throw new Error('nothing was applied')
  return found
}

/** Milliseconds from the answer until it is in force. */
export async function sinceAnswer(inForce: Promise<void>, ask: Promise<unknown>): Promise<number> {
  const at = inForce.then(() => performance.now())
  await ask
  const answered = performance.now()
  return Math.max(0, (await at) - answered)
}

/** Launches an instance in a subnet; undefined: in the default one. */
export function launchIn(host: VpcHost, subnet: string | undefined): Promise<object> {
  const place = subnet === undefined ? {} : { SubnetId: subnet }
  const one = { ImageId: host.image, InstanceType: TYPE, MinCount: 1, MaxCount: 1 }
  return call(host.api(), runInstances, { ...one, ...place })
}

async function oneMoreInstance(host: VpcHost, subnet: string): Promise<number> {
  const count = (await wantOf(host)).local.instances.length
  const inForce = host.untilApplied(
    ({ service, want }) => service === 'vpc-networks' && want.local.instances.length > count,
  )
  return await sinceAnswer(inForce, launchIn(host, subnet))
}

async function oneMoreRule(host: VpcHost, subnet: string, port: number): Promise<number> {
  const { shared } = await wantOf(host)
  const vpc = shared.subnets.find(({ id }) => id === subnet)?.vpc
  const group = shared.groups.find((one) => one.vpc === vpc)
  if (group === undefined) throw new Error(`${subnet} has no group`)
  const inForce = host.untilApplied(({ service, want }) => {
    const now = want.shared.groups.find(({ id }) => id === group.id)
    return service === 'vpc-networks' && (now?.rules.length ?? 0) > group.rules.length
  })
  const ranges = [{ CidrIp: '192.0.2.0/24' }]
  const permission = { IpProtocol: 'tcp', FromPort: port, ToPort: port, IpRanges: ranges }
  const asked = { GroupId: group.id, IpPermissions: [permission] }
  return await sinceAnswer(inForce, call(host.api(), authorizeSecurityGroupIngress, asked))
}
