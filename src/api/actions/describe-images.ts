/** DescribeImages. Images are their account's own: none is public or shared. */
import { z } from 'zod'
import { refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { registeredImages } from '../images.ts'
import { describeAction, type Reading } from '../read.ts'
import { idListSchema, missingImages, pagedShape, textSchema, withoutEffect } from '../schemas.ts'
import { IMAGE_FILTERS, imageView } from '../views/image.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's images. */
export const describeImages = describeAction({
  name: 'DescribeImages',
  input: z.strictObject({
    ...pagedShape(1, 1000, { larger: 'limited' }),
    ImageIds: idListSchema('ami', 'InvalidAMIID.Malformed').default([]),
    Owners: z.array(textSchema).max(100).default([]),
    ExecutableUsers: z.array(textSchema).max(100).default([]),
    IncludeDeprecated: withoutEffect(z.boolean().optional()),
    IncludeDisabled: withoutEffect(z.boolean().optional()),
  }),
  check: (asked) => refuseIdsWithMaxResults('imageIdsSet', asked.ImageIds, asked),
  rows: ({ ImageIds: ids, Owners, ExecutableUsers }, { account, read }) =>
    read(async (tx) => {
      const images = await registeredImages(tx, ids.length === 0 ? { account } : { account, ids })
      refuseMissing(ids, new Set(images.map(({ id }) => id)), missingImages)
      const tagsOf = tagsIndex(await tx.tags({ account }))
      // No image has launch permissions for others, and its owner needs none.
      const isVisible = isOwner(Owners, account) && ExecutableUsers.length === 0
      return isVisible ? images.map((image) => ({ image, tags: tagsOf(image.id) })) : []
    }),
  view: ({ image, tags }, _asked, { settings }) => imageView(image, tags, settings.drivers),
  key: (image) => image.ImageId ?? '',
  filters: IMAGE_FILTERS,
  tags: (image) => image.Tags ?? [],
  answer: (Images) => ({ Images }),
})

/** Every visible image belongs to the caller, so `Owners` selects all or none. */
function isOwner(owners: readonly string[], account: Reading['account']): boolean {
  return owners.length === 0 || owners.includes('self') || owners.includes(account)
}
