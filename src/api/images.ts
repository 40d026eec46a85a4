/** What actions on images have in common. */
import { z } from 'zod'
import { refused } from '../model/errors.ts'
import type { Image } from '../model/records.ts'
import type { ReadTx } from '../store/store.ts'
import { withCode } from './schemas.ts'

/** EC2's own rule for an image's name (RegisterImage, "Name"). */
export const imageNameSchema = z
  .string()
  .refine((name) => /^[A-Za-z0-9()[\] ./\-'@_]{3,128}$/.test(name), {
    error:
      "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '[', ']', ' ', '.', '/', '-', ''', '@' and '_'",
    ...withCode('InvalidAMIName.Malformed'),
  })

/** The name is another image's of the account. */
export function nameInUse(name: string): Error {
  return refused('InvalidAMIName.Duplicate', `AMI name ${name} is already in use`)
}

/** Images that were not deregistered: nobody sees the others. */
export async function registeredImages(
  tx: ReadTx,
  query: Parameters<ReadTx['images']>[0],
): Promise<readonly Image[]> {
  return (await tx.images(query)).filter(({ state }) => state !== 'deregistered')
}
