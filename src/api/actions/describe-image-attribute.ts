/**
 * DescribeImageAttribute: one attribute of an image. As in EC2, an attribute that it does not have
 * is empty.
 */
import type { DescribeImageAttributeRequest, ImageAttribute } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { EVERYBODY, type ImagePermission } from '../../model/image-permission.ts'
import { requireOwnImage } from '../instances/images.ts'
import { readAction } from '../read.ts'
import { idSchema } from '../schemas.ts'
import { imageView } from '../views/image.ts'

type Name = Exclude<DescribeImageAttributeRequest['Attribute'], undefined>

const ATTRIBUTES: Readonly<
  Record<
    Name,
    (
      view: ReturnType<typeof imageView>,
      grantees: readonly ImagePermission['grantee'][],
    ) => Omit<ImageAttribute, 'ImageId'>
  >
> = {
  description: (view) => ({ Description: { Value: view.Description } }),
  kernel: () => ({ KernelId: {} }),
  ramdisk: () => ({ RamdiskId: {} }),
  launchPermission: (_view, grantees) => ({
    LaunchPermissions: grantees.map((grantee) =>
      grantee === EVERYBODY ? { Group: EVERYBODY } : { UserId: grantee },
    ),
  }),
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

/** One attribute of an image. As in EC2, only its owner is told. */
export const describeImageAttribute = readAction({
  name: 'DescribeImageAttribute',
  input: z.strictObject({
    ImageId: idSchema('ami', 'InvalidAMIID.Malformed'),
    Attribute: z.enum(Object.keys(ATTRIBUTES) as Name[]),
  }),
  async answer({ ImageId: id, Attribute }, { account, read, settings }) {
    const { image, grantees } = await read(async (tx) => ({
      image: await requireOwnImage(tx, account, id),
      grantees: (await tx.imagePermissions({ account, images: [id] })).map((one) => one.grantee),
    }))
    const view = imageView(image, [], settings)
    return { ImageId: id, ...ATTRIBUTES[Attribute](view, grantees) }
  },
})
