/** DescribeVolumeAttribute. */
import type { DescribeVolumeAttributeResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { readAction } from '../read.ts'
import { attributeSchema, idSchema, missingVolumes } from '../schemas.ts'

/** One attribute of a volume. I/O is never disabled, so it need not be enabled again. */
export const describeVolumeAttribute = readAction({
  name: 'DescribeVolumeAttribute',
  input: z.strictObject({
    VolumeId: idSchema('vol', 'InvalidVolumeID.Malformed'),
    Attribute: attributeSchema(['autoEnableIO', 'productCodes']),
  }),
  async answer(
    { VolumeId: id, Attribute },
    { account, read },
  ): Promise<DescribeVolumeAttributeResult> {
    const [volume] = await read((tx) => tx.volumes({ account, ids: [id] }))
    if (volume === undefined) throw missingVolumes([id])
    return Attribute === 'productCodes'
      ? { ProductCodes: [], VolumeId: id }
      : { AutoEnableIO: { Value: false }, VolumeId: id }
  },
})
