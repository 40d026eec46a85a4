/** Tags of users, roles, instance profiles and policies: JSON in a column. */
import { z } from 'zod'
import type { IamTag } from '../../model/account-records.ts'
import { TEXT_MAX } from './columns.ts'

/** The column's schema. */
export const tagsColumn = z
  .string()
  .max(TEXT_MAX)
  .refine((text) => tagsOf(text) !== undefined, 'are no tags')
const tagList = z.array(z.object({ key: z.string(), value: z.string() }))

/** A row with its tags; null is written by an older daemon. */
export function withTags<Row extends { readonly tags: string | null }>(
  row: Row,
): Omit<Row, 'tags'> & { readonly tags: readonly IamTag[] } {
  return { ...row, tags: tagsOf(row.tags ?? '[]') ?? [] }
}

/** Tags as the column has them. */
export function tagsText(tags: readonly IamTag[]): string {
  return JSON.stringify(tags)
}

/** The columns of a change, which may leave the tags as they are. */
export function columnsOf<Change extends { readonly tags?: readonly IamTag[] }>({
  tags,
  ...others
}: Change): Omit<Change, 'tags'> & { readonly tags?: string } {
  return tags === undefined ? others : { ...others, tags: tagsText(tags) }
}

function tagsOf(text: string): readonly IamTag[] | undefined {
  try {
    return tagList.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
