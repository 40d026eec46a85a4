/** Volumes as a client reads them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockDevicesView, volumeView } from '../../../../src/api/views/volume.ts'
import type { Volume } from '../../../../src/model/records.ts'
import { account, hostName, instanceId, numbered, volumeRecord } from '../../../kit/records.ts'
import { oddText, seenBySdk, tagsIfAny } from '../../../kit/views.ts'

const TIME = new Date('2026-11-22T08:00:00.000Z')
const attached = volumeRecord(1, { id: instanceId(7), host: hostName('here') })

/** What EC2 shows of the speed of a volume of so many GiB that says nothing of it. */
const SPEEDS: readonly (readonly [string | undefined, number, object])[] = [
  [undefined, 8, {}],
  ['standard', 8, {}],
  ['st1', 8, {}],
  ['sc1', 8, {}],
  ['gp3', 8, { Iops: 3000, Throughput: 125 }],
  ['gp3', 16_384, { Iops: 3000, Throughput: 125 }],
  ['gp2', 1, { Iops: 100 }],
  ['gp2', 34, { Iops: 102 }],
  ['gp2', 16_384, { Iops: 16_000 }],
]

const states: readonly Partial<Volume>[] = [
  { state: 'in-use' },
  { state: 'available', instance: null },
  { state: 'deleting', instance: null },
  { state: 'deleting' },
]

describe('volumeView', () => {
  it.each(SPEEDS)('shows the speed of %s with %i GiB', async (volumeType, sizeGiB, speed) => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...states),
        fc.boolean(),
        fc.array(oddText, { maxLength: 2 }),
        async (changes, deleteOnTermination, values) => {
          const type = volumeType === undefined ? {} : { volumeType }
          const volume = { ...attached, ...changes, ...type, sizeGiB, deleteOnTermination }
          const resource = volume.id
          const tags = values.map((value, index) => {
            return { account, resource, resourceType: 'volume', key: `k${index}`, value }
          })
          const others = [
            { ...attached, account, resource: 'vol-2', resourceType: '', key: 'x', value: 'y' },
          ]
          const view = volumeView(volume, 'atoll', [...others, ...tags])
          expect(await seenBySdk('DescribeVolumes', { Volumes: [view] })).toStrictEqual({
            Volumes: [
              {
                VolumeId: 'vol-00000000000000010',
                AvailabilityZone: 'atoll-1a',
                AvailabilityZoneId: 'atoll1-az1',
                State: volume.state,
                Size: sizeGiB,
                CreateTime: TIME,
                Attachments:
                  volume.instance === null
                    ? []
                    : [
                        {
                          VolumeId: 'vol-00000000000000010',
                          InstanceId: 'i-00000000000000070',
                          Device: '/dev/sda1',
                          State: 'attached',
                          AttachTime: TIME,
                          DeleteOnTermination: deleteOnTermination,
                        },
                      ],
                VolumeType: volumeType ?? 'standard',
                ...speed,
                SnapshotId: '',
                Encrypted: false,
                MultiAttachEnabled: false,
                Operator: { Managed: false },
                ...tagsIfAny(values.map((Value, index) => ({ Key: `k${index}`, Value }))),
              },
            ],
          })
        },
      ),
      { numRuns: 12 },
    )
  })
})

describe('blockDevicesView', () => {
  it.each([0, 1, 2])('shows %i disks of an instance', async (count) => {
    const ids = [1, 2].slice(0, count)
    const volumes = ids.map((one) => ({ ...attached, id: numbered('vol', one) }))
    const view = { InstanceId: 'i-1', BlockDeviceMappings: blockDevicesView(volumes) }
    expect(await seenBySdk('DescribeInstanceAttribute', view)).toStrictEqual({
      InstanceId: 'i-1',
      BlockDeviceMappings: ids.map((one) => ({
        DeviceName: '/dev/sda1',
        Ebs: {
          VolumeId: `vol-000000000000000${one}0`,
          Status: 'attached',
          AttachTime: TIME,
          DeleteOnTermination: true,
        },
      })),
    })
  })
})
