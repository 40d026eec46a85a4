/** What actions on the tags of users, roles, instance profiles and policies share. */
import { z } from 'zod'
import type { IamTag } from '../../model/account-records.ts'
import { withCode } from '../schemas.ts'
import { limitExceeded, pageOf } from './users.ts'

const TAGS_MAX = 50

/** `Tags`. */
export const iamTagsSchema = z
  .array(
    z.strictObject({
      Key: z
        .string()
        .min(1)
        .max(128)
        .refine((key) => !key.toLowerCase().startsWith('aws:'), {
          error: "Tag keys starting with 'aws:' are reserved for internal use",
          ...withCode('ValidationError'),
        }),
      Value: z.string().max(256).default(''),
    }),
  )
  .max(TAGS_MAX)
  .refine((tags) => new Set(tags.map(({ Key }) => Key.toLowerCase())).size === tags.length, {
    error: 'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
    ...withCode('ValidationError'),
  })
  .default([])

/** `TagKeys`. */
export const tagKeysSchema = z.array(z.string().min(1).max(128)).max(TAGS_MAX)

/** Tags as they are stored. */
export function tagsFrom(tags: z.output<typeof iamTagsSchema>): readonly IamTag[] {
  return tags.map(({ Key: key, Value: value }) => ({ key, value }))
}

/** The tags with these added; those with the same keys, whatever their case, are replaced. */
export function withTags(
  known: readonly IamTag[],
  added: z.output<typeof iamTagsSchema>,
): readonly IamTag[] {
  const all = [
    ...withoutTags(
      known,
      added.map(({ Key }) => Key),
    ),
    ...tagsFrom(added),
  ]
  if (all.length > TAGS_MAX) throw limitExceeded('TagsPerResource', TAGS_MAX)
  return all
}

/** The tags without those of these keys. */
export function withoutTags(known: readonly IamTag[], keys: readonly string[]): readonly IamTag[] {
  const gone = new Set(keys.map((key) => key.toLowerCase()))
  return known.filter(({ key }) => !gone.has(key.toLowerCase()))
}

/** Tags as IAM shows them. */
export function tagsView(tags: readonly IamTag[]) {
  return tags.map(({ key: Key, value: Value }) => ({ Key, Value }))
}

/** A page of tags, as each action that lists them answers. */
export function tagsPage(tags: readonly IamTag[], page: Parameters<typeof pageOf>[2]) {
  const { items, more } = pageOf(tags, ({ key }) => key, page)
  return { Tags: tagsView(items), ...more }
}
