/** DescribeTags. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html */
import type { DescribeTagsResult, ResourceType } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Tag } from '../../model/records.ts'
import { describeAction } from '../read.ts'
import { pagedShape } from '../schemas.ts'

/** What the records can restrict of the filters. */
const TAG_NARROWING = {
  key: 'key',
  'resource-id': 'resource',
  'resource-type': 'resourceType',
  value: 'value',
} as const

/** The account's tags, except those of deleted resources. */
export const describeTags = describeAction({
  name: 'DescribeTags',
  input: z.strictObject(pagedShape(5, 1000, { larger: 'limited' })),
  rows: () => null,
  parts: {
    narrowing: TAG_NARROWING,
    positionOf(key) {
      const at = key.indexOf(' ')
      return at < 1 ? undefined : [key.slice(0, at), key.slice(at + 1)]
    },
    read: (query, _asked, { account, read }) =>
      read(async (tx) => {
        const { ids, keys, next } = await tx.tagPart(query)
        const places = new Map(keys.map((key, index) => [key.join(' '), index]))
        const tags = await tx.tags({ account, resources: [...new Set(ids)] })
        const placeOf = (tag: Tag) => places.get(keyOf(tag))
        const rows = tags.filter((tag) => placeOf(tag) !== undefined)
        return { rows: rows.sort((a, b) => (placeOf(a) ?? 0) - (placeOf(b) ?? 0)), next }
      }),
  },
  // There may be very many, so only those of the page become views.
  view: (tag: Tag) => tag,
  key: keyOf,
  filters: {
    key: (tag) => tag.key,
    'resource-id': (tag) => tag.resource,
    'resource-type': (tag) => tag.resourceType,
    value: (tag) => tag.value,
  },
  tags: (tag) => [{ Key: tag.key, Value: tag.value }],
  answer: (tags): DescribeTagsResult => ({
    Tags: tags.map((tag) => ({
      ResourceId: tag.resource,
      // Only Atoll writes it, in the SDK's terms.
      ResourceType: tag.resourceType as ResourceType,
      Key: tag.key,
      Value: tag.value,
    })),
  }),
})

function keyOf({ resource, key }: Tag): string {
  return `${resource} ${key}`
}
