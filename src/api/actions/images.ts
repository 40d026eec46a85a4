/**
 * Images: RegisterImage, DescribeImages, DeregisterImage.
 *
 * Registering only writes the record; the host that took the request is rung and looks at the location, pins the digest
 * or says what is wrong. Images are their account's own: none is public or shared.
 */
import type { DescribeImagesResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { registeredImages } from '../images.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { idListSchema, missingImages, pagedShape, textSchema } from '../schemas.ts'
import { IMAGE_FILTERS, imageView } from '../views/image.ts'
import { tagsIndex } from '../views/tags.ts'

const describeSchema = z.strictObject({
  ...pagedShape(1, 1000, { larger: 'limited' }),
  ImageIds: idListSchema('ami', 'InvalidAMIID.Malformed').optional(),
  Owners: z.array(textSchema).max(100).default([]),
  ExecutableUsers: z.array(textSchema).max(100).default([]),
  IncludeDeprecated: z.boolean().optional(),
  IncludeDisabled: z.boolean().optional(),
})

/** DescribeImages. */
export const describeImages: Action = {
  name: 'DescribeImages',
  async run(call): Promise<DescribeImagesResult> {
    const input = parseInput(describeSchema, call.input)
    refuseIdsWithMaxResults('imageIdsSet', input.ImageIds, input)
    dryRun(call)
    const { account } = call.caller
    const ids = input.ImageIds?.length === 0 ? undefined : input.ImageIds
    const { images, tags } = await call.parts.store.read(async (tx) => ({
      images: await registeredImages(tx, ids === undefined ? { account } : { account, ids }),
      tags: await tx.tags({ account }),
    }))
    refuseMissing(ids, new Set(images.map(({ id }) => id)), missingImages)
    // No image has launch permissions for anybody but its owner, who needs none.
    const isVisible = ownerMatches(input.Owners, call) && input.ExecutableUsers.length === 0
    const tagsOf = tagsIndex(tags)
    const visible = isVisible ? images : []
    const views = await mapInPieces(call.budget, visible, (image) =>
      imageView(image, tagsOf(image.id)),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeImages',
      key: (image) => image.ImageId ?? '',
      filters: IMAGE_FILTERS,
      tags: (image) => image.Tags ?? [],
    })
    return { Images: [...page.items], NextToken: page.nextToken }
  },
}

/** Every image that the caller sees is its own, so `Owners` shows all of them or none. */
function ownerMatches(owners: readonly string[], call: Call): boolean {
  return owners.length === 0 || owners.includes('self') || owners.includes(call.caller.account)
}
