/**
 * Long lists of ids in statements: in parts of limited size and of few different sizes, so that the
 * number of distinct statements is small.
 */

/** Ids in one statement. Engines allow 32,766 parameters (SQLite) or more. */
const ID_LIST_LIMIT = 1024

/**
 * Runs `query` once without restriction, or once for each part of the ids in ascending order, and
 * joins the rows. Parts are filled up to a power of two with their last id, which does not change
 * what they select.
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
