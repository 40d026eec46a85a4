/**
 * Splits long lists of ids into statements of limited size, with few different sizes, so that there
 * are few distinct statements.
 */
import { sql } from 'kysely'
import type { AccountId } from '../../model/ids.ts'

/** Ids in one statement. Engines allow at least 32,766 parameters (SQLite). */
const ID_LIST_LIMIT = 1024

/**
 * Runs `query` once without ids, or once for each part of the ids in ascending order, and joins the
 * rows. The last id fills a part up to a power of two, which does not change the result.
 */
export async function inParts<Id extends string, Found>(
  ids: readonly Id[] | undefined,
  query: (part: readonly Id[] | undefined) => Promise<readonly Found[]>,
): Promise<readonly Found[]> {
  if (ids === undefined) return query(undefined)
  const distinct = [...new Set(ids)].sort()
  const found: Found[] = []
  for (let start = 0; start < distinct.length; start += ID_LIST_LIMIT) {
    const part = padded(distinct.slice(start, start + ID_LIST_LIMIT))
    for (const row of await query(part)) found.push(row)
  }
  return found
}

/** A list that is not empty, filled up to a power of two with its last member. */
export function padded<Id extends string>(ids: readonly Id[]): readonly Id[] {
  const last = ids.at(-1)
  const size = 2 ** Math.ceil(Math.log2(ids.length))
  if (last === undefined || size === ids.length) return ids
  return [...ids, ...Array.from({ length: size - ids.length }, () => last)]
}

/**
 * A column whose index is not to be used, because there is a better one: SQLite keeps no statistics
 * and takes an account for a thing of few rows. The plus changes nothing else
 * (https://www.sqlite.org/optoverview.html, section 2.1), and MariaDB's parser drops it.
 */
export function unindexed(column: string) {
  return sql<never>`+${sql.ref(column)}`
}

/** That a row belongs to an account. `found`: other conditions find the rows by a better index. */
export function isOf(column: string, account: AccountId, found: boolean) {
  return sql<boolean>`${found ? unindexed(column) : sql.ref(column)} = ${account}`
}
