/**
 * Long lists, read in parts.
 *
 * A part is what comes after a position of the list, in the order of an index, at most so many
 * rows. Restrictions leave rows out that a client does not want. No statement looks at more than
 * some thousand rows of the list, however few of them are wanted and however many there are: it is
 * driven by the few rows that a restriction names, or it ends with a window of the index. So a part
 * may be empty although the list goes on.
 *
 * A list declares its indexes (`List`). `test/unit/api/read.test.ts` asks SQLite whether they are
 * used.
 */
import { type QueryExecutorProvider, type RawBuilder, sql } from 'kysely'
import type { AccountId } from '../../model/ids.ts'
import { isOf, padded, unindexed } from './in-parts.ts'

/** The values of the key columns of one row of a list, which goes on after it. */
export type Position = readonly (string | number)[]

/** Rows that have one of the values in this respect. */
export type Restriction<Name extends string = string> =
  | { readonly by: Name; readonly values: readonly string[] }
  | TagRestriction

/** Rows that have a tag with one of the keys and, if there are values, one of these. */
export interface TagRestriction {
  readonly by: 'tag'
  readonly keys: readonly string[]
  readonly values?: readonly string[]
}

/** What to read of a list. */
export interface PartQuery<Name extends string = string> {
  /** Absent: of all accounts. */
  readonly account?: AccountId
  /** All restrict. */
  readonly restrictions?: readonly Restriction<Name>[]
  /** Absent: from the beginning. */
  readonly after?: Position
  /** Most rows of the part. */
  readonly limit: number
  /** Smaller ones let a few records of a test stand for very many. */
  readonly reach?: Reach
}

/** How far one statement goes. */
interface Reach {
  /** Rows that a restriction may name to be read by their ids. */
  readonly few: number
  /** Rows of the index that a statement looks at. */
  readonly window: number
}

/** A part of a list. */
export interface Part<Id extends string> {
  /** What the rows are called by others, in the order of the list. */
  readonly ids: readonly Id[]
  /** The positions of the rows. */
  readonly keys: readonly Position[]
  /** Where the list goes on. Null: it ends with this part. */
  readonly next: Position | null
}

/** Rows by what rows of another table (or others of the same) say. */
interface Elsewhere {
  readonly from: RawBuilder<unknown>
  /** The column with what the list's rows are called. */
  readonly id: string
  /** The column with the value. It has an index. */
  readonly column: string
  /** The column with the account, where the index begins with it. */
  readonly account?: string
}

/** How a list is read. */
export interface List<Name extends string> {
  readonly table: string
  /** The column by which other tables call a row. */
  readonly id: string
  /** What the list is ordered by. There is an index of the account and these columns. */
  readonly key: readonly [string, ...string[]]
  /** Columns of the list by the name of their restriction. */
  readonly columns: Readonly<Partial<Record<Name, string>>>
  /** Of these, those with an index of the account, the column and the key. */
  readonly ordered?: readonly Name[]
  /** Where few rows can be found at once. */
  readonly elsewhere: Readonly<Partial<Record<Name, Elsewhere>>>
  /** What is true of all rows of the list. */
  readonly always?: RawBuilder<boolean>
}

const REACH: Reach = { few: 1024, window: 1024 }
/** Most values of an ordered column, each of which has its own stretch of the index. */
const STRETCHES_MAX = 8

type Db = QueryExecutorProvider
type Condition = RawBuilder<unknown>

/** Reads a part of a list. */
export async function readPart<Id extends string, Name extends string>(
  db: Db,
  list: List<Name>,
  query: PartQuery<Name>,
): Promise<Part<Id>> {
  const { account, restrictions = [], limit } = query
  const owner = `${list.table}.account`
  const conditions = restrictions.map((one) => ({ one, is: conditionOf(list, one) }))
  const always = list.always === undefined ? [] : [list.always]
  const few = await fewIds(db, list, query)
  if (few !== null) {
    if (few.length === 0) return { ids: [], keys: [], next: null }
    const named = is(`${list.table}.${list.id}`, few)
    const ofAccount = account === undefined ? [] : [isOf(owner, account, true)]
    const all = [...ofAccount, named, ...always, ...conditions.map((each) => each.is)]
    return part(list, await fewRows(db, list, all, query), limit, null)
  }
  const own = account === undefined ? [] : [is(owner, [account])]
  const ordered = conditions.find(({ one }) => isOrdered(list, one))
  const others = [...always, ...conditions.flatMap((each) => (each === ordered ? [] : [each.is]))]
  const stretches = ordered === undefined ? [own] : stretchesOf(list, ordered.one, own)
  const end = others.length === 0 ? null : await windowEnd(db, list, stretches, query)
  const within = end === null ? [] : [upTo(list, end)]
  const found: Row[] = []
  for (const stretch of stretches)
    found.push(...(await rowsOf(db, list, [...stretch, ...within, ...others], query)))
  return part(list, found, limit, end)
}

type Row = Readonly<Record<string, string | number>>

/** The rows after the position: one more than is asked for, which tells that there are more. */
async function rowsOf(
  db: Db,
  list: List<string>,
  conditions: readonly Condition[],
  { after, limit }: Pick<PartQuery, 'after' | 'limit'>,
): Promise<readonly Row[]> {
  const all = after === undefined ? conditions : [...conditions, behind(list, after)]
  const { rows } = await sql<Row>`
    select ${columnsOf(list)} from ${sql.table(list.table)}
    ${where(all)} order by ${columnsOf(list)} limit ${limit + 1}`.execute(db)
  return rows
}

/** All of them, in no order: for one, engines would prefer an index that does not find them. */
async function fewRows(
  db: Db,
  list: List<string>,
  conditions: readonly Condition[],
  { after }: Pick<PartQuery, 'after'>,
): Promise<readonly Row[]> {
  const all = after === undefined ? conditions : [...conditions, behind(list, after)]
  const { rows } = await sql<Row>`
    select ${columnsOf(list)} from ${sql.table(list.table)} ${where(all)}`.execute(db)
  return rows
}

/** The part of these rows. `end`: where the list goes on when all of them are in it. */
function part<Id extends string>(
  list: List<string>,
  rows: readonly Row[],
  limit: number,
  end: Position | null,
): Part<Id> {
  const positions = rows.map((row) => ({
    // Whoever uses the id finds no row by one that is malformed.
    id: String(row[list.id]) as Id,
    key: list.key.map((column) => row[column] ?? ''),
  }))
  const found = positions.toSorted((a, b) => compare(a.key, b.key)).slice(0, limit)
  const last = found.at(-1)
  return {
    ids: found.map(({ id }) => id),
    keys: found.map(({ key }) => key),
    next: rows.length > limit && last !== undefined ? last.key : end,
  }
}

/** As the engines compare. */
function compare(a: Position, b: Position): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? ''
    if (value === other) continue
    // They compare bytes, and these are the only characters that JavaScript orders differently.
    if (SURROGATES.test(`${value}${other}`))
      return Buffer.compare(Buffer.from(`${value}`), Buffer.from(`${other}`))
    return value < other ? -1 : 1
  }
  return 0
}

/** Characters of two code units. */
const SURROGATES = /[\ud800-\udfff]/

/** The position at which the first stretch has been looked at for long enough. Null: none has. */
async function windowEnd(
  db: Db,
  list: List<string>,
  stretches: readonly (readonly Condition[])[],
  { after, reach = REACH }: Pick<PartQuery, 'after' | 'reach'>,
): Promise<Position | null> {
  let end: Position | null = null
  for (const stretch of stretches) {
    const all = after === undefined ? stretch : [...stretch, behind(list, after)]
    const { rows } = await sql<Row>`
      select ${columnsOf(list)} from ${sql.table(list.table)}
      ${where(all)} order by ${columnsOf(list)} limit 1 offset ${reach.window - 1}`.execute(db)
    const [row] = rows
    if (row === undefined) continue
    const key: Position = list.key.map((column) => row[column] ?? '')
    if (end === null || compare(key, end) < 0) end = key
  }
  return end
}

/** The ids that a restriction names, if one of them names few. */
async function fewIds<Name extends string>(
  db: Db,
  list: List<Name>,
  { account, restrictions = [], reach = REACH }: PartQuery<Name>,
): Promise<readonly string[] | null> {
  for (const one of restrictions)
    if (one.by !== 'tag' && list.columns[one.by] === list.id) return [...new Set(one.values)]
  for (const one of restrictions) {
    const place = placeOf(list, one)
    if (place === undefined) continue
    const conditions = [
      ...(account === undefined || place.account === undefined
        ? []
        : [is(place.account, [account])]),
      ...place.conditions,
      sql`${sql.ref(place.id)} is not null`,
    ]
    const { rows } = await sql<{ readonly found: string }>`
      select distinct ${sql.ref(place.id)} as ${sql.ref('found')} from ${place.from}
      ${where(conditions)} limit ${reach.few + 1}`.execute(db)
    if (rows.length <= reach.few) return rows.map(({ found }) => String(found))
  }
  return null
}

/** Where rows that a restriction names are found by an index. */
interface Place extends Pick<Elsewhere, 'from' | 'id' | 'account'> {
  readonly conditions: readonly Condition[]
}

/** The list may be one of tags. */
const TAGGED = sql`${sql.table('tags')} as ${sql.ref('tagged')}`

/** `column` makes the conditions' columns of their names. */
function placeOf<Name extends string>(
  list: List<Name>,
  restriction: Restriction<Name>,
  column: (name: string) => Condition = sql.ref,
): Place | undefined {
  if (isOfTags(restriction)) {
    const { keys, values } = restriction
    const conditions = [
      isAmong(column('tagged.key'), keys),
      ...(values === undefined ? [] : [isAmong(column('tagged.value'), values)]),
    ]
    return { from: TAGGED, id: 'tagged.resource', account: 'tagged.account', conditions }
  }
  const place = list.elsewhere[restriction.by]
  return place && { ...place, conditions: [isAmong(column(place.column), restriction.values)] }
}

/** `by` may be any text, so the compiler does not tell the two apart by it. */
function isOfTags(restriction: Restriction): restriction is TagRestriction {
  return 'keys' in restriction
}

/** That a row of the list is restricted so. */
function conditionOf<Name extends string>(
  list: List<Name>,
  restriction: Restriction<Name>,
): Condition {
  const column = isOfTags(restriction) ? undefined : list.columns[restriction.by]
  if (column !== undefined && !isOfTags(restriction))
    return isAmong(unindexed(`${list.table}.${column}`), restriction.values)
  const place = placeOf(list, restriction, unindexed)
  // A restriction that the list does not know does not restrict: the client's filter does.
  if (place === undefined) return sql`1 = 1`
  const isRow = sql`${sql.ref(place.id)} = ${sql.ref(`${list.table}.${list.id}`)}`
  const conditions = [isRow, ...place.conditions]
  return sql`exists (select 1 from ${place.from} ${where(conditions)})`
}

function isOrdered<Name extends string>(list: List<Name>, one: Restriction<Name>): boolean {
  if (isOfTags(one)) return false
  return list.ordered?.includes(one.by) === true && new Set(one.values).size <= STRETCHES_MAX
}

/** The rows of each value of an ordered column. */
function stretchesOf<Name extends string>(
  list: List<Name>,
  restriction: Restriction<Name>,
  own: readonly Condition[],
): readonly (readonly Condition[])[] {
  if (isOfTags(restriction)) return [own]
  const column = `${list.table}.${list.columns[restriction.by] ?? ''}`
  return [...new Set(restriction.values)].map((value) => [...own, is(column, [value])])
}

function columnsOf({ table, key }: List<string>): Condition {
  return sql.join(key.map((column) => sql.ref(`${table}.${column}`)))
}

function where(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? sql`` : sql`where ${sql.join(conditions, sql` and `)}`
}

function is(column: string, values: readonly string[]): Condition {
  return isAmong(sql.ref(column), values)
}

function isAmong(column: Condition, values: readonly string[]): Condition {
  const [first] = values
  return values.length === 1
    ? sql`${column} = ${first}`
    : sql`${column} in (${sql.join(padded(values))})`
}

/** Behind a position. The first comparison gives the engines a range of the index. */
function behind(list: List<string>, position: Position): Condition {
  return beyond(list, position, { first: '>=', other: '>', last: '>' })
}

function upTo(list: List<string>, position: Position): Condition {
  return beyond(list, position, { first: '<=', other: '<', last: '<=' })
}

interface Comparisons {
  readonly first: '>=' | '<='
  readonly other: '>' | '<'
  readonly last: '>' | '<='
}

function beyond({ table, key }: List<string>, position: Position, by: Comparisons): Condition {
  const compared = (index: number, sign: string) =>
    sql`${sql.ref(`${table}.${key[index] ?? ''}`)} ${sql.raw(sign)} ${position[index]}`
  const from = (index: number): Condition =>
    index === key.length - 1
      ? compared(index, by.last)
      : sql`(${compared(index, by.other)} or (${compared(index, '=')} and ${from(index + 1)}))`
  return key.length === 1 ? from(0) : sql`${compared(0, by.first)} and ${from(0)}`
}
