/**
 * Tags: CreateTags, DeleteTags, DescribeTags.
 *
 * A tag of an instance is part of what its host serves (metadata, and the Name tag as a DNS name), so its host is rung.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
 */
import type { DescribeTagsResult, ResourceType } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Tag } from '../../model/records.ts'
import type { Action } from '../action.ts'
import { describe } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { pagedShape } from '../schemas.ts'

const describeSchema = z.strictObject(pagedShape(5, 1000, { larger: 'limited' }))

const TAG_FILTERS: FilterTable<Tag> = {
  key: (tag) => tag.key,
  'resource-id': (tag) => tag.resource,
  'resource-type': (tag) => tag.resourceType,
  value: (tag) => tag.value,
}

/** DescribeTags. */
export const describeTags: Action = {
  name: 'DescribeTags',
  async run(call): Promise<DescribeTagsResult> {
    const input = parseInput(describeSchema, call.input)
    dryRun(call)
    const { account } = call.caller
    const tags = await call.parts.store.read((tx) => tx.tags({ account }))
    const page = await describe(call, tags, input, {
      action: 'DescribeTags',
      key: (tag) => `${tag.resource} ${tag.key}`,
      filters: TAG_FILTERS,
      tags: (tag) => [{ Key: tag.key, Value: tag.value }],
    })
    return {
      Tags: page.items.map((tag) => ({
        ResourceId: tag.resource,
        // Written by this house only, in the SDK's own words.
        ResourceType: tag.resourceType as ResourceType,
        Key: tag.key,
        Value: tag.value,
      })),
      NextToken: page.nextToken,
    }
  },
}
