import { expect, it } from 'vitest'
import { deregisterImage } from '../../../../src/api/actions/deregister-image.ts'
import { describeImageAttribute } from '../../../../src/api/actions/describe-image-attribute.ts'
import { formatId } from '../../../../src/model/ids.ts'
import { known } from '../../../kit/api.ts'
import { type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const MACHINE = formatId('ami', new Uint8Array(9).fill(7))

/** A cloud with the image of a virtual machine that boots by UEFI. */
async function machineCloud(): Promise<Cloud> {
  const cloud = await openCloud()
  await cloud.store.change(async (tx) => {
    const location = 'https://images.test/debian.qcow2#firmware=uefi'
    const about = { name: 'machine', description: 'text', diskGiB: 2 }
    await tx.insertImage({ ...known((await tx.images({}))[0]), ...about, id: MACHINE, location })
  })
  return cloud
}

it.each([
  ['description', { Description: { Value: 'text' } }],
  ['kernel', { KernelId: {} }],
  ['ramdisk', { RamdiskId: {} }],
  ['launchPermission', { LaunchPermissions: [] }],
  ['productCodes', { ProductCodes: [] }],
  [
    'blockDeviceMapping',
    {
      BlockDeviceMappings: [
        { DeviceName: '/dev/sda1', Ebs: expect.objectContaining({ VolumeSize: 2 }) },
      ],
    },
  ],
  ['sriovNetSupport', { SriovNetSupport: {} }],
  ['bootMode', { BootMode: { Value: 'uefi' } }],
  ['tpmSupport', { TpmSupport: {} }],
  ['uefiData', { UefiData: {} }],
  ['lastLaunchedTime', { LastLaunchedTime: {} }],
  ['imdsSupport', { ImdsSupport: {} }],
  ['deregistrationProtection', { DeregistrationProtection: { Value: 'disabled' } }],
])('DescribeImageAttribute tells %s', async (Attribute, expected) => {
  await using cloud = await machineCloud()
  const answer = await cloud.run(describeImageAttribute, { ImageId: MACHINE, Attribute })
  expect(answer).toEqual({ ImageId: MACHINE, ...expected })
})

it('is refused of images that are not there, or no longer, and of attributes that there are not', async () => {
  await using cloud = await machineCloud()
  const refusal = (more: object) =>
    cloud.refusal(describeImageAttribute, { ImageId: cloud.image, Attribute: 'kernel', ...more })
  expect(await refusal({ ImageId: 'ami-00000000' })).toBe('InvalidAMIID.NotFound')
  expect(await refusal({ Attribute: 'colour' })).toBe('InvalidParameterValue')
  await cloud.run(deregisterImage, { ImageId: cloud.image })
  expect(await refusal({})).toBe('InvalidAMIID.Unavailable')
})
