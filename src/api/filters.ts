/**
 * EC2's filters: AND across names, OR across values, wildcards (`glob.ts`). All work counts in the
 * request's budget.
 *
 * Names and values are case-sensitive, except booleans, which clients write as their languages do.
 * `tag:<key>`, `tag-key` and `tag-value` work on everything with tags. A filter without values
 * matches nothing. So does one that EC2 documents but that is not in the table: it concerns
 * something that Atoll does not have. Any other name is refused. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
 */
import { refused } from '../model/errors.ts'
import type { Budget } from './budget.ts'
import { type Glob, parseGlob } from './glob.ts'

/** A decoded filter. */
export interface Filter {
  readonly Name: string
  readonly Values: readonly string[]
}

/** A tag with the member names of the SDK. */
export interface TagView {
  readonly Key?: string | undefined
  readonly Value?: string | undefined
}

/**
 * The value that a filter is compared with. A filter matches if one of its values matches one of
 * these.
 */
type Comparable = string | number | boolean | Date | undefined
export type Comparables = Comparable | readonly Comparable[]

/** The filters of one action, by name. */
export type FilterTable<T> = Readonly<Record<string, (item: T) => Comparables>>

/** How the items of one action can be filtered. */
export interface Filterable<T> {
  readonly filters: FilterTable<T>
  /** Absent for items without tags. */
  readonly tags?: (item: T) => readonly TagView[]
  /** All filters that EC2 documents for the action. `tag:` stands for `tag:<key>`. */
  readonly documented: readonly string[]
}

/**
 * Whether an item passes all filters. Refuses (`InvalidParameterValue`) an unknown and undocumented
 * name.
 */
export async function compileFilters<T>(
  budget: Budget,
  filters: readonly Filter[],
  filterable: Filterable<T>,
): Promise<(item: T) => boolean> {
  const tests: ((item: T) => boolean)[] = []
  for (const filter of filters) tests.push(await compileFilter(budget, filter, filterable))
  return (item) => tests.every((test) => test(item))
}

async function compileFilter<T>(
  budget: Budget,
  filter: Filter,
  filterable: Filterable<T>,
): Promise<(item: T) => boolean> {
  const values = accessorOf(filter.Name, filterable)
  const matches = await matcherOf(budget, filter.Values)
  return (item) => {
    const found = values(item)
    return (isList(found) ? found : [found]).some((value) => textsOf(value).some(matches))
  }
}

function accessorOf<T>(name: string, { filters, tags, documented }: Filterable<T>) {
  const accessor = Object.hasOwn(filters, name) ? filters[name] : undefined
  if (accessor !== undefined) return accessor
  const ofTags = tags === undefined ? undefined : tagAccessorOf(name)
  if (tags !== undefined && ofTags !== undefined) return (item: T) => ofTags(tags(item))
  const isDocumented = isOfTags(name) ? documented.some(isOfTags) : documented.includes(name)
  if (isDocumented) return () => undefined
  throw refused('InvalidParameterValue', `The filter '${name}' is invalid`)
}

/** What the names of filters by a tag's value begin with. */
export const TAG = 'tag:'

function isOfTags(name: string): boolean {
  return name.startsWith(TAG) || name === 'tag-key' || name === 'tag-value'
}

function tagAccessorOf(name: string): ((tags: readonly TagView[]) => Comparables) | undefined {
  if (name === 'tag-key') return (tags) => tags.map((tag) => tag.Key)
  if (name === 'tag-value') return (tags) => tags.map((tag) => tag.Value ?? '')
  if (!name.startsWith(TAG)) return undefined
  const key = name.slice(TAG.length)
  return (tags) => tags.filter((tag) => tag.Key === key).map((tag) => tag.Value ?? '')
}

function isList(value: Comparables): value is readonly Comparable[] {
  return Array.isArray(value)
}

/** The spellings of a value. A filter may use any of them. */
function textsOf(value: Comparable): readonly string[] {
  if (value === undefined) return []
  if (value instanceof Date) return [value.toISOString()]
  // Python and Go programs write booleans differently.
  if (typeof value === 'boolean')
    return value ? ['true', 'True', 'TRUE'] : ['false', 'False', 'FALSE']
  return [String(value)]
}

/** Plain values are looked up. Only those with wildcards are matched one by one. */
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

/** Characters of two code units. */
const SURROGATES = /[\ud800-\udfff]/
