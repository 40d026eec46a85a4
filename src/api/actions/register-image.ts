/**
 * RegisterImage. It only writes the record. The host that got the request inspects the location,
 * and pins the digest or reports what is wrong. An image belongs to its account, which may share
 * it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
 */
import { z } from 'zod'
import { driverFor } from '../../model/driver.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import { IMAGE_LOCATION_MAX_LENGTH } from '../../model/image-location.ts'
import type { Tx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { imageNameSchema, insertPendingImage } from '../instances/images.ts'
import {
  onlySchema,
  printable,
  tagSpecificationsSchema,
  textSchema,
  withoutEffect,
} from '../schemas.ts'

const LOCATIONS =
  "ImageLocation must be docker://name:tag (an image that the hosts' Docker engines have or can pull), " +
  'file:///absolute/path/rootfs.tar, .tar.gz or .tgz (a root file system that is published on the host), file:///absolute/path/disk.qcow2, ' +
  ".img or .raw, https://host/disk or s3://bucket/disk (a virtual machine's disk), or kernel=LOCATION,initrd=LOCATION (a " +
  'virtual machine without a boot loader), without white space; for the AWS CLI, which reads file:// itself, the bare ' +
  "path. A virtual machine's may end in #sha256=HEX, seed=nocloud, firmware=uefi and machine=microvm, joined by &"

/** Maximum number of pending images of one account. */
const PENDING_MAX = 20

const schema = z.strictObject({
  Name: imageNameSchema,
  ImageLocation: printable(IMAGE_LOCATION_MAX_LENGTH),
  Description: textSchema.default(''),
  Architecture: z.enum(['x86_64', 'arm64']).default('x86_64'),
  TagSpecifications: tagSpecificationsSchema(['image']),
  VirtualizationType: onlySchema('hvm', 'VirtualizationType: only hvm is supported'),
  RootDeviceName: withoutEffect(textSchema.optional()),
  EnaSupport: withoutEffect(z.boolean().optional()),
})

/** RegisterImage. `Architecture` is provisional: the host replaces it by what it finds. */
export const registerImage = changeAction({
  name: 'RegisterImage',
  input: schema,
  prepare(asked, { settings }) {
    const driver = driverFor(asked.ImageLocation, settings.drivers)
    if (driver === undefined) throw refused('InvalidParameterValue', LOCATIONS)
    return { asked, driver }
  },
  async change(tx, { asked, driver }, { account, newId, now, settings }) {
    await refuseTooManyPending(tx, account)
    const id = newId('ami')
    const image = {
      id,
      account,
      name: asked.Name,
      description: asked.Description,
      location: asked.ImageLocation,
      driver: driver.name,
      architecture: asked.Architecture,
      host: settings.host,
      sourceInstance: null,
      capture: null,
      createdAt: now,
    }
    return insertPendingImage(tx, image, asked.TagSpecifications)
  },
  view: (ImageId) => ({ ImageId }),
})

/** Each pending image makes work for a host. */
async function refuseTooManyPending(tx: Tx, account: AccountId): Promise<void> {
  await tx.takeTurn(account)
  const pending = (await tx.images({ account })).filter(({ state }) => state === 'pending')
  if (pending.length < PENDING_MAX) return
  throw refused(
    'ResourceLimitExceeded',
    `${PENDING_MAX} images of this account are pending already: wait until they are available or failed, or deregister some`,
  )
}
