/**
 * What the servers of `scripts/bench api` have: 1,000 instances, of which some are in another VPC,
 * have another tag or are stopped; and, in one of them, records of many more that are terminated.
 */
import { addTerminatedCopies } from '../../kit/many-terminated.ts'
import { eventually } from '../../kit/netns.ts'
import type { Peer } from './peers.ts'
import { call, textOf, textsOf } from './requests.ts'

/** Instances of each server. */
export const INSTANCES = 1_000
/** Of these, in the second VPC. */
export const IN_SECOND_VPC = 100
/** Of these, with the tag `Role`, and as many stopped. */
export const FEW = 10
/** Most instances of one RunInstances. */
const LAUNCH_MAX = 100
const STATE_TIMEOUT_MS = 120_000

/** What the requests name. */
export interface Contents {
  readonly ids: readonly string[]
  readonly image: string
  /** The second VPC. */
  readonly vpc: string
}

/** Makes the instances through the API. */
export async function fill({ client, type }: Peer): Promise<Contents> {
  const registered = await call(client, {
    Action: 'RegisterImage',
    Name: 'sample',
    ImageLocation: 'docker://sample:latest',
  })
  const image = textOf(registered, 'imageId')
  const made = await call(client, { Action: 'CreateVpc', CidrBlock: '10.77.0.0/16' })
  const vpc = textOf(made, 'vpcId')
  const subnet = textOf(
    await call(client, { Action: 'CreateSubnet', VpcId: vpc, CidrBlock: '10.77.0.0/16' }),
    'subnetId',
  )
  const launch = async (count: number, role: string, place: Readonly<Record<string, string>>) => {
    const answer = await call(client, {
      Action: 'RunInstances',
      ...{ ImageId: image, InstanceType: type, MinCount: count, MaxCount: count },
      'TagSpecification.1.ResourceType': 'instance',
      ...{ 'TagSpecification.1.Tag.1.Key': 'Team', 'TagSpecification.1.Tag.1.Value': 'platform' },
      ...{ 'TagSpecification.1.Tag.2.Key': 'Role', 'TagSpecification.1.Tag.2.Value': role },
      ...place,
    })
    return textsOf(answer, 'instanceId')
  }
  const ids = [...(await launch(FEW, 'database', {}))]
  ids.push(...(await launch(IN_SECOND_VPC, 'web', { SubnetId: subnet })))
  while (ids.length < INSTANCES)
    ids.push(...(await launch(Math.min(LAUNCH_MAX, INSTANCES - ids.length), 'web', {})))
  await untilNone({ client }, 'pending')
  const stopped = ids.slice(-FEW).map((id, index) => [`InstanceId.${index + 1}`, id])
  await call(client, { Action: 'StopInstances', ...Object.fromEntries(stopped) })
  await untilNone({ client }, 'stopping')
  return { ids, image, vpc }
}

/**
 * Adds records of terminated instances with a tag each, as copies of one that was terminated
 * through the API.
 */
export async function addTerminated(
  { client, type }: Peer,
  { image }: Contents,
  file: string,
  count: number,
): Promise<void> {
  const launched = await call(client, {
    Action: 'RunInstances',
    ...{ ImageId: image, InstanceType: type, MinCount: 1, MaxCount: 1 },
  })
  const id = textOf(launched, 'instanceId')
  await untilNone({ client }, 'pending')
  await call(client, { Action: 'TerminateInstances', 'InstanceId.1': id })
  await untilNone({ client }, 'shutting-down')
  addTerminatedCopies(file, id, count)
}

async function untilNone({ client }: Pick<Peer, 'client'>, state: string): Promise<void> {
  const none = async () => {
    const answer = await call(client, {
      Action: 'DescribeInstances',
      'Filter.1.Name': 'instance-state-name',
      'Filter.1.Value.1': state,
    })
    return textsOf(answer, 'instanceId').length === 0
  }
  await eventually(`no instance is ${state}`, none, STATE_TIMEOUT_MS)
}
