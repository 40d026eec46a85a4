import type { DescribeVolumesResult, Reservation } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { deleteVolume } from '../../../../src/api/actions/delete-volume.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { describeVolumes } from '../../../../src/api/actions/describe-volumes.ts'
import { modifyInstanceAttribute } from '../../../../src/api/actions/modify-instance-attribute.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { terminateInstances } from '../../../../src/api/actions/terminate-instances.ts'
import { formatId, type ImageId, type VolumeId } from '../../../../src/model/ids.ts'
import type { Image, Volume } from '../../../../src/model/records.ts'
import {
  BOB,
  type Cloud,
  type CloudOptions,
  NOW_MS,
  openCloud,
  ZONE,
} from '../../../kit/api-cloud.ts'

const MACHINE = formatId('ami', new Uint8Array(9).fill(7))
const ROOT = '/dev/sda1'
const NOBODY = formatId('vol', new Uint8Array(9))

/** A cloud with a virtual machine's image beside the container's. */
async function machineCloud(hosts?: CloudOptions['hosts']): Promise<Cloud> {
  const cloud = await openCloud(hosts === undefined ? {} : { hosts })
  await cloud.store.change(async (tx) => {
    const [image] = await tx.images({})
    const machine = { id: MACHINE, name: 'machine', location: 'https://images.test/debian.qcow2' }
    if (image !== undefined) await tx.insertImage({ ...image, ...machine } satisfies Image)
  })
  return cloud
}

const order = (more: object = {}, image: ImageId = MACHINE): object => ({
  ImageId: image,
  InstanceType: 't3.micro',
  MinCount: 1,
  MaxCount: 1,
  ...more,
})
const disk = (ebs: object, more: object = {}) => ({
  BlockDeviceMappings: [{ DeviceName: ROOT, Ebs: ebs, ...more }],
})

async function launch(cloud: Cloud, more: object = {}) {
  const { Instances = [] }: Reservation = await cloud.run(runInstances, order(more))
  return Instances
}
const list = async (cloud: Cloud, input: object = {}) =>
  ((await cloud.run(describeVolumes, input)) as DescribeVolumesResult).Volumes ?? []

/** One volume that has outlived its instance. */
async function outlived(cloud: Cloud): Promise<VolumeId> {
  await launch(cloud)
  return await cloud.store.change(async (tx) => {
    const [volume] = await tx.volumes({})
    const change: Partial<Volume> = { state: 'available', instance: null }
    if (volume === undefined) throw new Error('the launch made no volume')
    await tx.updateVolume(volume.id, change)
    return volume.id
  })
}

describe('the root disk of a virtual machine', () => {
  it.each([
    ['nothing', {}, 8, true],
    ['a size', disk({ VolumeSize: 20 }), 20, true],
    ['to outlive its instance', disk({ DeleteOnTermination: false }), 8, false],
    ['nothing of its device', { BlockDeviceMappings: [{ DeviceName: ROOT }] }, 8, true],
    ['what changes nothing', disk({ VolumeType: 'gp3', Encrypted: false }), 8, true],
  ])('is a volume when the launch asks for %s', async (_name, more, size, goes) => {
    await using cloud = await machineCloud()
    const TagSpecifications = [{ ResourceType: 'volume', Tags: [{ Key: 'k', Value: 'v' }] }]
    const launched = await launch(cloud, { ...more, MaxCount: 2, TagSpecifications })
    const volumes = await list(cloud)
    expect(volumes).toHaveLength(2)
    for (const { InstanceId, BlockDeviceMappings } of launched) {
      const attachment = { InstanceId, Device: ROOT, DeleteOnTermination: goes, State: 'attached' }
      const volume = volumes.find(({ Attachments }) => Attachments?.[0]?.InstanceId === InstanceId)
      expect(volume).toMatchObject({
        ...{ Size: size, State: 'in-use', AvailabilityZone: ZONE },
        CreateTime: new Date(NOW_MS),
        Attachments: [attachment],
        Tags: [{ Key: 'k', Value: 'v' }],
      })
      const Ebs = { VolumeId: volume?.VolumeId, DeleteOnTermination: goes }
      expect(BlockDeviceMappings).toMatchObject([{ DeviceName: ROOT, Ebs }])
      const Filters = [{ Name: 'block-device-mapping.volume-id', Values: [volume?.VolumeId] }]
      expect(await cloud.run(describeInstances, { Filters })).toMatchObject({
        Reservations: [{ Instances: [{ InstanceId, BlockDeviceMappings }] }],
      })
    }
  })

  it.each([
    [{ VolumeType: 'gp3', Iops: 3000, Throughput: 125 }, 3000, 125],
    [{ VolumeType: 'gp3' }, 3000, 125],
    [{ VolumeType: 'gp2', VolumeSize: 100 }, 300, undefined],
    [{ VolumeType: 'gp2' }, 100, undefined],
    [{ VolumeType: 'st1' }, undefined, undefined],
    [{}, undefined, undefined],
  ])('shows the speed that EC2 shows of %o', async (ebs, Iops, Throughput) => {
    await using cloud = await machineCloud()
    await launch(cloud, disk(ebs))
    const [volume] = await list(cloud)
    expect([volume?.Iops, volume?.Throughput]).toEqual([Iops, Throughput])
  })

  it.each([
    [
      'another device',
      { BlockDeviceMappings: [{ DeviceName: '/dev/sdb' }] },
      'InvalidBlockDeviceMapping',
    ],
    ['no device', { BlockDeviceMappings: [{ Ebs: {} }] }, 'MissingParameter'],
    [
      'a second device',
      { BlockDeviceMappings: [{ DeviceName: ROOT }, { DeviceName: ROOT }] },
      'UnsupportedOperation',
    ],
    ['no size at all', disk({ VolumeSize: 0 }), 'InvalidParameterValue'],
    ['half a size', disk({ VolumeSize: 1.5 }), 'InvalidParameterValue'],
    ['more than there can be', disk({ VolumeSize: 16_385 }), 'InvalidParameterValue'],
    ['encryption', disk({ Encrypted: true }), 'UnsupportedOperation'],
    ['a key', disk({ KmsKeyId: 'k' }), 'UnsupportedOperation'],
    ['a snapshot', disk({ SnapshotId: 'snap-1' }), 'UnsupportedOperation'],
    ['a speed', disk({ Iops: 100 }), 'UnsupportedOperation'],
    ['a type that comes with a speed', disk({ VolumeType: 'io2' }), 'UnsupportedOperation'],
    ['a disk in memory', disk({}, { VirtualName: 'ephemeral0' }), 'UnsupportedOperation'],
    ['no device where there is one', disk({}, { NoDevice: '' }), 'UnsupportedOperation'],
  ])('may not be asked for with %s', async (_name, more, code) => {
    await using cloud = await machineCloud()
    expect(await cloud.refusal(runInstances, order(more))).toBe(code)
    expect(await list(cloud)).toEqual([])
  })

  it('is none of a container', async () => {
    await using cloud = await machineCloud()
    await cloud.run(runInstances, order({}, cloud.image))
    expect(await list(cloud)).toEqual([])
    expect(await cloud.refusal(runInstances, order(disk({ VolumeSize: 8 }), cloud.image))).toBe(
      'InvalidParameterCombination',
    )
  })
})

describe('the disk of hosts', () => {
  it('is handed out to volumes, and an instance that needs more than is left goes nowhere', async () => {
    await using cloud = await machineCloud([{ vcpus: 64, memoryMiB: 65_536, diskGiB: 20 }])
    const used = async () => (await cloud.store.read((tx) => tx.hosts()))[0]?.usedDiskGiB
    const asked = order({ MaxCount: 5, ...disk({ VolumeSize: 6 }) })
    const { Instances = [] }: Reservation = await cloud.run(runInstances, asked)
    expect(Instances).toHaveLength(3)
    expect(await used()).toBe(18)
    expect(await cloud.refusal(runInstances, asked)).toBe('InsufficientInstanceCapacity')
    await cloud.run(runInstances, order({}, cloud.image))
    expect(await used()).toBe(18)
  })
})

describe('DescribeVolumes', () => {
  it("finds by ids, filters and tags, in pages, and only one's own", async () => {
    await using cloud = await machineCloud()
    await launch(cloud, { MaxCount: 6, ...disk({ VolumeSize: 9 }) })
    const ids = (await list(cloud)).map(({ VolumeId = '' }) => VolumeId)
    const [first = ''] = ids
    await cloud.run(createTags, { Resources: [first], Tags: [{ Key: 'Name', Value: 'x' }] })
    const found = async (...filters: readonly (readonly [string, string])[]) => {
      const Filters = filters.map(([Name, value]) => ({ Name, Values: [value] }))
      return (await list(cloud, { Filters })).map(({ VolumeId }) => VolumeId)
    }
    expect(await found(['tag:Name', 'x'])).toEqual([first])
    expect(await found(['volume-id', first], ['status', 'in-use'])).toEqual([first])
    expect(await found(['size', '9'], ['availability-zone', ZONE])).toEqual(ids)
    expect(await found(['status', 'available'])).toEqual([])
    expect(await list(cloud, { VolumeIds: [first], MaxResults: 1000 })).toHaveLength(1)
    const page = (await cloud.run(describeVolumes, { MaxResults: 5 })) as DescribeVolumesResult
    expect(page.Volumes).toHaveLength(5)
    expect(await list(cloud, { NextToken: page.NextToken })).toHaveLength(1)
    expect(await cloud.run(describeVolumes, {}, BOB)).toMatchObject({ Volumes: [] })
    expect(await cloud.refusal(describeVolumes, { VolumeIds: [first] }, BOB)).toBe(
      'InvalidVolume.NotFound',
    )
    expect(await cloud.refusal(describeVolumes, { VolumeIds: ['vol-x'] })).toBe(
      'InvalidVolumeID.Malformed',
    )
  })
})

describe('the disk of an image', () => {
  it.each([
    ['a smaller one than the type has', 3, {}, 8],
    ['a larger one than the type has', 20, {}, 20],
    ['just what is asked for', 20, disk({ VolumeSize: 20 }), 20],
    ['less than is asked for', 20, disk({ VolumeSize: 21 }), 21],
  ])('fits into the volume: %s', async (_name, diskGiB, more, size) => {
    await using cloud = await machineCloud()
    await cloud.store.change((tx) => tx.updateImage(MACHINE, { diskGiB }))
    await launch(cloud, more)
    expect(await list(cloud)).toMatchObject([{ Size: size }])
  })

  it('must fit into what is asked for', async () => {
    await using cloud = await machineCloud()
    await cloud.store.change((tx) => tx.updateImage(MACHINE, { diskGiB: 20 }))
    const asked = order(disk({ VolumeSize: 19 }))
    expect(await cloud.refusal(runInstances, asked)).toBe('InvalidBlockDeviceMapping')
    expect(await list(cloud)).toEqual([])
  })
})

describe('DeleteVolume', () => {
  it('has the host of the volume look, once or more, and lists it until then', async () => {
    await using cloud = await machineCloud()
    const VolumeId = await outlived(cloud)
    cloud.rung.length = 0
    for (const _again of [1, 2]) await cloud.run(deleteVolume, { VolumeId })
    expect(cloud.rung).toEqual(['host1', 'host1'])
    expect(await list(cloud)).toMatchObject([{ VolumeId, State: 'deleting', Attachments: [] }])
  })

  it("refuses what is in use, what there is not, and what is somebody else's", async () => {
    await using cloud = await machineCloud()
    const VolumeId = await outlived(cloud)
    await launch(cloud)
    const used = (await list(cloud)).find(({ State }) => State === 'in-use')?.VolumeId
    expect(await cloud.refusal(deleteVolume, { VolumeId: used })).toBe('VolumeInUse')
    expect(await cloud.refusal(deleteVolume, { VolumeId: NOBODY })).toBe('InvalidVolume.NotFound')
    expect(await cloud.refusal(deleteVolume, { VolumeId }, BOB)).toBe('InvalidVolume.NotFound')
    expect(await cloud.refusal(deleteVolume, { VolumeId, DryRun: true })).toBe('DryRunOperation')
    expect((await list(cloud)).map(({ State }) => State).toSorted()).toEqual([
      'available',
      'in-use',
    ])
  })
})

describe('ModifyInstanceAttribute', () => {
  it('says whether the disk outlives its instance, until that is to end', async () => {
    await using cloud = await machineCloud()
    const [instance] = await launch(cloud)
    const InstanceId = instance?.InstanceId
    const [volume] = await list(cloud)
    const goes = async () => (await list(cloud))[0]?.Attachments?.[0]?.DeleteOnTermination
    for (const DeleteOnTermination of [false, true, false]) {
      const ebs = { DeleteOnTermination, VolumeId: volume?.VolumeId }
      await cloud.run(modifyInstanceAttribute, { InstanceId, ...disk(ebs) })
      expect(await goes()).toBe(DeleteOnTermination)
    }
    const again = { InstanceId, ...disk({ DeleteOnTermination: true }) }
    const other = { InstanceId, ...disk({ DeleteOnTermination: true, VolumeId: NOBODY }) }
    expect(await cloud.refusal(modifyInstanceAttribute, other)).toBe('InvalidParameterCombination')
    await cloud.run(terminateInstances, { InstanceIds: [InstanceId] })
    expect(await cloud.refusal(modifyInstanceAttribute, again)).toBe('IncorrectInstanceState')
    expect(await goes()).toBe(false)
  })

  it('knows no disk of a container, nor of others', async () => {
    await using cloud = await machineCloud()
    const { Instances = [] }: Reservation = await cloud.run(runInstances, order({}, cloud.image))
    const InstanceId = Instances[0]?.InstanceId
    const asked = { InstanceId, ...disk({ DeleteOnTermination: false }) }
    expect(await cloud.refusal(modifyInstanceAttribute, asked)).toBe('InvalidParameterCombination')
    expect(await cloud.refusal(modifyInstanceAttribute, asked, BOB)).toBe(
      'InvalidInstanceID.NotFound',
    )
    expect(await cloud.refusal(modifyInstanceAttribute, { InstanceId })).toBe(
      'InvalidParameterCombination',
    )
    const type = { InstanceId, InstanceType: { Value: 't3.nano' } }
    expect(await cloud.refusal(modifyInstanceAttribute, type)).not.toBe('DryRunOperation')
  })
})
