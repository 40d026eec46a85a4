/**
 * Actions that only read: `describeAction` makes one that returns a list with filters and pages,
 * `readAction` any other.
 *
 * Both parse the parameters, and end a dry run before anything is read. The replica may answer
 * reads (`replica-fallback.ts`).
 */
import { z } from 'zod'
import type { Bus } from '../bus/bus.ts'
import { isoTime } from '../lib/clock.ts'
import { bug } from '../model/errors.ts'
import type { AccountId } from '../model/ids.ts'
import type { PartQuery, Position } from '../store/records/part.ts'
import type { ReadTx } from '../store/store.ts'
import type { Action, ActionName, ApiParts, ApiSettings, Call, Caller } from './action.ts'
import { mapInSlices } from './budget.ts'
import {
  type DescribeRequest,
  describe,
  describeLong,
  type Listing,
  type LongList,
} from './describe.ts'
import { dryRun, parseInput } from './parameters.ts'
import { type Narrowing, restrictionsOf } from './restrictions.ts'
import { dryRunShape } from './schemas.ts'

/** What a reading action gets. */
export interface Reading {
  /** The caller's account. */
  readonly account: AccountId
  readonly caller: Caller
  readonly settings: ApiSettings
  /** Cryptographically random bytes. */
  readonly random: ApiParts['random']
  /** Decodes why a request was not authorized. */
  readonly messages: ApiParts['messages']
  /** The time of the request (ISO 8601). */
  readonly now: string
  /** Reads in one snapshot. */
  readonly read: <T>(work: (tx: ReadTx) => Promise<T>) => Promise<T>
  /** Asks a host over the bus. */
  readonly ask: Bus['ask']
  /** Name or address, and port, that the client used to reach this API. Undefined for the bus. */
  readonly authority: string | undefined
  /** The client's IP address, for policies. */
  readonly sourceIp: string | undefined
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

interface ReadSpec<S extends z.ZodType, P> {
  /** As in the request's `Action` parameter. */
  readonly name: ActionName
  /** Its parameters, except `DryRun`. */
  readonly input: S
  /** Checks before a dry run ends. Without it `answer` gets the parsed parameters. */
  readonly prepare?: (asked: z.output<S>, reading: Reading) => P | Promise<P>
  /** The answer, in the members of the SDK's output shape. */
  readonly answer: (prepared: P, reading: Reading) => object | Promise<object>
  /** A replica has no such records. */
  readonly needsRecords?: true
}

/** An action that returns one thing. */
export function readAction<S extends z.ZodType, P = z.output<S>>(spec: ReadSpec<S, P>): Action {
  const { name, input, prepare, answer, needsRecords } = spec
  return {
    name,
    input,
    ...(needsRecords === undefined ? {} : { needsRecords }),
    async run(call) {
      const reading = readingOf(call)
      const asked = parseAsked(input, call)
      // Without `prepare`, P is the schema's output.
      const prepared = prepare === undefined ? (asked as P) : await prepare(asked, reading)
      dryRun(call)
      return await answer(prepared, reading)
    },
  }
}

/** How a list is read that may be long: in parts, in the order of its items' keys. */
interface PartsSpec<S extends z.ZodType, Row, Name extends string> {
  readonly narrowing: Narrowing<Name>
  /** The position in the records of the item with this key. Undefined: there is no such key. */
  readonly positionOf: (key: string) => Position | undefined
  /** The items of one part. It may be fewer than the records have, if some are unreadable. */
  readonly read: (
    query: PartQuery<Name> & { readonly account: AccountId },
    asked: z.output<S>,
    reading: Reading,
  ) => Promise<{ readonly rows: readonly Row[]; readonly next: Position | null }>
}

interface DescribeSpec<S extends z.ZodType<DescribeRequest>, Row, View, Name extends string>
  extends Omit<Listing<View>, 'action'> {
  /** As in the request's `Action` parameter. */
  readonly name: ActionName
  /** Its parameters, except `DryRun`, including those of `filterShape` or `pagedShape`. */
  readonly input: S
  /** Refuses parameters that exclude each other. */
  readonly check?: (asked: z.output<S>) => void
  /**
   * The requested items by ids or names, or all items, before filters and pages. Refuses what does
   * not exist. Null: no item is requested by its id, and all are read in `parts`.
   */
  readonly rows: (asked: z.output<S>, reading: Reading) => Rows<Row> | Promise<Rows<Row>>
  /** Absent: the list cannot be long. */
  readonly parts?: PartsSpec<S, Row, Name>
  /** An item as a client sees it. Called in pieces, between which other work gets its turn. */
  readonly view: (row: Row, asked: z.output<S>, reading: Reading) => View
  /** The answer except its `NextToken`, in the members of the SDK's output shape. */
  readonly answer: (views: View[]) => object
}

type Rows<Row> = readonly Row[] | null

/** An action that returns a list. */
export function describeAction<
  S extends z.ZodType<DescribeRequest>,
  Row,
  View,
  Name extends string = never,
>(spec: DescribeSpec<S, Row, View, Name>): Action {
  const { name, input, check, rows, parts, view, answer, ...rest } = spec
  const listing = { ...rest, action: name }
  return {
    name,
    input,
    filters: { names: Object.keys(spec.filters), tags: spec.tags !== undefined },
    async run(call) {
      const reading = readingOf(call)
      const asked = parseAsked(input, call)
      check?.(asked)
      dryRun(call)
      const found = await rows(asked, reading)
      const viewed = (some: readonly Row[]) =>
        mapInSlices(call.budget, some, (row) => view(row, asked, reading))
      const page =
        found === null
          ? await describeLong(call, longList(asked, reading, viewed), asked, listing)
          : await describe(call, await viewed(found), asked, listing)
      const more = page.nextToken === undefined ? {} : { NextToken: page.nextToken }
      return { ...answer([...page.items]), ...more }
    },
  }

  function longList(
    asked: z.output<S>,
    reading: Reading,
    viewed: (rows: readonly Row[]) => Promise<readonly View[]>,
  ): LongList<View> {
    if (parts === undefined) throw bug('a list is not read in parts', { name })
    const restrictions = restrictionsOf(asked, parts.narrowing, spec.tags !== undefined)
    return {
      positionOf: parts.positionOf,
      async part(after, limit) {
        const query = { account: reading.account, restrictions, limit }
        const at = after === undefined ? query : { ...query, after }
        const part = await parts.read(at, asked, reading)
        return { items: await viewed(part.rows), next: part.next }
      },
    }
  }
}

const dryRunSchema = z.looseObject(dryRunShape)

function parseAsked<S extends z.ZodType>(schema: S, call: Call): z.output<S> {
  const { DryRun: _, ...input } = parseInput(dryRunSchema, call.input)
  return parseInput(schema, input)
}

function readingOf({ caller, parts, records, authority, sourceIp, signal }: Call): Reading {
  const { settings, bus, clock, messages, random } = parts
  const { account } = caller
  return {
    account,
    caller,
    settings,
    messages,
    random,
    now: isoTime(clock.now()),
    read: (work) => records.read(work),
    ask: bus.ask,
    authority,
    sourceIp,
    signal,
  }
}
