/**
 * What a client asks of an instance is shown as it was asked, or refused. The table has every
 * member of the SDK's RunInstances and ModifyInstanceAttribute, so that none which is added is
 * forgotten.
 */
import type { Instance, InstanceAttribute, Volume } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { describeInstanceAttribute } from '../../../../src/api/actions/describe-instance-attribute.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { describeVolumes } from '../../../../src/api/actions/describe-volumes.ts'
import { modifyInstanceAttribute } from '../../../../src/api/actions/modify-instance-attribute.ts'
import {
  monitorInstances,
  unmonitorInstances,
} from '../../../../src/api/actions/monitor-instances.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { EC2_MODEL } from '../../../../src/api/generated/ec2.ts'
import { AtollError } from '../../../../src/model/errors.ts'
import { known } from '../../../kit/api.ts'
import { type Cloud, type CloudOptions, openCloud } from '../../../kit/api-cloud.ts'

/**
 * What a client sees of it: the instance, its first disk, and what only DescribeInstanceAttribute
 * shows.
 */
interface Seen {
  readonly instance: Instance
  readonly volume: Volume | undefined
  readonly attributes: InstanceAttribute
}
type Look = (seen: Seen) => unknown
/** Values to try, and where each is to be seen; or why there is nothing to see. */
type Row = readonly [values: readonly unknown[], look: Look | 'is not shown']

const ofNic =
  (look: (nic: NonNullable<Instance['NetworkInterfaces']>[number]) => unknown): Look =>
  ({ instance }) => [look(known(instance.NetworkInterfaces?.[0]))]
const tagged = (type: string) => [{ ResourceType: type, Tags: [{ Key: 'a', Value: 'b' }] }]

const RUN: Readonly<Record<string, Row>> = {
  BlockDeviceMappings: [
    ['gp2', 'gp3', 'st1', 'sc1', 'standard', 'io1', 'magic'].flatMap((VolumeType) => [
      [
        {
          DeviceName: '/dev/sda1',
          Ebs: { VolumeType, VolumeSize: 33, DeleteOnTermination: false },
        },
      ],
    ]),
    ({ volume, instance }) => [
      {
        DeviceName: instance.BlockDeviceMappings?.[0]?.DeviceName,
        Ebs: {
          VolumeType: volume?.VolumeType,
          VolumeSize: volume?.Size,
          DeleteOnTermination: volume?.Attachments?.[0]?.DeleteOnTermination,
        },
      },
    ],
  ],
  ImageId: [[undefined], 'is not shown'],
  InstanceType: [['t3.nano', 't3.small', 'x'], ({ instance }) => instance.InstanceType],
  Ipv6AddressCount: [
    [0, 1],
    ({ instance }) => instance.NetworkInterfaces?.[0]?.Ipv6Addresses?.length,
  ],
  Ipv6Addresses: [[[{ Ipv6Address: '2001:db8::1' }]], ofNic((nic) => nic.Ipv6Addresses)],
  KernelId: [['aki-1'], ({ instance }) => instance.KernelId],
  KeyName: [['none'], ({ instance }) => instance.KeyName],
  MaxCount: [[1], 'is not shown'],
  MinCount: [[1], 'is not shown'],
  Monitoring: [
    [{ Enabled: true }, { Enabled: false }],
    ({ instance }) => ({
      Enabled: instance.Monitoring?.State === 'enabled',
    }),
  ],
  Placement: [
    [
      { AvailabilityZone: 'atoll-1a', Tenancy: 'default' },
      { AvailabilityZone: 'atoll-1a', Tenancy: 'dedicated' },
      { GroupName: 'g' },
      { Affinity: 'host' },
      { PartitionNumber: 2 },
      { HostId: 'h-1' },
    ],
    ({ instance }) => ({
      AvailabilityZone: instance.Placement?.AvailabilityZone,
      Tenancy: instance.Placement?.Tenancy,
    }),
  ],
  RamdiskId: [['ari-1'], ({ instance }) => instance.RamdiskId],
  SecurityGroupIds: [[['sg-00000000000000000']], 'is not shown'],
  SecurityGroups: [
    [['default'], ['web']],
    ({ instance }) => instance.SecurityGroups?.map(({ GroupName }) => GroupName),
  ],
  SubnetId: [['subnet-00000000000000000'], ({ instance }) => instance.SubnetId],
  UserData: [['aGk='], ({ attributes }) => attributes.UserData?.Value],
  ElasticGpuSpecification: [[[{ Type: 'x' }]], ({ instance }) => instance.ElasticGpuAssociations],
  ElasticInferenceAccelerators: [[[{ Type: 'x' }]], 'is not shown'],
  TagSpecifications: [
    [tagged('instance')],
    ({ instance }) => [{ ResourceType: 'instance', Tags: instance.Tags }],
  ],
  LaunchTemplate: [[{ LaunchTemplateId: 'lt-1' }], 'is not shown'],
  InstanceMarketOptions: [[{ MarketType: 'spot' }], ({ instance }) => instance.InstanceLifecycle],
  CreditSpecification: [[{ CpuCredits: 'unlimited' }], 'is not shown'],
  CpuOptions: [
    [
      { CoreCount: 1, ThreadsPerCore: 1 },
      { CoreCount: 2, ThreadsPerCore: 2 },
    ],
    ({ instance }) => instance.CpuOptions,
  ],
  CapacityReservationSpecification: [
    ['open', 'none', 'capacity-reservations-only'].map((CapacityReservationPreference) => ({
      CapacityReservationPreference,
    })),
    ({ instance }) => instance.CapacityReservationSpecification,
  ],
  HibernationOptions: [
    [{ Configured: true }, { Configured: false }],
    ({ instance }) => instance.HibernationOptions,
  ],
  LicenseSpecifications: [
    [[{ LicenseConfigurationArn: 'a' }]],
    ({ instance }) => instance.Licenses,
  ],
  MetadataOptions: [
    [
      {
        HttpTokens: 'optional',
        HttpEndpoint: 'disabled',
        HttpPutResponseHopLimit: 7,
        InstanceMetadataTags: 'enabled',
      },
      {
        HttpTokens: 'required',
        HttpEndpoint: 'enabled',
        HttpPutResponseHopLimit: 1,
        InstanceMetadataTags: 'disabled',
      },
    ],
    ({ instance }) => {
      const { State: _state, HttpProtocolIpv6: _ipv6, ...shown } = instance.MetadataOptions ?? {}
      return shown
    },
  ],
  EnclaveOptions: [
    [{ Enabled: true }, { Enabled: false }],
    ({ instance }) => instance.EnclaveOptions,
  ],
  PrivateDnsNameOptions: [
    ['ip-name', 'resource-name'].flatMap((HostnameType) =>
      [true, false].map((EnableResourceNameDnsARecord) => ({
        HostnameType,
        EnableResourceNameDnsARecord,
        EnableResourceNameDnsAAAARecord: false,
      })),
    ),
    ({ instance }) => instance.PrivateDnsNameOptions,
  ],
  MaintenanceOptions: [
    [
      { AutoRecovery: 'default' },
      { AutoRecovery: 'disabled' },
      { AutoRecovery: 'default', RebootMigration: 'disabled' },
    ],
    ({ instance }) => instance.MaintenanceOptions,
  ],
  DisableApiStop: [[true, false], ({ attributes }) => attributes.DisableApiStop?.Value],
  EnablePrimaryIpv6: [[true], 'is not shown'],
  NetworkPerformanceOptions: [
    [{ BandwidthWeighting: 'default' }, { BandwidthWeighting: 'ebs-1' }],
    ({ instance }) => instance.NetworkPerformanceOptions,
  ],
  Operator: [[{ Principal: 'p' }], ({ instance }) => instance.Operator],
  SecondaryInterfaces: [[[{ DeviceIndex: 1 }]], ({ instance }) => instance.SecondaryInterfaces],
  DryRun: [[], 'is not shown'],
  DisableApiTermination: [
    [true, false],
    ({ attributes }) => attributes.DisableApiTermination?.Value,
  ],
  InstanceInitiatedShutdownBehavior: [
    ['stop', 'terminate', 'x'],
    ({ attributes }) => attributes.InstanceInitiatedShutdownBehavior?.Value,
  ],
  PrivateIpAddress: [['172.31.0.77'], ({ instance }) => instance.PrivateIpAddress],
  ClientToken: [['token'], ({ instance }) => instance.ClientToken],
  AdditionalInfo: [['x'], 'is not shown'],
  NetworkInterfaces: [
    [
      { Description: 'front', DeviceIndex: 0, DeleteOnTermination: true },
      { Description: '', DeviceIndex: 0, DeleteOnTermination: true },
      { Description: '', DeviceIndex: 0, DeleteOnTermination: false },
      { Description: '', DeviceIndex: 1, DeleteOnTermination: true },
    ].map((nic) => [nic]),
    ofNic((nic) => ({
      Description: nic.Description,
      DeviceIndex: nic.Attachment?.DeviceIndex,
      DeleteOnTermination: nic.Attachment?.DeleteOnTermination,
    })),
  ],
  IamInstanceProfile: [[{ Name: 'p' }], ({ instance }) => instance.IamInstanceProfile],
  EbsOptimized: [[true, false], ({ instance }) => instance.EbsOptimized],
}

const value = (...values: readonly unknown[]) => values.map((Value) => ({ Value }))

const MODIFY: Readonly<Record<string, Row>> = {
  InstanceId: [[], 'is not shown'],
  DryRun: [[], 'is not shown'],
  // With their own test below.
  Attribute: [[], 'is not shown'],
  Value: [[], 'is not shown'],
  SourceDestCheck: [value(true, false), ({ instance }) => ({ Value: instance.SourceDestCheck })],
  EnclaveOptions: [
    [{ Enabled: true }, { Enabled: false }],
    ({ instance }) => instance.EnclaveOptions,
  ],
  DisableApiStop: [
    value(true, false),
    ({ attributes }) => ({ Value: attributes.DisableApiStop?.Value }),
  ],
  BlockDeviceMappings: [
    [true, false].map((DeleteOnTermination) => [
      { DeviceName: '/dev/sda1', Ebs: { DeleteOnTermination } },
    ]),
    ({ instance }) => {
      const [device] = instance.BlockDeviceMappings ?? []
      const DeleteOnTermination = device?.Ebs?.DeleteOnTermination
      return [{ DeviceName: device?.DeviceName, Ebs: { DeleteOnTermination } }]
    },
  ],
  DisableApiTermination: [
    value(true, false),
    ({ attributes }) => ({
      Value: attributes.DisableApiTermination?.Value,
    }),
  ],
  InstanceType: [
    value('t3.nano', 't3.micro', 't3.small', 'x'),
    ({ instance }) => ({
      Value: instance.InstanceType,
    }),
  ],
  Kernel: [value('aki-1'), ({ instance }) => ({ Value: instance.KernelId })],
  Ramdisk: [value('ari-1'), ({ instance }) => ({ Value: instance.RamdiskId })],
  UserData: [value('aGk=', ''), ({ attributes }) => ({ Value: attributes.UserData?.Value ?? '' })],
  InstanceInitiatedShutdownBehavior: [
    value('stop', 'terminate', 'x'),
    ({ attributes }) => ({
      Value: attributes.InstanceInitiatedShutdownBehavior?.Value,
    }),
  ],
  Groups: [
    [['sg-00000000000000000']],
    ({ instance }) => instance.SecurityGroups?.map(({ GroupId }) => GroupId),
  ],
  EbsOptimized: [value(true, false), ({ instance }) => ({ Value: instance.EbsOptimized })],
  SriovNetSupport: [value('simple'), ({ instance }) => ({ Value: instance.SriovNetSupport })],
  EnaSupport: [value(true, false), ({ instance }) => ({ Value: instance.EnaSupport })],
}

const ONLY_ATTRIBUTES = [
  'userData',
  'disableApiStop',
  'disableApiTermination',
  'instanceInitiatedShutdownBehavior',
]
const LARGE = { vcpus: 64, memoryMiB: 65_536 }

/** A cloud whose image is a virtual machine's. */
async function openMachines(hosts: NonNullable<CloudOptions['hosts']> = [LARGE]): Promise<Cloud> {
  const cloud = await openCloud({ hosts })
  await cloud.store.change(async (tx) => {
    const image = known((await tx.images({}))[0])
    await tx.insertImage({
      ...image,
      id: known('ami-77777777777777777' as typeof image.id),
      name: 'machine',
      location: 'file:///var/lib/atoll/published/disk.qcow2',
    })
  })
  return cloud
}

async function launch(cloud: Cloud, more: object = {}): Promise<void> {
  const machine = {
    ImageId: 'ami-77777777777777777',
    InstanceType: 't3.micro',
    MinCount: 1,
    MaxCount: 1,
  }
  await cloud.run(runInstances, { ...machine, ...more })
}

async function look(cloud: Cloud): Promise<Seen> {
  const { Reservations } = (await cloud.run(describeInstances)) as {
    Reservations: { Instances: Instance[] }[]
  }
  const { Volumes } = (await cloud.run(describeVolumes)) as { Volumes: Volume[] }
  const instance = known(Reservations[0]?.Instances[0])
  const id = known(instance.InstanceId)
  let attributes: InstanceAttribute = {}
  for (const Attribute of ONLY_ATTRIBUTES) {
    const one = await cloud.run(describeInstanceAttribute, { InstanceId: id, Attribute })
    attributes = { ...attributes, ...one }
  }
  return { instance, volume: Volumes[0], attributes }
}

async function recordOf(cloud: Cloud) {
  return known((await cloud.store.read((tx) => tx.instances({})))[0])
}

/** Whether it was taken; a refusal names a reason that is the client's own. */
async function isTaken(done: Promise<unknown>): Promise<boolean> {
  try {
    await done
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(AtollError)
    expect(error).toHaveProperty('kind', 'refused')
    return false
  }
}

function cases(table: Readonly<Record<string, Row>>) {
  return Object.entries(table).flatMap(([member, [values, where]]) =>
    values.map((given) => [member, given, where] as const),
  )
}

function membersOf(input: string): readonly string[] {
  return Object.values(EC2_MODEL.inputs[input] ?? {}).map((text) => text.split(' ')[0] ?? '')
}

describe('RunInstances', () => {
  it('has no parameter that is not looked at here', () => {
    expect(Object.keys(RUN).toSorted()).toEqual(membersOf('RunInstancesRequest').toSorted())
  })

  it.each(cases(RUN))('shows %s as %j, or refuses it', async (member, given, where) => {
    await using cloud = await openMachines()
    const asked = given === undefined ? {} : { [member]: given }
    if (!(await isTaken(launch(cloud, asked)))) return
    const seen = await look(cloud)
    if (where !== 'is not shown') expect(where(seen)).toEqual(given)
  })

  it('takes most of it', async () => {
    const taken = new Set<string>()
    for (const [member, given] of cases(RUN)) {
      // One cloud each: addresses are drawn at random, and the one asked for must be free.
      await using cloud = await openMachines()
      if (await isTaken(launch(cloud, { [member]: given }))) taken.add(member)
    }
    expect(taken.size).toBeGreaterThanOrEqual(26)
  })
})

describe('ModifyInstanceAttribute', () => {
  async function openStopped(): Promise<Cloud> {
    const cloud = await openMachines()
    await launch(cloud)
    const record = await recordOf(cloud)
    await cloud.store.change((tx) =>
      tx.updateInstance(record.id, { state: 'stopped', wanted: 'stop', bootSeen: 1 }),
    )
    return cloud
  }

  async function modify(cloud: Cloud, asked: object): Promise<void> {
    const record = await recordOf(cloud)
    await cloud.run(modifyInstanceAttribute, { InstanceId: record.id, ...asked })
  }

  it('has no parameter that is not looked at here', () => {
    const members = membersOf('ModifyInstanceAttributeRequest').toSorted()
    expect(Object.keys(MODIFY).toSorted()).toEqual(members)
  })

  it.each(cases(MODIFY))('shows %s as %j, or refuses it by name', async (member, given, where) => {
    await using cloud = await openStopped()
    const before = await look(cloud)
    const taken = await isTaken(modify(cloud, { [member]: given }))
    const seen = await look(cloud)
    if (!taken) expect(seen).toEqual(before)
    else if (where !== 'is not shown') expect(where(seen)).toEqual(given)
  })

  it('leaves all other options as they were', async () => {
    await using cloud = await openMachines()
    await launch(cloud, { Monitoring: { Enabled: true }, DisableApiTermination: true })
    await modify(cloud, { DisableApiStop: { Value: true } })
    await modify(cloud, { DisableApiTermination: { Value: false } })
    const record = await recordOf(cloud)
    expect(record.options).toMatchObject({
      monitoring: true,
      disableApiStop: true,
      disableApiTermination: false,
    })
  })

  it.each([
    ['disableApiTermination', 'true', { disableApiTermination: true }],
    ['disableApiStop', 'True', { disableApiStop: true }],
    ['instanceInitiatedShutdownBehavior', 'terminate', { shutdownBehavior: 'terminate' }],
    ['ebsOptimized', 'true', { ebsOptimized: true }],
  ])('takes the attribute %s by name and value', async (Attribute, Value, options) => {
    await using cloud = await openStopped()
    await modify(cloud, { Attribute, Value })
    expect((await recordOf(cloud)).options).toMatchObject(options)
  })

  it('takes user data and a type by name and value', async () => {
    await using cloud = await openStopped()
    await modify(cloud, { Attribute: 'userData', Value: 'aG\nk=' })
    await modify(cloud, { Attribute: 'instanceType', Value: 't3.small' })
    expect(await recordOf(cloud)).toMatchObject({ userData: 'aGk=', type: 't3.small' })
  })

  it.each([
    [{}, 'InvalidParameterCombination', 'No attributes specified.'],
    [
      { DisableApiStop: { Value: true }, EbsOptimized: { Value: true } },
      'InvalidParameterCombination',
      'Fields for multiple attribute types specified',
    ],
    [
      { Attribute: 'disableApiStop', Value: 'true', DisableApiStop: { Value: false } },
      'InvalidParameterCombination',
      'Fields for multiple attribute types specified',
    ],
    [{ Attribute: 'mood', Value: 'x' }, 'InvalidParameterValue', /\(mood\).*Unknown attribute/],
    [{ Attribute: 'constructor', Value: 'x' }, 'InvalidParameterValue', /Unknown attribute/],
    [{ Attribute: 'userData' }, 'MissingParameter', /Value/],
    [{ Attribute: 'groupSet', Value: 'x' }, 'MissingParameter', /Value|GroupId/],
    [{ Value: 'x' }, 'MissingParameter', /Attribute/],
    [{ Attribute: 'ebsOptimized', Value: 'maybe' }, 'InvalidParameterValue', /maybe/],
    [{ InstanceType: { Value: 'x9.big' } }, 'InvalidParameterValue', /x9\.big/],
    [{ Groups: ['sg-00000000000000000'] }, 'InvalidGroup.NotFound', /sg-0/],
  ])('of %j refuses with %s', async (asked, code, message) => {
    await using cloud = await openStopped()
    await expect(modify(cloud, asked)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it.each(['UserData', 'EbsOptimized', 'InstanceType'])(
    'changes %s of what is stopped only',
    async (member) => {
      await using cloud = await openMachines()
      await launch(cloud)
      const given = { UserData: 'aGk=', EbsOptimized: true, InstanceType: 't3.small' }[member]
      const record = await recordOf(cloud)
      await expect(modify(cloud, { [member]: { Value: given } })).rejects.toMatchObject({
        code: 'IncorrectInstanceState',
        message: `The instance '${record.id}' is not in the 'stopped' state.`,
      })
    },
  )

  it('takes the room of another type, and frees that of the old one', async () => {
    await using cloud = await openStopped()
    const used = async () => {
      const [host] = await cloud.store.read((tx) => tx.hosts())
      return [host?.usedVcpus, host?.usedMemoryMiB]
    }
    const before = await used()
    const types = await cloud.store.read((tx) => tx.instanceTypes())
    const small = known(types.find(({ name }) => name === 't3.small'))
    await modify(cloud, { InstanceType: { Value: 't3.small' } })
    expect(await used()).toEqual([small.vcpus, small.memoryMiB])
    await modify(cloud, { InstanceType: { Value: 't3.micro' } })
    expect(await used()).toEqual(before)
    const { name = '' } = types.toSorted((a, b) => b.memoryMiB - a.memoryMiB)[0] ?? {}
    await cloud.store.change(async (tx) => {
      const [host] = await tx.hosts()
      if (host !== undefined)
        await tx.takeCapacity(host.name, 0, host.memoryMiB - host.usedMemoryMiB)
    })
    const full = await used()
    await expect(modify(cloud, { InstanceType: { Value: name } })).rejects.toMatchObject({
      code: 'InsufficientInstanceCapacity',
    })
    expect(await used()).toEqual(full)
  })

  it('changes nothing when it was only a dry run', async () => {
    await using cloud = await openStopped()
    const before = await look(cloud)
    await expect(
      modify(cloud, { InstanceType: { Value: 't3.small' }, DryRun: true }),
    ).rejects.toMatchObject({ code: 'DryRunOperation' })
    expect(await look(cloud)).toEqual(before)
  })
})

it('Monitor- and UnmonitorInstances are seen', async () => {
  await using cloud = await openMachines()
  await launch(cloud)
  const record = await recordOf(cloud)
  for (const [action, State] of [
    [monitorInstances, 'enabled'],
    [unmonitorInstances, 'disabled'],
  ] as const) {
    expect(await cloud.run(action, { InstanceIds: [record.id] })).toEqual({
      InstanceMonitorings: [{ InstanceId: record.id, Monitoring: { State } }],
    })
    expect((await look(cloud)).instance.Monitoring).toEqual({ State })
  }
})
