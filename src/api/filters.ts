/**
 * EC2's filters: AND across names, OR across values, wildcards (`glob.ts`). All work is counted in the request's budget.
 *
 * Values are case-sensitive. `tag:<key>` and `tag-key` work on whatever has tags; a name that the table lacks is refused.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
 */
import { refused } from '../model/errors.ts'
import type { Budget } from './budget.ts'
import { type Glob, parseGlob } from './glob.ts'

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
export async function compileFilters<T>(
  budget: Budget,
  filters: readonly Filter[],
  table: FilterTable<T>,
  tagsOf?: (item: T) => readonly TagView[],
): Promise<(item: T) => boolean> {
  const tests: ((item: T) => boolean)[] = []
  for (const filter of filters) tests.push(await compileFilter(budget, filter, table, tagsOf))
  return (item) => tests.every((test) => test(item))
}

async function compileFilter<T>(
  budget: Budget,
  filter: Filter,
  table: FilterTable<T>,
  tagsOf: ((item: T) => readonly TagView[]) | undefined,
): Promise<(item: T) => boolean> {
  const values = accessorOf(filter.Name, table, tagsOf)
  const matches = await matcherOf(budget, filter.Values)
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
async function matcherOf(
  budget: Budget,
  values: readonly string[],
): Promise<(text: string) => boolean> {
  const plain = new Set<string>()
  const globs: Glob[] = []
  for (const value of new Set(values)) {
    if (budget.due()) await budget.turn()
    budget.spend(value.length)
    const glob = parseGlob(value)
    if (glob.plain === undefined) globs.push(glob)
    else plain.add(glob.plain)
  }
  return (text) => {
    budget.spend(1)
    if (plain.has(text)) return true
    if (globs.length === 0) return false
    const characters = SURROGATES.test(text) ? [...text] : text
    return globs.some((glob) => glob.matches(characters, budget.spend))
  }
}

/** Characters outside the first plane, which are two code units each. */
const SURROGATES = /[\ud800-\udfff]/
