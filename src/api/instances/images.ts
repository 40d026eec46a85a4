/** What actions on images have in common. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { type AccountId, byId, type ImageId } from '../../model/ids.ts'
import { EVERYBODY } from '../../model/image-permission.ts'
import type { Image } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { refuseMissing } from '../describe.ts'
import { missingImages, specifiedTags, withCode } from '../schemas.ts'

/** What is not known of an image before its host has inspected or made it. */
const UNKNOWN = {
  state: 'pending',
  stateReason: null,
  digest: null,
  repositoryDigest: null,
  diskGiB: null,
} as const

/** EC2's own rule for an image's name (RegisterImage, "Name"). */
export const imageNameSchema = z
  .string()
  .refine((name) => /^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/.test(name), {
    error:
      "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '[', ']', ' ', '.', '/', '-', ''', '@' and '_'",
    ...withCode('InvalidAMIName.Malformed'),
  })

/**
 * Writes the record and the tags of a new image, which stays `pending` until its host has inspected
 * or made it. Errors: `InvalidAMIName.Duplicate`.
 */
export async function insertPendingImage(
  tx: Tx,
  image: Omit<Image, keyof typeof UNKNOWN>,
  specs: Parameters<typeof specifiedTags>[0],
): Promise<ImageId> {
  const { id, account, name } = image
  if ((await tx.insertImage({ ...image, ...UNKNOWN })) === 'exists')
    throw await duplicateName(tx, account, name)
  await tx.putTags(specifiedTags(specs, { account, resource: id, resourceType: 'image' }))
  return id
}

/** The refusal of a name that another image of the account has. */
export async function duplicateName(tx: ReadTx, account: AccountId, name: string): Promise<Error> {
  const other = (await tx.images({ account })).find((image) => image.name === name)
  const whose = other === undefined ? '' : ` by AMI ${other.id}`
  return refused('InvalidAMIName.Duplicate', `AMI name ${name} is already in use${whose}`)
}

/** Images that are not deregistered. The others are invisible to clients. */
async function registeredImages(
  tx: ReadTx,
  query: Parameters<ReadTx['images']>[0],
): Promise<readonly Image[]> {
  return (await tx.images(query)).filter(({ state }) => state !== 'deregistered')
}

/**
 * The images that an account may launch from: its own, those that are shared with it, and public
 * ones; of all, or of these ids.
 */
export async function visibleImages(
  tx: ReadTx,
  account: AccountId,
  ids?: readonly ImageId[],
): Promise<readonly Image[]> {
  const own = await registeredImages(tx, ids === undefined ? { account } : { account, ids })
  const permissions = await tx.imagePermissions({
    grantees: [account, EVERYBODY],
    ...(ids === undefined ? {} : { images: ids }),
  })
  const known = new Set(own.map(({ id }) => id))
  const others = [...new Set(permissions.map(({ image }) => image))].filter((id) => !known.has(id))
  if (others.length === 0) return own
  return byId([...own, ...(await registeredImages(tx, { ids: others }))])
}

/**
 * Refuses ids of images that are neither among the visible ones nor the account's own that were
 * deregistered in the last hour: clients wait until EC2 lists nothing by such an id.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
 */
export async function refuseUnknownImages(
  tx: ReadTx,
  account: AccountId,
  ids: readonly ImageId[],
  visible: readonly Image[],
): Promise<void> {
  const seen = new Set(visible.map(({ id }) => id))
  const others = ids.filter((id) => !seen.has(id))
  if (others.length === 0) return
  for (const { id } of await tx.images({ account, ids: others })) seen.add(id)
  refuseMissing(ids, seen, missingImages)
}

/**
 * The account's own image. Errors: `AuthFailure` for another's that it may launch from;
 * `InvalidAMIID.Unavailable` for its own that was deregistered in the last hour;
 * `InvalidAMIID.NotFound` for any other.
 */
export async function requireOwnImage(tx: ReadTx, account: AccountId, id: ImageId): Promise<Image> {
  const [image] = await visibleImages(tx, account, [id])
  if (image === undefined) {
    const [gone] = await tx.images({ account, ids: [id] })
    if (gone === undefined) throw missingImages([id])
    throw refused('InvalidAMIID.Unavailable', `The image ID '${id}' is no longer available`)
  }
  if (image.account !== account) throw refused('AuthFailure', `Not authorized for image:${id}`)
  return image
}
