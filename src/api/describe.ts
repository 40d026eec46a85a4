/**
 * Filters and pages, the same for all Describe actions.
 *
 * A page token names the last item of the page, not a position. So items that appear or disappear
 * between two pages neither repeat nor hide others. Clients treat the token as opaque.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination
 */
import { parseJson } from '../lib/json.ts'
import { refused } from '../model/errors.ts'
import type { Position } from '../store/records/part.ts'
import { type Budget, mapInSlices, STEPS_PER_ITEM, sortInSlices } from './budget.ts'
import { compileFilters, type Filter, type FilterTable, type TagView } from './filters.ts'
import { DOCUMENTED_FILTERS } from './generated/filters.ts'

/** The parameters of a Describe request that concern its list. */
export interface DescribeRequest {
  readonly Filters?: readonly Filter[] | undefined
  /** The name of `Filters` in some actions. */
  readonly Filter?: readonly Filter[] | undefined
  readonly MaxResults?: number | undefined
  readonly NextToken?: string | undefined
}

/** How the items of one action are identified and filtered. */
export interface Listing<T> {
  /** Name of the action. Other actions refuse its tokens. */
  readonly action: string
  /** Unique among the items. Pages are in its ascending order (by UTF-16 code unit). */
  readonly key: (item: T) => string
  readonly filters: FilterTable<T>
  /** Absent for items without tags. */
  readonly tags?: (item: T) => readonly TagView[]
  /** EC2 has no pages for this action: all items are returned at once. */
  readonly unpaged?: true
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Undefined on the last page. */
  readonly nextToken: string | undefined
}

/** Longer tokens are not ours. */
const NEXT_TOKEN_MAX_LENGTH = 1024
/** Changes with the token's format, so that old tokens are refused. */
const NEXT_TOKEN_VERSION = 1

/**
 * The requested page of `items`, and a token for the rest. Without `MaxResults` the page is as
 * large as the transport allows. Refuses unknown filters (`InvalidParameterValue`), tokens that
 * this action did not create (`InvalidNextToken`), and what exceeds the budget
 * (`RequestLimitExceeded`).
 */
export async function describe<T>(
  { budget }: { readonly budget: Budget },
  items: readonly T[],
  request: DescribeRequest,
  listing: Listing<T>,
): Promise<Page<T>> {
  const { action } = listing
  const passes = await filterOf(budget, request, listing)
  const after = request.NextToken === undefined ? '' : parseToken(request.NextToken, action)
  const passed: { readonly item: T; readonly key: string }[] = []
  for (const item of items) {
    if (budget.due()) await budget.turn()
    budget.spend(STEPS_PER_ITEM)
    const key = listing.key(item)
    if (key > after && passes(item)) passed.push({ item, key })
  }
  const rest = await sortInSlices(budget, passed)
  const most = listing.unpaged === true ? rest.length : budget.pageItems
  const page = rest.slice(0, request.MaxResults ?? most)
  const last = page.at(-1)
  const more = last !== undefined && page.length < rest.length
  return {
    items: page.map(({ item }) => item),
    nextToken: more ? formatToken(action, last.key) : undefined,
  }
}

/** A part of a long list, as items. */
interface ItemsOfPart<T> {
  readonly items: readonly T[]
  /** Where the list goes on. Null: it ends with this part. */
  readonly next: Position | null
}

/** How a long list is read, in ascending order of the keys of its items. */
export interface LongList<T> {
  /** The position after the item with this key. Undefined: no item has such a key. */
  readonly positionOf: (key: string) => Position | undefined
  /** At most `limit` items after a position (absent: from the beginning). */
  readonly part: (after: Position | undefined, limit: number) => Promise<ItemsOfPart<T>>
}

/** The position after an item in a list that is ordered by ids. */
export function positionOfId(key: string): Position | undefined {
  return key === '' ? undefined : [key]
}

/** Most items of a part: those of the longest page, and one that tells that there are more. */
const PART_MAX = 1001

/**
 * As `describe`, of a list that is read in parts until the page is full. Each part is of its own
 * time. As the list has an order, what does not change between two parts is neither lost nor
 * repeated.
 */
export async function describeLong<T>(
  { budget }: { readonly budget: Budget },
  list: LongList<T>,
  request: DescribeRequest,
  listing: Listing<T>,
): Promise<Page<T>> {
  const { action } = listing
  const passes = await filterOf(budget, request, listing)
  const filters = request.Filters ?? request.Filter ?? []
  if (filters.some(({ Values }) => Values.length === 0)) return { items: [], nextToken: undefined }
  let after = request.NextToken === undefined ? undefined : parsePosition(request.NextToken)
  const most = request.MaxResults ?? budget.pageItems
  const passed: T[] = []
  for (let limit = Math.min(most + 1, PART_MAX); ; limit = Math.min(limit * 2, PART_MAX)) {
    const { items, next } = await list.part(after, limit)
    const tested = await mapInSlices(budget, items, (item) => ({ item, isIn: passes(item) }))
    for (const { item, isIn } of tested) if (isIn) passed.push(item)
    if (next === null || passed.length > most) break
    after = next
  }
  const page = passed.slice(0, most)
  const last = page.at(-1)
  const more = last !== undefined && page.length < passed.length
  return {
    items: page,
    nextToken: more ? formatToken(action, listing.key(last)) : undefined,
  }

  function parsePosition(token: string): Position {
    return list.positionOf(parseToken(token, action)) ?? refuseToken()
  }
}

function filterOf<T>(
  budget: Budget,
  { Filters, Filter }: DescribeRequest,
  listing: Listing<T>,
): Promise<(item: T) => boolean> {
  const documented = DOCUMENTED_FILTERS[listing.action] ?? []
  return compileFilters(budget, Filters ?? Filter ?? [], { ...listing, documented })
}

/**
 * Refuses `MaxResults` together with a list of ids, because EC2 has pages only for whole lists.
 * `parameter` is EC2's name of the list.
 */
export function refuseIdsWithMaxResults(
  parameter: string,
  ids: readonly string[] | undefined,
  request: DescribeRequest,
): void {
  if (ids === undefined || ids.length === 0 || request.MaxResults === undefined) return
  throw refused(
    'InvalidParameterCombination',
    `The parameter ${parameter} cannot be used with the parameter ${/^[a-z]/.test(parameter) ? 'maxResults' : 'MaxResults'}`,
  )
}

/** Whether an item was requested. Without a list, everything was. */
export function isAmong<T>(wanted: readonly T[]): (one: T) => boolean {
  const set = new Set(wanted)
  return (one) => set.size === 0 || set.has(one)
}

/** Refuses with the action's NotFound when a requested id was not found. */
export function refuseMissing<I extends string>(
  wanted: readonly I[] | undefined,
  found: ReadonlySet<string>,
  refuse: (missing: readonly I[]) => Error,
): void {
  const missing = (wanted ?? []).filter((id) => !found.has(id))
  if (missing.length > 0) throw refuse(missing)
}

function formatToken(action: string, after: string): string {
  return Buffer.from(JSON.stringify([NEXT_TOKEN_VERSION, action, after])).toString('base64url')
}

function parseToken(token: string, action: string): string {
  const isShort = token.length <= NEXT_TOKEN_MAX_LENGTH
  const parsed = isShort ? parseJson(Buffer.from(token, 'base64url').toString('utf8')) : undefined
  if (Array.isArray(parsed) && parsed.length === 3) {
    const [version, forAction, after]: readonly unknown[] = parsed
    if (version === NEXT_TOKEN_VERSION && forAction === action && typeof after === 'string')
      return after
  }
  return refuseToken()
}

function refuseToken(): never {
  throw refused(
    'InvalidNextToken',
    'The NextToken is not one that this action returned; start again without it',
  )
}
