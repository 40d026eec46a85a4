/**
 * Filtering and paging, the same for all Describe actions.
 *
 * A page token names the last item of the page, not a position, so items that come or go between
 * two pages neither repeat nor hide others. Clients treat the token as opaque.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination
 */
import { parseJson } from '../lib/json.ts'
import { refused } from '../model/errors.ts'
import { type Budget, STEPS_PER_ITEM, sortInSlices } from './budget.ts'
import { compileFilters, type Filter, type FilterTable, type TagView } from './filters.ts'
import { DOCUMENTED_FILTERS } from './generated/filters.ts'

/** What a Describe request says about the list it wants. */
export interface DescribeRequest {
  readonly Filters?: readonly Filter[] | undefined
  readonly MaxResults?: number | undefined
  readonly NextToken?: string | undefined
}

/** How the items of one action are told apart and filtered. */
export interface Listing<T> {
  /** Name of the action: a token of one is refused by another. */
  readonly action: string
  /** Unique among the items; pages come in its ascending order (by UTF-16 code unit). */
  readonly key: (item: T) => string
  readonly filters: FilterTable<T>
  /** Absent for items without tags. */
  readonly tags?: (item: T) => readonly TagView[]
  /** EC2 knows no pages for this action: all items are handed out together. */
  readonly unpaged?: true
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Undefined on the last page. */
  readonly nextToken: string | undefined
}

/** Longer tokens are none of ours. */
const NEXT_TOKEN_MAX_LENGTH = 1024
/** Changes with the token's form, so that an old one is refused and not misread. */
const NEXT_TOKEN_VERSION = 1

/**
 * The page of `items` that the request asks for; without `MaxResults` as many as the door gives at
 * once, and a token for the rest. Refuses unknown filters (`InvalidParameterValue`), tokens that
 * this action did not make (`InvalidNextToken`), and what needs more work than the budget has
 * (`RequestLimitExceeded`).
 */
export async function describe<T>(
  { budget }: { readonly budget: Budget },
  items: readonly T[],
  request: DescribeRequest,
  listing: Listing<T>,
): Promise<Page<T>> {
  const { action } = listing
  const documented = DOCUMENTED_FILTERS[action] ?? []
  const passes = await compileFilters(budget, request.Filters ?? [], { ...listing, documented })
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

/**
 * EC2 pages through a whole listing only: refuses `MaxResults` beside a list of ids. `parameter` is
 * EC2's own name of the list.
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

/** Whether something is among those that were asked for; when none were, everything is. */
export function isAmong<T>(wanted: readonly T[]): (one: T) => boolean {
  const set = new Set(wanted)
  return (one) => set.size === 0 || set.has(one)
}

/**
 * Refuses with the action's own NotFound when one of the ids that were asked for is not among those
 * found.
 */
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
  throw refused(
    'InvalidNextToken',
    'The NextToken is not one that this action returned; start again without it',
  )
}
