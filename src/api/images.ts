/** What actions on images have in common. */
import { z } from 'zod'
import { refused } from '../model/errors.ts'
import type { ImageId } from '../model/ids.ts'
import type { Image } from '../model/records.ts'
import type { ReadTx, Tx } from '../store/store.ts'
import { specifiedTags, withCode } from './schemas.ts'

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
    throw refused('InvalidAMIName.Duplicate', `AMI name ${name} is already in use`)
  await tx.putTags(specifiedTags(specs, { account, resource: id, resourceType: 'image' }))
  return id
}

/** Images that are not deregistered. The others are invisible to clients. */
export async function registeredImages(
  tx: ReadTx,
  query: Parameters<ReadTx['images']>[0],
): Promise<readonly Image[]> {
  return (await tx.images(query)).filter(({ state }) => state !== 'deregistered')
}
