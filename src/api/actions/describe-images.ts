/**
 * DescribeImages: an account's own images, those that are shared with it, and public ones.
 *
 * A deprecated image of another account is only shown by its id, or with `IncludeDeprecated`
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-deprecate.html).
 */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import { EVERYBODY, type ImagePermission } from '../../model/image-permission.ts'
import type { Image } from '../../model/records.ts'
import { refuseIdsWithMaxResults } from '../describe.ts'
import { refuseUnknownImages, visibleImages } from '../instances/images.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape, textSchema, withoutEffect } from '../schemas.ts'
import { IMAGE_FILTERS, imageView } from '../views/image.ts'
import { tagsIndex } from '../views/tags.ts'

/** The images that the account may launch from. */
export const describeImages = describeAction({
  name: 'DescribeImages',
  input: z.strictObject({
    ...pagedShape(1, 1000, { larger: 'limited' }),
    ImageIds: idListSchema('ami', 'InvalidAMIID.Malformed').default([]),
    Owners: z.array(textSchema).max(100).default([]),
    ExecutableUsers: z.array(textSchema).max(100).default([]),
    IncludeDeprecated: z.boolean().default(false),
    IncludeDisabled: withoutEffect(z.boolean().optional()),
  }),
  check: (asked) => refuseIdsWithMaxResults('imageIdsSet', asked.ImageIds, asked),
  rows: ({ ImageIds: ids, Owners, ExecutableUsers, IncludeDeprecated }, { account, read, now }) =>
    read(async (tx) => {
      const images = await visibleImages(tx, account, ids.length === 0 ? undefined : ids)
      await refuseUnknownImages(tx, account, ids, images)
      const resources = images.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const permissions = [
        ...(await tx.imagePermissions({ account })),
        ...(await tx.imagePermissions({ grantees: [account, EVERYBODY] })),
      ]
      const granteesOf = Map.groupBy(permissions, ({ image }) => image)
      return images.flatMap((image) => {
        const grantees = new Set((granteesOf.get(image.id) ?? []).map(({ grantee }) => grantee))
        const isHidden = image.account !== account && isDeprecated(image, now)
        const isListed = !isHidden || IncludeDeprecated || ids.length > 0
        const isWanted =
          isOwner(image, Owners, account) && isFor(ExecutableUsers, grantees, account)
        return isListed && isWanted ? [{ image, grantees, tags: tagsOf(image.id) }] : []
      })
    }),
  view: ({ image, grantees, tags }, _asked, { account, settings }) =>
    imageView(image, tags, settings, {
      isOwn: image.account === account,
      isPublic: grantees.has(EVERYBODY),
    }),
  key: (image) => image.ImageId ?? '',
  filters: IMAGE_FILTERS,
  tags: (image) => image.Tags ?? [],
  answer: (Images) => ({ Images }),
})

function isDeprecated({ deprecatedAt }: Image, now: string): boolean {
  return typeof deprecatedAt === 'string' && Date.parse(deprecatedAt) <= Date.parse(now)
}

/** No image belongs to Amazon, as `amazon` and `aws-marketplace` would. */
function isOwner(image: Image, owners: readonly string[], account: AccountId): boolean {
  if (owners.length === 0 || owners.includes(image.account)) return true
  return image.account === account && owners.includes('self')
}

/** Whether one of these has an explicit permission: an account, `self`, or `all`. */
function isFor(
  users: readonly string[],
  grantees: ReadonlySet<ImagePermission['grantee']>,
  account: AccountId,
): boolean {
  const wanted = new Set<string>(users.map((user) => (user === 'self' ? account : user)))
  return wanted.size === 0 || [...grantees].some((grantee) => wanted.has(grantee))
}
