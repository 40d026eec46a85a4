/** Images as a client reads them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { architectureView, imageView } from '../../../../src/api/views/image.ts'
import { DOCKER } from '../../../../src/containers/declaration.ts'
import { QEMU } from '../../../../src/machines/declaration.ts'
import type { Image } from '../../../../src/model/records.ts'
import { image, instanceId } from '../../../kit/records.ts'
import { oddText, RUNS, seenBySdk, someTags, tagsIfAny } from '../../../kit/views.ts'

/** A state with its reason, and the code that EC2 gives such a reason. */
const STATES: readonly (readonly [Partial<Image>, object])[] = [
  [{ state: 'available', stateReason: null }, {}],
  [{ state: 'pending', stateReason: null }, {}],
  [
    { state: 'pending', stateReason: '40 %' },
    { StateReason: { Code: 'Server.ImagePending', Message: '40 %' } },
  ],
  [
    { state: 'failed', stateReason: 'no <such> image' },
    { StateReason: { Code: 'Client.InvalidImageLocation', Message: 'no <such> image' } },
  ],
  [
    { state: 'failed', stateReason: 'disk full', sourceInstance: instanceId(3) },
    {
      SourceInstanceId: 'i-00000000000000030',
      StateReason: { Code: 'Server.InternalError', Message: 'disk full' },
    },
  ],
  [
    { state: 'available', sourceInstance: instanceId(3) },
    { SourceInstanceId: 'i-00000000000000030' },
  ],
]

const EBS = { DeleteOnTermination: true, Encrypted: false, VolumeType: 'standard' }
const DISK = { DeviceName: '/dev/sda1', Ebs: EBS }
/** A location with the size of its disk, and what is shown of both. */
const DISKS: readonly (readonly [Partial<Image>, object])[] = [
  [{ location: 'docker://sample:latest', diskGiB: null }, { BlockDeviceMappings: [] }],
  [{ location: 'docker://sample:latest', diskGiB: 5 }, { BlockDeviceMappings: [] }],
  [{ location: 'file:///x/disk.qcow2', diskGiB: null }, { BlockDeviceMappings: [DISK] }],
  [
    { location: 'file:///x/disk.qcow2', diskGiB: 3 },
    { BlockDeviceMappings: [{ ...DISK, Ebs: { ...EBS, VolumeSize: 3 } }] },
  ],
  [
    { location: 'https://example.org/d.img#firmware=uefi&seed=nocloud', diskGiB: null },
    { BlockDeviceMappings: [DISK], BootMode: 'uefi' },
  ],
]

describe('imageView', () => {
  it('is all that a client reads', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...STATES),
        fc.constantFrom(...DISKS),
        oddText,
        oddText,
        someTags,
        async ([state, stateSeen], [disk, diskSeen], name, description, tags) => {
          const record = { ...image, ...state, ...disk, name, description }
          const view = imageView(record, tags, { drivers: [QEMU, DOCKER], region: 'atoll' })
          expect(await seenBySdk('DescribeImages', { Images: [view] })).toStrictEqual({
            Images: [
              {
                ImageId: 'ami-00000000000000010',
                Name: name,
                Description: description,
                ImageLocation: record.location,
                State: record.state,
                OwnerId: '000000000001',
                Public: false,
                Architecture: 'x86_64',
                ImageType: 'machine',
                CreationDate: '2026-11-22T08:00:00.000Z',
                RootDeviceName: '/dev/sda1',
                RootDeviceType: 'ebs',
                Hypervisor: 'xen',
                VirtualizationType: 'hvm',
                EnaSupport: false,
                PlatformDetails: 'Linux/UNIX',
                UsageOperation: 'RunInstances',
                ProductCodes: [],
                ...stateSeen,
                ...diskSeen,
                ...tagsIfAny(tags),
              },
            ],
          })
        },
      ),
      RUNS,
    )
  })
})

describe('architectureView', () => {
  it.each([
    ['amd64', 'x86_64'],
    ['x86_64', 'x86_64'],
    ['arm64', 'arm64'],
    ['aarch64', 'arm64'],
    ['i386', 'i386'],
    ['386', 'i386'],
    ['', 'x86_64'],
    ['riscv64', 'x86_64'],
    ['__proto__', 'x86_64'],
  ])('of %j is %s', (name, shown) => {
    expect(architectureView(name)).toBe(shown)
  })
})
