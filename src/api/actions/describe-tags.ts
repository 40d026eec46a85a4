/** DescribeTags. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html */
import type { DescribeTagsResult, ResourceType } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Tag } from '../../model/records.ts'
import { describeAction } from '../read.ts'
import { pagedShape } from '../schemas.ts'

/** The account's tags, except those of deleted resources. */
export const describeTags = describeAction({
  name: 'DescribeTags',
  input: z.strictObject(pagedShape(5, 1000, { larger: 'limited' })),
  rows: (_asked, { account, read }) => read((tx) => tx.tags({ account })),
  // There may be very many, so only those of the page become views.
  view: (tag: Tag) => tag,
  key: (tag) => `${tag.resource} ${tag.key}`,
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
