/**
 * EC2's filters: AND across names, OR across values, wildcards. Pure.
 *
 * A value may hold `*` (any run of characters) and `?` (any one); a backslash makes the next character plain. Values are
 * case-sensitive. `tag:<key>` and `tag-key` work on whatever has tags; a name that the table lacks is refused.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
 */
import { refused } from '../model/errors.ts'

/** One filter as the wire decodes it. */
export interface Filter {
  readonly Name: string
  readonly Values: readonly string[]
}

/** A tag in the member names of the SDK. */
export interface TagView {
  readonly Key?: string | undefined
  readonly Value?: string | undefined
}

/** What a filter compares with: a filter holds when one of the values matches one of these. */
type Comparable = string | number | boolean | Date | undefined
export type Comparables = Comparable | readonly Comparable[]

/** The filters of one action, by name. */
export type FilterTable<T> = Readonly<Record<string, (item: T) => Comparables>>

/**
 * Whether an item passes all filters. Refuses (`InvalidParameterValue`) a name that neither the table nor the tags know.
 * Without `tagsOf` the items have no tags to filter by.
 */
export function compileFilters<T>(
  filters: readonly Filter[],
  table: FilterTable<T>,
  tagsOf?: (item: T) => readonly TagView[],
): (item: T) => boolean {
  const tests = filters.map((filter) => compileFilter(filter, table, tagsOf))
  return (item) => tests.every((test) => test(item))
}

function compileFilter<T>(
  filter: Filter,
  table: FilterTable<T>,
  tagsOf: ((item: T) => readonly TagView[]) | undefined,
): (item: T) => boolean {
  const matches = matcherOf(filter.Values)
  const values = accessorOf(filter.Name, table, tagsOf)
  return (item) => {
    const found = values(item)
    return (isList(found) ? found : [found]).some(
      (value) => value !== undefined && matches(textOf(value)),
    )
  }
}

function accessorOf<T>(
  name: string,
  table: FilterTable<T>,
  tagsOf: ((item: T) => readonly TagView[]) | undefined,
): (item: T) => Comparables {
  const accessor = Object.hasOwn(table, name) ? table[name] : undefined
  if (accessor !== undefined) return accessor
  if (tagsOf !== undefined) {
    if (name === 'tag-key') return (item) => tagsOf(item).map((tag) => tag.Key)
    if (name.startsWith('tag:')) {
      const key = name.slice('tag:'.length)
      return (item) =>
        tagsOf(item)
          .filter((tag) => tag.Key === key)
          .map((tag) => tag.Value ?? '')
    }
  }
  throw refused('InvalidParameterValue', `The filter '${name}' is invalid`)
}

function isList(value: Comparables): value is readonly Comparable[] {
  return Array.isArray(value)
}

function textOf(value: Exclude<Comparable, undefined>): string {
  return value instanceof Date ? value.toISOString() : String(value)
}

/** Plain values are looked up, only those with wildcards are walked. */
function matcherOf(values: readonly string[]): (text: string) => boolean {
  const plain = new Set<string>()
  const globs: (readonly Piece[])[] = []
  for (const value of values) {
    const pieces = parseGlob(value)
    if (pieces.every((piece) => typeof piece === 'string')) plain.add(pieces.join(''))
    else globs.push(pieces)
  }
  return (text) => plain.has(text) || globs.some((glob) => matchesGlob(glob, [...text]))
}

/** One character, or a wildcard. */
type Piece = string | { readonly wild: 'one' | 'any' }

function parseGlob(pattern: string): readonly Piece[] {
  const pieces: Piece[] = []
  let escaped = false
  for (const character of pattern) {
    if (escaped) {
      pieces.push(character)
      escaped = false
    } else if (character === '\\') escaped = true
    else if (character === '*') pieces.push({ wild: 'any' })
    else if (character === '?') pieces.push({ wild: 'one' })
    else pieces.push(character)
  }
  // A backslash with nothing behind it can only mean itself.
  return escaped ? [...pieces, '\\'] : pieces
}

/**
 * Walks pattern and text side by side; a mismatch goes back to the last `*` only. So the work is at most the product of
 * the two lengths, which a regular expression made from a caller's pattern could not promise.
 */
function matchesGlob(glob: readonly Piece[], text: readonly string[]): boolean {
  let at = 0
  let piece = 0
  let lastAny = -1
  let retryAt = 0
  while (at < text.length) {
    const current = glob[piece]
    if (typeof current === 'object' && current.wild === 'any') {
      lastAny = piece
      retryAt = at
      piece += 1
    } else if (typeof current === 'object' || (current !== undefined && current === text[at])) {
      at += 1
      piece += 1
    } else if (lastAny >= 0) {
      retryAt += 1
      at = retryAt
      piece = lastAny + 1
    } else return false
  }
  return glob.slice(piece).every((rest) => typeof rest === 'object' && rest.wild === 'any')
}
