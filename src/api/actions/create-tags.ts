/**
 * CreateTags: adds tags, or replaces the values of existing ones, for all resources or for none.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { Tag } from '../../model/records.ts'
import { isReservedKey } from '../../model/reserved-tags.ts'
import { writeOne } from '../budget.ts'
import { changeAction } from '../change.ts'
import { putLevers } from '../instances/levers.ts'
import { wishByTags } from '../instances/recovery.ts'
import { refuseLaterTags, required, TAGS_PER_RESOURCE_MAX, tagListSchema } from '../schemas.ts'
import { findTagged, resourcesSchema } from '../tag-changes.ts'

const schema = z.strictObject({
  Resources: resourcesSchema,
  Tags: required(tagListSchema, 'tagSet'),
})

/** CreateTags. */
export const createTags = changeAction({
  name: 'CreateTags',
  input: schema,
  async change(tx, { Resources: resources, Tags }, { account, budget, now }) {
    const tags = (await findTagged(tx, account, resources)).flatMap(({ id, type }) =>
      Tags.map(({ Key, Value }): Tag => {
        return { account, resource: id, resourceType: type, key: Key, value: Value }
      }),
    )
    refuseLaterTags(Tags.map(({ Key }) => Key))
    await tx.takeTurn(account)
    refuseTooMany([...(await tx.tags({ account, resources })), ...tags])
    for (const tag of tags) {
      await writeOne(budget)
      await tx.putTags([tag])
      await putLevers(tx, [tag], now)
      await wishByTags(tx, [tag])
    }
  },
})

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
