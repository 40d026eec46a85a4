/**
 * DescribeImageAttribute: one attribute of an image. As in EC2, an attribute that it does not have
 * is empty.
 */
import type { DescribeImageAttributeRequest, ImageAttribute } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { registeredImages } from '../images.ts'
import { readAction } from '../read.ts'
import { idSchema, missingImages } from '../schemas.ts'
import { imageView } from '../views/image.ts'

type Name = Exclude<DescribeImageAttributeRequest['Attribute'], undefined>

const ATTRIBUTES: Readonly<
  Record<Name, (view: ReturnType<typeof imageView>) => Omit<ImageAttribute, 'ImageId'>>
> = {
  description: (view) => ({ Description: { Value: view.Description } }),
  kernel: () => ({ KernelId: {} }),
  ramdisk: () => ({ RamdiskId: {} }),
  // Only the owner may launch from an image.
  launchPermission: () => ({ LaunchPermissions: [] }),
  productCodes: () => ({ ProductCodes: [] }),
  blockDeviceMapping: (view) => ({ BlockDeviceMappings: view.BlockDeviceMappings ?? [] }),
  sriovNetSupport: () => ({ SriovNetSupport: {} }),
  bootMode: (view) => ({ BootMode: view.BootMode === undefined ? {} : { Value: view.BootMode } }),
  tpmSupport: () => ({ TpmSupport: {} }),
  uefiData: () => ({ UefiData: {} }),
  lastLaunchedTime: () => ({ LastLaunchedTime: {} }),
  imdsSupport: () => ({ ImdsSupport: {} }),
  deregistrationProtection: () => ({ DeregistrationProtection: { Value: 'disabled' } }),
}

/** One attribute of an image. */
export const describeImageAttribute = readAction({
  name: 'DescribeImageAttribute',
  input: z.strictObject({
    ImageId: idSchema('ami', 'InvalidAMIID.Malformed'),
    Attribute: z.enum(Object.keys(ATTRIBUTES) as Name[]),
  }),
  async answer({ ImageId: id, Attribute }, { account, read, settings }) {
    const [image] = await read((tx) => registeredImages(tx, { account, ids: [id] }))
    if (image === undefined) throw missingImages([id])
    return { ImageId: id, ...ATTRIBUTES[Attribute](imageView(image, [], settings.drivers)) }
  },
})
