/**
 * Tags: CreateTags, DeleteTags, DescribeTags.
 *
 * A tag of an instance is part of what its host serves (metadata, and the Name tag as a DNS name), so its host is rung.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
 */
import type { DescribeTagsResult, ResourceType } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { AccountId, HostName } from '../../model/ids.ts'
import { isReservedKey } from '../../model/marks.ts'
import type { Tag } from '../../model/records.ts'
import type { Tx } from '../../store/store.ts'
import type { Action, Call } from '../action.ts'
import { writeOne } from '../budget.ts'
import { describe } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { dryRun, parseInput } from '../parameters.ts'
import {
  dryRunShape,
  IDS_MAX,
  pagedShape,
  required,
  TAGS_PER_RESOURCE_MAX,
  tagKeySchema,
  tagListSchema,
  tagValueSchema,
} from '../schemas.ts'
import { findTaggable, type Taggable } from '../taggable.ts'

const resources = required(
  z
    .array(z.string())
    .max(IDS_MAX)
    .transform((ids) => [...new Set(ids)]),
  'resourceIdSet',
)

const createSchema = z.strictObject({
  ...dryRunShape,
  Resources: resources,
  Tags: required(tagListSchema, 'tagSet'),
})

/** CreateTags: adds tags, or replaces the values of those that are there. All resources or none. */
export const createTags: Action = {
  name: 'CreateTags',
  async run(call) {
    const input = parseInput(createSchema, call.input)
    const { account } = call.caller
    await changeTags(call, input.Resources, async (tx, taggables) => {
      const tags = taggables.flatMap(({ id, type }) =>
        input.Tags.map(({ Key, Value }): Tag => {
          return { account, resource: id, resourceType: type, key: Key, value: Value }
        }),
      )
      refuseTooMany([...(await tx.tags({ account, resources: input.Resources })), ...tags])
      for (const tag of tags) {
        await writeOne(call.budget)
        await tx.putTags([tag])
      }
    })
    return {}
  },
}

function refuseTooMany(tags: readonly Tag[]): void {
  const theirs = tags.filter(({ key }) => !isReservedKey(key))
  for (const [resource, own] of Map.groupBy(theirs, (tag) => tag.resource)) {
    if (new Set(own.map((tag) => tag.key)).size <= TAGS_PER_RESOURCE_MAX) continue
    throw refused(
      'TagLimitExceeded',
      `The resource '${resource}' would have more than ${TAGS_PER_RESOURCE_MAX} tags`,
    )
  }
}

const deleteSchema = z.strictObject({
  ...dryRunShape,
  Resources: resources,
  Tags: z
    .array(z.strictObject({ Key: tagKeySchema, Value: tagValueSchema.optional() }))
    .max(IDS_MAX)
    .default([]),
})

/** DeleteTags: of a tag with a value only that value, of one without any value, and without tags all of them. */
export const deleteTags: Action = {
  name: 'DeleteTags',
  async run(call) {
    const input = parseInput(deleteSchema, call.input)
    const { account } = call.caller
    await changeTags(call, input.Resources, async (tx) => {
      for (const resource of input.Resources) {
        await writeOne(call.budget)
        if (input.Tags.length === 0) await deleteTheirs(tx, account, resource)
        for (const { Key: key, Value: value } of input.Tags) {
          await writeOne(call.budget)
          const tag = { account, resource, key }
          await tx.deleteTag(value === undefined ? tag : { ...tag, value })
        }
      }
    })
    return {}
  },
}

/** All that a client may delete. */
async function deleteTheirs(tx: Tx, account: AccountId, resource: string): Promise<void> {
  const tags = await tx.tags({ account, resources: [resource] })
  const keys = tags.map(({ key }) => key)
  if (!keys.some(isReservedKey)) return await tx.deleteTagsOf(resource)
  for (const key of keys) if (!isReservedKey(key)) await tx.deleteTag({ account, resource, key })
}

/** Runs a change on resources that exist, and has the hosts of instances among them look again. */
async function changeTags(
  call: Call,
  ids: readonly string[],
  change: (tx: Tx, taggables: readonly Taggable[]) => Promise<void>,
): Promise<void> {
  const { store, bus } = call.parts
  const hosts = await store.transaction(async (tx) => {
    const taggables = await findTaggable(tx, call.caller.account, ids)
    dryRun(call)
    await change(tx, taggables)
    const touched = [...new Set(taggables.flatMap(hostOf))].sort()
    for (const host of touched) await tx.advanceGeneration(host)
    return touched
  })
  for (const host of hosts) bus.ring(host)
  // A Name tag is a name on every host.
  if (hosts.length > 0) bus.ringAll()
}

function hostOf({ host }: Taggable): readonly HostName[] {
  return host === undefined ? [] : [host]
}

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
