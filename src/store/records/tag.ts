/**
 * Tags. The tag of an instance concerns its host. Its Name tag is also a DNS name, so it concerns
 * every host with members of its VPC. Tags of other resources concern nobody, because no host reads
 * them.
 */
import { z } from 'zod'
import { type AccountId, parseId } from '../../model/ids.ts'
import type { Tag } from '../../model/records.ts'
import { ofHost, type Scope } from '../scope.ts'
import { account, label, prose } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { TAGS_BY_RESOURCE, type TagListRestriction } from './lists.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'
import { type PartQuery, readPart } from './part.ts'
import { NAME_TAG, type RecordLocations } from './record-locations.ts'

const tables = {
  tags: table<Tag>({
    name: 'tags',
    key: ['resource', 'key'],
    schema: z.object({
      account,
      resource: z.string().regex(/^[\w-]{1,64}$/),
      resourceType: label,
      key: prose,
      value: prose,
    }),
  }),
}
type Tables = RowsOf<typeof tables>

/** The noun. */
export const tags = noun({
  tables,
  reads: ({ db, rows, where }: Session<Tables>) => ({
    async tags({
      account,
      resources,
    }: {
      readonly account?: AccountId
      readonly resources?: readonly string[]
    }): Promise<readonly Tag[]> {
      let query = db.selectFrom('tags').selectAll().orderBy('resource').orderBy('key')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(resources, (part) =>
        part === undefined ? query.execute() : query.where('resource', 'in', part).execute(),
      )
      if (account === undefined)
        for (const resource of resources ?? []) where.isNamed(resource, false)
      for (const { resource, key } of found) if (key === NAME_TAG) where.isNamed(resource, true)
      return await rows.parseLong(tables.tags, found)
    },
    /** A part of the list by resource and key. */
    tagPart: (query: PartQuery<TagListRestriction>) =>
      readPart<string, TagListRestriction>(db, TAGS_BY_RESOURCE, query),
  }),
  writes: ({ db, where }: Session<Tables>) => ({
    /** Sets the values of these keys, replacing earlier ones. */
    async putTags(tags: readonly Tag[]): Promise<void> {
      for (const tag of tags) {
        if (tag.key === NAME_TAG) where.isNamed(tag.resource, true)
        if ((await insertOr('exists', db, 'tags', tag)) === 'done') continue
        await db
          .updateTable('tags')
          .set({ value: tag.value, resourceType: tag.resourceType })
          .where('account', '=', tag.account)
          .where('resource', '=', tag.resource)
          .where('key', '=', tag.key)
          .execute()
      }
    },
    /** Removes a tag by key; with `value`, only if it has exactly this value. */
    async deleteTag({
      account,
      resource,
      key,
      value,
    }: {
      readonly account: AccountId
      readonly resource: string
      readonly key: string
      readonly value?: string
    }): Promise<void> {
      let query = db
        .deleteFrom('tags')
        .where('account', '=', account)
        .where('resource', '=', resource)
        .where('key', '=', key)
      if (value !== undefined) query = query.where('value', '=', value)
      await query.execute()
    },
    async deleteTagsOf(resource: string): Promise<void> {
      await db.deleteFrom('tags').where('resource', '=', resource).execute()
    },
  }),
  touches: {
    putTags: async ({ where }, tags) => {
      const scopes: Scope[] = []
      for (const { resource, key } of tags)
        scopes.push(...(await touchedByTag(where, resource, key === NAME_TAG)))
      return scopes
    },
    deleteTag: ({ where }, { resource, key }) => touchedByTag(where, resource, key === NAME_TAG),
    deleteTagsOf: ({ where }, resource) => touchedByTag(where, resource, true),
  },
  inCopy: { putTags: always, deleteTag: always, deleteTagsOf: always },
})

async function touchedByTag(
  where: RecordLocations,
  resource: string,
  isName: boolean,
): Promise<readonly Scope[]> {
  const instance = parseId('i', resource)
  if (instance === undefined) return []
  const scopes: Scope[] = []
  for (const host of await where.hostOf(instance)) {
    scopes.push(ofHost(host))
    if (isName) scopes.push(...(await where.membersOf(instance, host)))
  }
  return scopes
}
