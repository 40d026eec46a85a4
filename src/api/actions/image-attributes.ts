/** DescribeImageAttribute: what is told of one image by itself. What it does not have is answered empty, as EC2 does. */
import type { DescribeImageAttributeRequest, ImageAttribute } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Action } from '../action.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, idSchema, missingImages } from '../schemas.ts'
import { imageView } from '../views/image.ts'

type Name = Exclude<DescribeImageAttributeRequest['Attribute'], undefined>

const ATTRIBUTES: Readonly<
  Record<Name, (view: ReturnType<typeof imageView>) => Omit<ImageAttribute, 'ImageId'>>
> = {
  description: (view) => ({ Description: { Value: view.Description } }),
  kernel: () => ({ KernelId: {} }),
  ramdisk: () => ({ RamdiskId: {} }),
  // Nobody but the owner may launch from an image.
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

const schema = z.strictObject({
  ...dryRunShape,
  ImageId: idSchema('ami', 'InvalidAMIID.Malformed'),
  Attribute: z.enum(Object.keys(ATTRIBUTES) as Name[]),
})

/** DescribeImageAttribute. */
export const describeImageAttribute: Action = {
  name: 'DescribeImageAttribute',
  async run(call): Promise<ImageAttribute> {
    const { ImageId: id, Attribute } = parseInput(schema, call.input)
    dryRun(call)
    const { account } = call.caller
    const [image] = await call.parts.store.read((tx) => tx.images({ account, ids: [id] }))
    if (image === undefined || image.state === 'deregistered') throw missingImages([id])
    return { ImageId: id, ...ATTRIBUTES[Attribute](imageView(image, [])) }
  },
}
