/** Refusals with the codes and words of EC2, as test suites of others recorded them there. */
import { expect, it } from 'vitest'
import { createLaunchTemplate } from '../../../../src/api/actions/create-launch-template.ts'
import { createNetworkInterface } from '../../../../src/api/actions/create-network-interface.ts'
import { registerImage } from '../../../../src/api/actions/register-image.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { AtollError } from '../../../../src/model/errors.ts'
import { actionNamed } from '../../../kit/account-world.ts'
import { type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const TEMPLATE = 'lt-07ff4bb0369cd679c'

/** Code and message of the refusal. */
async function refusalOf(cloud: Cloud, name: string, input: object): Promise<string> {
  const outcome = await cloud.run(actionNamed(name), input).catch((error: unknown) => error)
  if (outcome instanceof AtollError) return `${outcome.code}: ${outcome.message}`
  throw new Error(`${name} did not refuse`, { cause: outcome })
}

const ATTRIBUTE = 'InvalidParameterValue: Value (nope) for parameter attribute is invalid. Unknown'
const OF_ALL = 'To describe the launch template data for all your launch templates'
const NO_TEMPLATE = 'The specified launch template, with template'

it.each([
  ['DescribeInstanceAttribute', { InstanceId: 'i-1234abcd', Attribute: 'nope' }, ATTRIBUTE],
  [
    'DescribeNetworkInterfaceAttribute',
    { NetworkInterfaceId: 'eni-1234abcd', Attribute: 'nope' },
    ATTRIBUTE,
  ],
  ['DescribeVpcAttribute', { VpcId: 'vpc-1234abcd', Attribute: 'nope' }, ATTRIBUTE],
  ['DescribeVolumeAttribute', { VolumeId: 'vol-1234abcd', Attribute: 'nope' }, ATTRIBUTE],
  ['DescribeLaunchTemplateVersions', {}, `MissingParameter: ${OF_ALL}`],
  ['DescribeLaunchTemplateVersions', { Versions: ['1'] }, `InvalidParameterValue: ${OF_ALL}`],
  [
    'DescribeLaunchTemplateVersions',
    { LaunchTemplateName: 'foo' },
    `InvalidLaunchTemplateName.NotFoundException: ${NO_TEMPLATE} name foo, does not exist.`,
  ],
  [
    'DescribeLaunchTemplateVersions',
    { LaunchTemplateId: TEMPLATE },
    `InvalidLaunchTemplateId.NotFound: ${NO_TEMPLATE} ID ${TEMPLATE}, does not exist.`,
  ],
  [
    'ModifyLaunchTemplate',
    { LaunchTemplateId: TEMPLATE, LaunchTemplateName: 'foo', DefaultVersion: '2' },
    'InvalidParameterCombination: Either provide launch template ID or launch template name',
  ],
  [
    'DeleteLaunchTemplate',
    {},
    'MissingParameter: The request must contain the parameter launch template ID or launch template name',
  ],
])('%s of %j', async (name, input, words) => {
  await using cloud = await openCloud()
  await cloud.run(createLaunchTemplate, {
    LaunchTemplateName: 'there',
    LaunchTemplateData: { InstanceType: 't3.nano' },
  })
  expect((await refusalOf(cloud, name, input)).startsWith(words)).toBe(true)
})

it('a name of an image that is taken: by which', async () => {
  await using cloud = await openCloud()
  const input = { Name: 'web', ImageLocation: 'docker://debian:12' }
  const { ImageId } = await cloud.run(registerImage, input)
  const words = `InvalidAMIName.Duplicate: AMI name web is already in use by AMI ${ImageId}`
  expect(await refusalOf(cloud, 'RegisterImage', input)).toBe(words)
  const copy = { SourceImageId: cloud.image, SourceRegion: 'atoll', Name: 'web' }
  expect(await refusalOf(cloud, 'CopyImage', copy)).toBe(words)
})

it('a network interface that there is does not go with the instance', async () => {
  await using cloud = await openCloud()
  const { NetworkInterface } = await cloud.run(createNetworkInterface, {
    SubnetId: cloud.subnet.id,
  })
  const { NetworkInterfaceId } = NetworkInterface as { NetworkInterfaceId: string }
  const launch = (...NetworkInterfaces: object[]) => ({
    ...{ ImageId: cloud.image, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 },
    NetworkInterfaces,
  })
  const named = { NetworkInterfaceId, DeviceIndex: 0 }
  expect(
    await refusalOf(cloud, 'RunInstances', launch({ ...named, DeleteOnTermination: true })),
  ).toBe(
    'InvalidParameterCombination: A network interface may not specify a network interface ID and delete on termination as true',
  )
  const unnumbered = { SubnetId: cloud.subnet.id }
  expect(await refusalOf(cloud, 'RunInstances', launch(unnumbered, unnumbered))).toContain(
    'InvalidParameterValue: Each network interface requires a device index',
  )
  await cloud.run(runInstances, launch({ ...named, DeleteOnTermination: false }))
})
