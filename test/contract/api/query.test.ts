/**
 * The Query API without an SDK: how forms may be written, how answers begin, and what refusals say.
 * Tools match the texts of EC2, so these must be equal; each was found in a published log of EC2 or
 * in its API reference.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../../src/api/actions/all.ts'
import { applyFact } from '../../../src/model/lifecycle.ts'
import { KEY, known, type RunningApi, runApi } from '../../kit/api.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'
import { elements, query } from '../../kit/query.ts'

let cloud: Cloud
let api: RunningApi
beforeAll(async () => {
  cloud = await openCloud({ hosts: [{ vcpus: 1000, memoryMiB: 1_000_000 }] })
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  const parts = { ...cloud.parts, clock: { ...cloud.parts.clock, now: () => Date.now() } }
  api = await runApi(allActions, { parts })
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

async function launched(count = 1, more = ''): Promise<readonly string[]> {
  const form = `ImageId=${cloud.image}&MinCount=${count}&MaxCount=${count}${more}`
  return elements(await query(api, 'RunInstances', form), 'instanceId')
}

async function runs(id: string): Promise<void> {
  await cloud.store.change(async (tx) => {
    const instance = known((await tx.instances({})).find((one) => one.id === id))
    const fact = { kind: 'running', instance: instance.id, bootCount: instance.bootCount } as const
    const change = applyFact(instance, fact, new Date().toISOString())
    if (change !== null) await tx.updateInstance(instance.id, change)
  })
}

describe('a list', () => {
  it.each([
    ['from 1', 'InstanceId.1=A&InstanceId.2=B'],
    ['from 0, as fog and libcloud do', 'InstanceId.0=A&InstanceId.1=B'],
    ['not at all', 'InstanceId=A&InstanceId=B'],
    ['in percent encoding', 'InstanceId%2E1=A&InstanceId%2E2=B'],
    ['with gaps', 'InstanceId.9=A&InstanceId.4000=B'],
  ])('may be numbered %s', async (_how, form) => {
    const [a = '', b = ''] = await launched(2)
    for (const method of ['GET', 'POST'] as const) {
      const answer = await query(api, 'DescribeInstances', form.replace('A', a).replace('B', b), {
        method,
      })
      expect(answer.status).toBe(200)
      expect(elements(answer, 'instanceId').toSorted()).toEqual([a, b].toSorted())
    }
  })

  it('may be one item without a number, in every action', async () => {
    await query(api, 'CreateKeyPair', 'KeyName=foo&KeyType=ed25519')
    const keys = await query(api, 'DescribeKeyPairs', 'KeyName=foo')
    expect(elements(keys, 'keyName')).toEqual(['foo'])
    const [id = ''] = await launched()
    await query(api, 'CreateTags', `ResourceId=${id}&Tag.Key=a&Tag.Value=b`)
    const tags = await query(api, 'DescribeTags', `Filter.Name=resource-id&Filter.Value=${id}`)
    expect([elements(tags, 'key'), elements(tags, 'value')]).toEqual([['a'], ['b']])
    const zones = await query(api, 'DescribeAvailabilityZones', 'ZoneName.0=atoll-1a')
    expect(elements(zones, 'zoneName')).toEqual(['atoll-1a'])
  })
})

describe('a request', () => {
  it.each([
    { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    { 'Content-Type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'text/plain' },
    {},
  ])('is taken with the headers %j', async (headers) => {
    const answer = await query(api, 'DescribeRegions', 'DryRun=False', { headers })
    expect(answer).toMatchObject({ status: 200 })
  })
})

describe('an answer', () => {
  // On the old code `previousState` came first.
  it('of a change has the state that it came to before the one that was', async () => {
    const [id = ''] = await launched()
    await runs(id)
    const stopped = await query(api, 'StopInstances', `InstanceId.1=${id}`)
    expect(elements(stopped, 'name')).toEqual(['stopping', 'running'])
    const ended = await query(api, 'TerminateInstances', `InstanceId.1=${id}`)
    expect(elements(ended, 'name')).toEqual(['shutting-down', 'stopping'])
  })

  it('leaves the tags of what has none out, but of key pairs', async () => {
    const [id = ''] = await launched()
    const tagged = `Filter.1.Name=key&Filter.1.Value.1=os`
    expect((await query(api, 'DescribeInstances', `InstanceId.1=${id}`)).body).not.toContain(
      'tagSet',
    )
    for (const action of [
      'DescribeImages',
      'DescribeVpcs',
      'DescribeSubnets',
      'DescribeSecurityGroups',
    ])
      expect((await query(api, action)).body, action).not.toContain('tagSet')
    expect((await query(api, 'DescribeTags', tagged)).body).toContain('<tagSet/>')
    const made = await query(api, 'CreateKeyPair', 'KeyName=bare&KeyType=ed25519')
    expect(made.body).not.toContain('tagSet')
    expect((await query(api, 'DescribeKeyPairs', 'KeyName=bare')).body).toContain('<tagSet/>')
  })

  it('of DescribeRegions names the API as the client knows it, when nothing else is configured', async () => {
    const parts = {
      ...cloud.parts,
      clock: { ...cloud.parts.clock, now: () => Date.now() },
      settings: { ...cloud.parts.settings, endpoint: null },
    }
    await using other = await runApi(allActions, { parts })
    for (const host of ['cloud.example:8773', '203.0.113.7:8773', '127.0.0.1:1']) {
      const answer = await query(other, 'DescribeRegions', '', { host })
      expect(elements(answer, 'regionEndpoint')).toEqual([host])
    }
    const configured = await query(api, 'DescribeRegions', '', { host: 'elsewhere:1' })
    expect(elements(configured, 'regionEndpoint')).toEqual(['cloud.example:8773'])
  })

  it('has a zone id that is not the zone’s name', async () => {
    const zones = await query(api, 'DescribeAvailabilityZones', 'ZoneId.1=atoll1-az1')
    expect(elements(zones, 'zoneName')).toEqual(['atoll-1a'])
    const subnets = await query(api, 'DescribeSubnets')
    expect(elements(subnets, 'availabilityZoneId')).toEqual(['atoll1-az1'])
  })

  it.each([
    'DescribeInstances',
    'DescribeInstanceStatus',
    'DescribeVolumes',
    'DescribeTags',
    'DescribeImages',
  ])('of %s is as long as it can be when more is asked for', async (action) => {
    expect(await query(api, action, 'MaxResults=100000')).toMatchObject({ status: 200 })
  })
})

const NONE = '00000000000000000'

describe('a refusal', () => {
  it.each([
    [
      'DescribeInstances',
      `InstanceId.1=i-${NONE}`,
      'InvalidInstanceID.NotFound',
      `The instance ID 'i-${NONE}' does not exist`,
    ],
    [
      'StopInstances',
      `InstanceId.1=i-${NONE}&InstanceId.2=i-${NONE.replace('0', '1')}`,
      'InvalidInstanceID.NotFound',
      `The instance IDs 'i-${NONE}, i-${NONE.replace('0', '1')}' do not exist`,
    ],
    [
      'DescribeInstances',
      'InstanceId.1=foo',
      'InvalidInstanceID.Malformed',
      'Invalid id: "foo" (expecting "i-...")',
    ],
    [
      'DescribeInstances',
      'InstanceId.1=',
      'MissingParameter',
      'The request must contain the parameter InstanceId',
    ],
    [
      'DescribeInstances',
      `InstanceId.1=i-${NONE}&MaxResults=5`,
      'InvalidParameterCombination',
      'The parameter instancesSet cannot be used with the parameter maxResults',
    ],
    [
      'DescribeInstances',
      'MaxResults=3',
      'InvalidParameterValue',
      'Value ( 3 ) for parameter maxResults is invalid. Expecting a value greater than 5.',
    ],
    [
      'DescribeInstances',
      'Filter.1.Name=foo&Filter.1.Value.1=x',
      'InvalidParameterValue',
      "The filter 'foo' is invalid",
    ],
    [
      'DescribeInstances',
      'Filter.1.Value.1=x',
      'MissingParameter',
      'The request must contain the parameter Filter.1.Name',
    ],
    [
      'DescribeImages',
      `ImageId.1=ami-${NONE}`,
      'InvalidAMIID.NotFound',
      `The image id '[ami-${NONE}]' does not exist`,
    ],
    [
      'DescribeImages',
      `ImageId.1=ami-${NONE}&MaxResults=5`,
      'InvalidParameterCombination',
      'The parameter imageIdsSet cannot be used with the parameter maxResults',
    ],
    [
      'DeregisterImage',
      `ImageId=ami-${NONE}`,
      'InvalidAMIID.NotFound',
      `The image id '[ami-${NONE}]' does not exist`,
    ],
    [
      'RunInstances',
      `ImageId=ami-${NONE}&MinCount=1&MaxCount=1`,
      'InvalidAMIID.NotFound',
      `The image id '[ami-${NONE}]' does not exist`,
    ],
    [
      'RunInstances',
      'MinCount=1&MaxCount=1',
      'MissingParameter',
      'The request must contain the parameter ImageId',
    ],
    [
      'DescribeVolumes',
      `VolumeId.1=vol-${NONE}`,
      'InvalidVolume.NotFound',
      `The volume 'vol-${NONE}' does not exist.`,
    ],
    [
      'DescribeVpcs',
      `VpcId.1=vpc-${NONE}`,
      'InvalidVpcID.NotFound',
      `The vpc ID 'vpc-${NONE}' does not exist`,
    ],
    [
      'DescribeVpcs',
      'VpcId.1=vpc-00000000&MaxResults=5',
      'InvalidParameterCombination',
      'The parameter VpcIds cannot be used with the parameter MaxResults',
    ],
    [
      'DescribeSubnets',
      `SubnetId.1=subnet-${NONE}`,
      'InvalidSubnetID.NotFound',
      `The subnet ID 'subnet-${NONE}' does not exist`,
    ],
    [
      'DescribeSecurityGroups',
      `GroupId.1=sg-${NONE}`,
      'InvalidGroup.NotFound',
      `The security group 'sg-${NONE}' does not exist`,
    ],
    [
      'DescribeKeyPairs',
      'KeyName.1=none',
      'InvalidKeyPair.NotFound',
      "The key pair 'none' does not exist",
    ],
    [
      'CreateTags',
      'Tag.1.Key=a&Tag.1.Value=b',
      'MissingParameter',
      'The request must contain the parameter resourceIdSet',
    ],
    [
      'CreateTags',
      `ResourceId.1=i-${NONE}`,
      'MissingParameter',
      'The request must contain the parameter tagSet',
    ],
    [
      'CreateTags',
      `ResourceId.1=i-${NONE}&Tag.1.Key=a`,
      'InvalidInstanceID.NotFound',
      `The instance ID 'i-${NONE}' does not exist`,
    ],
    [
      'CreateTags',
      `ResourceId.1=ami-${NONE}&Tag.1.Key=a`,
      'InvalidAMIID.NotFound',
      `The image id '[ami-${NONE}]' does not exist`,
    ],
    ['CreateTags', 'ResourceId.1=foo&Tag.1.Key=a', 'InvalidID', "The ID 'foo' is not valid"],
    ['TerminateInstances', '', 'InvalidParameterCombination', 'No instances specified'],
    [
      'StopInstances',
      '',
      'MissingParameter',
      'The request must contain the parameter instancesSet',
    ],
    [
      'StartInstances',
      '',
      'MissingParameter',
      'The request must contain the parameter instancesSet',
    ],
    [
      'RebootInstances',
      '',
      'MissingParameter',
      'The request must contain the parameter instancesSet',
    ],
    [
      'DescribeAvailabilityZones',
      'ZoneName.1=mars-1a',
      'InvalidParameterValue',
      'Invalid availability zone: [mars-1a]',
    ],
    [
      'DescribeInstanceTypes',
      'InstanceType.1=x9.big',
      'InvalidInstanceType',
      'The following supplied instance types do not exist: [x9.big]',
    ],
    ['DescribeInstances', 'Foo=1', 'UnknownParameter', 'The parameter Foo is not recognized'],
  ])('of %s %s is %s', async (action, form, code, message) => {
    expect(await query(api, action, form)).toMatchObject({ status: 400, code, message })
  })

  it('of an unknown action names what was just launched, for clients that stop there', async () => {
    const [id = ''] = await launched()
    const answer = await query(api, 'FlyToMars', '')
    expect(answer).toMatchObject({ status: 400, code: 'InvalidAction' })
    expect(answer.message).toMatch(/^The action FlyToMars is not valid for this web service\./)
    expect(answer.message).toContain(id)
    await query(api, 'TerminateInstances', `InstanceId.1=${id}`)
    expect((await query(api, 'FlyToMars', '')).message).not.toContain(id)
  })

  // What Terraform's provider calls once an aws_instance runs, or for what hangs on it, and Atoll
  // does not have (yet).
  it.each([
    'AssociateIamInstanceProfile',
    'ModifyInstanceMaintenanceOptions',
    'ModifyPrivateDnsNameOptions',
    'ModifyVolume',
  ])('of %s names it, too', async (action) => {
    if (allActions.some(({ name }) => name === action)) return
    const token = `ClientToken=terraform-${action}`
    const [id = ''] = await launched(1, `&${token}`)
    // The provider has seen it run by then.
    await runs(id)
    const { code, message } = await query(api, action, `InstanceId=${id}`)
    expect({ code, message }).toEqual({
      code: 'InvalidAction',
      message: expect.stringMatching(new RegExp(`^The action ${action} is not valid.*${id}`)),
    })
    await query(api, 'TerminateInstances', `InstanceId.1=${id}`)
  })

  it('of a stop before the first start says that there is nothing to stop', async () => {
    const [id = ''] = await launched()
    expect(await query(api, 'StopInstances', `InstanceId.1=${id}`)).toMatchObject({
      code: 'IncorrectInstanceState',
      message: `Instance '${id}' cannot be stopped as it has never reached the 'running' state.`,
    })
    expect(elements(await query(api, 'DescribeInstances', `InstanceId.1=${id}`), 'name')).toContain(
      'pending',
    )
  })

  it('of an end that is protected names the attribute', async () => {
    const [id = ''] = await launched(1, '&DisableApiTermination=true')
    expect(await query(api, 'TerminateInstances', `InstanceId.1=${id}`)).toMatchObject({
      status: 400,
      code: 'OperationNotPermitted',
      message: `The instance '${id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
    })
    const off = `InstanceId=${id}&Attribute=disableApiTermination&Value=false`
    expect(await query(api, 'ModifyInstanceAttribute', off)).toMatchObject({ status: 200 })
    expect(await query(api, 'TerminateInstances', `InstanceId.1=${id}`)).toMatchObject({
      status: 200,
    })
  })

  it('of a change names the instance and what cannot be done with it', async () => {
    const [id = ''] = await launched()
    await runs(id)
    await query(api, 'TerminateInstances', `InstanceId.1=${id}`)
    expect(await query(api, 'StartInstances', `InstanceId.1=${id}`)).toMatchObject({
      code: 'IncorrectInstanceState',
      message: `The instance '${id}' is not in a state from which it can be started.`,
    })
    expect(await query(api, 'StopInstances', `InstanceId.1=${id}`)).toMatchObject({
      code: 'IncorrectInstanceState',
      message: `This instance '${id}' is not in a state from which it can be stopped.`,
    })
  })
})
