/**
 * CreateImage: an image of an instance in its current state.
 *
 * This only writes the record. The instance's host copies the disk in the background and reports
 * progress. The image exists only on that host, which its location names.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { AccountId, InstanceId } from '../../model/ids.ts'
import { driverOf, keptLocation } from '../../model/image-location.ts'
import type { Image, Instance } from '../../model/records.ts'
import { storageOf } from '../../model/storage.ts'
import type { ReadTx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { imageNameSchema, insertPendingImage } from '../instances/images.ts'
import { requireInstance } from '../instances/instances.ts'
import { idSchema, tagSpecificationsSchema, textSchema } from '../schemas.ts'

const schema = z.strictObject({
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
  Name: imageNameSchema,
  Description: textSchema.default(''),
  NoReboot: z.boolean().default(false),
  // There are no snapshots, so tags for them are not used.
  TagSpecifications: tagSpecificationsSchema(['image', 'snapshot']),
})

/**
 * CreateImage. It returns at once. The image is `pending` until its host has made it, and cannot be
 * launched before.
 */
export const createImage = changeAction({
  name: 'CreateImage',
  input: schema,
  async change(tx, asked, { account, newId, now }) {
    const { instance, origin } = await requireSource(tx, account, asked.InstanceId)
    const known = { location: origin.location, hasVolume: false }
    const driver = driverOf({ driver: instance.driver ?? origin.driver }, known)
    const id = newId('ami')
    const image = {
      id,
      account,
      name: asked.Name,
      description: asked.Description,
      location: keptLocation(driver, instance.host, id),
      driver,
      architecture: origin.architecture,
      host: instance.host,
      sourceInstance: instance.id,
      capture: asked.NoReboot ? ('no-reboot' as const) : ('reboot' as const),
      createdAt: now,
    }
    return insertPendingImage(tx, image, asked.TagSpecifications)
  },
  view: (ImageId) => ({ ImageId }),
})

/**
 * The instance, which has a disk and is neither coming up nor going down, and the image that it was
 * made from.
 */
async function requireSource(
  tx: ReadTx,
  account: AccountId,
  id: InstanceId,
): Promise<{ readonly instance: Instance; readonly origin: Image }> {
  const instance = await requireInstance(tx, account, id)
  if (instance.state !== 'running' && instance.state !== 'stopped') {
    throw refused(
      'IncorrectInstanceState',
      `The instance '${id}' is ${instance.state}; CreateImage needs a running or stopped instance`,
    )
  }
  if (storageOf(await tx.volumes({ instances: [id] })) !== null)
    throw refused(
      'UnsupportedOperation',
      `The disk of '${id}' is on a shared storage, and images are made of disks on their hosts only`,
    )
  // It may be another account's.
  const [origin] = await tx.images({ ids: [instance.image] })
  if (origin === undefined) {
    throw refused(
      'IncorrectInstanceState',
      `The image of '${id}' was deregistered and its record is gone, so no image can be made from this instance`,
    )
  }
  return { instance, origin }
}
