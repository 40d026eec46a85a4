/**
 * DeleteTags: a tag with a value is deleted only if it has this value; without a value it always
 * is; without tags, all are deleted.
 */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import { isReservedKey } from '../../model/reserved-tags.ts'
import { isStorageTag } from '../../model/storage.ts'
import type { Tx } from '../../store/store.ts'
import { writeOne } from '../budget.ts'
import { changeAction } from '../change.ts'
import { unwishWithoutTag } from '../instances/recovery.ts'
import { IDS_MAX, refuseLaterTags, tagKeySchema, tagValueSchema } from '../schemas.ts'
import { findTagged, resourcesSchema } from '../tag-changes.ts'

const schema = z.strictObject({
  Resources: resourcesSchema,
  Tags: z
    .array(z.strictObject({ Key: tagKeySchema, Value: tagValueSchema.optional() }))
    .max(IDS_MAX)
    .default([]),
})

/** DeleteTags. */
export const deleteTags = changeAction({
  name: 'DeleteTags',
  input: schema,
  async change(tx, { Resources: resources, Tags: tags }, { account, budget }) {
    refuseLaterTags(tags.map(({ Key }) => Key))
    await findTagged(tx, account, resources)
    for (const resource of resources) {
      await writeOne(budget)
      if (tags.length === 0) await deleteTheirs(tx, account, resource)
      for (const { Key: key, Value: value } of tags) {
        await writeOne(budget)
        const tag = { account, resource, key }
        await tx.deleteTag(value === undefined ? tag : { ...tag, value })
      }
      await unwishWithoutTag(tx, resource)
    }
  },
})

/** All tags that a client may delete. */
async function deleteTheirs(tx: Tx, account: AccountId, resource: string): Promise<void> {
  const tags = await tx.tags({ account, resources: [resource] })
  const keys = tags.map(({ key }) => key)
  const stays = (key: string) => isReservedKey(key) || isStorageTag(key)
  if (!keys.some(stays)) return await tx.deleteTagsOf(resource)
  for (const key of keys) if (!stays(key)) await tx.deleteTag({ account, resource, key })
}
