/**
 * Splits long lists of ids into statements of limited size, with few different sizes, so that there
 * are few distinct statements.
 */

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
    const part = distinct.slice(start, start + ID_LIST_LIMIT)
    const last = part.at(-1)
    const size = 2 ** Math.ceil(Math.log2(part.length))
    if (last !== undefined) while (part.length < size) part.push(last)
    for (const row of await query(part)) found.push(row)
  }
  return found
}
