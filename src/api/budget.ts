/**
 * Limits what one request may use of the process: steps of work, time without a pause, size of the
 * answer.
 *
 * Work is counted in steps (a compared character, an inspected item) and not in time, so that a
 * refusal does not depend on the load of the machine. Between pieces of a few milliseconds, DHCP,
 * DNS, metadata, the lease and other requests get their turn (`lib/turns.ts`).
 */
import type { Clock } from '../lib/clock.ts'
import { createTimeSlice, type Turns } from '../lib/turns.ts'
import { refused, unavailable } from '../model/errors.ts'

/** Limits that depend on the transport. */
export interface BudgetLimits {
  /** Items on a page when the request has no `MaxResults`. */
  readonly pageItems: number
  /** Longest answer, in bytes. */
  readonly answerBytes: number
}

/** The budget of one request. */
export interface Budget extends BudgetLimits {
  /** Counts work. Refuses with `RequestLimitExceeded` above the limit of a request. */
  spend(steps: number): void
  /** Whether the current piece of work has lasted long enough. Then wait for `turn`. */
  due(): boolean
  /** Resolves when the next piece may begin. */
  turn(): Promise<void>
}

/**
 * About a quarter of a second of comparing characters. 200 patterns over 2,000 tags of 100
 * characters need 40 million.
 */
const STEPS_MAX = 60_000_000

/**
 * A full budget whose first piece begins now. Turns alternate between owners; `owner` is the access
 * key or address of the client.
 */
export function createBudget(
  parts: { readonly turns: Turns; readonly clock: Pick<Clock, 'monotonic'> },
  { pageItems, answerBytes }: BudgetLimits,
  owner: string,
): Budget {
  const { turns, clock } = parts
  let left = STEPS_MAX
  const piece = createTimeSlice(clock)
  return {
    pageItems,
    answerBytes,
    spend(steps) {
      left -= steps
      if (left >= 0) return
      throw refused(
        'RequestLimitExceeded',
        'Request limit exceeded: this request needs too much work; use fewer filter values and wildcards',
      )
    },
    due: piece.isOver,
    async turn() {
      await turns.next(owner)
      piece.begin()
    },
  }
}

/** The result of `make` for each item, computed in pieces. */
export async function mapInSlices<T, U>(
  budget: Budget,
  items: Iterable<T>,
  make: (item: T) => U,
): Promise<U[]> {
  const made: U[] = []
  for (const item of items) {
    if (budget.due()) await budget.turn()
    budget.spend(STEPS_PER_ITEM)
    made.push(make(item))
  }
  return made
}

/** The cost of an item that is made into a view and inspected. */
export const STEPS_PER_ITEM = 100

/**
 * Call it before each row that a long transaction writes, because SQLite writes on this event loop.
 */
export async function writeOne(budget: Budget): Promise<void> {
  budget.spend(STEPS_PER_ROW)
  if (budget.due()) await budget.turn()
}

/**
 * A row takes as long as comparing this many characters. So one request may write at most 30,000
 * rows.
 */
const STEPS_PER_ROW = 2_000

/**
 * Sorts the items by their keys (by UTF-16 code unit), in pieces: runs are sorted and then merged.
 */
export async function sortInSlices<T extends { readonly key: string }>(
  budget: Budget,
  items: readonly T[],
): Promise<readonly T[]> {
  let runs: (readonly T[])[] = []
  for (let at = 0; at < items.length; at += RUN_ITEMS) {
    if (budget.due()) await budget.turn()
    runs.push(items.slice(at, at + RUN_ITEMS).sort((a, b) => (a.key < b.key ? -1 : 1)))
  }
  while (runs.length > 1) {
    const merged: (readonly T[])[] = []
    for (let at = 0; at < runs.length; at += 2)
      merged.push(await merge(budget, runs[at] ?? [], runs[at + 1] ?? []))
    runs = merged
  }
  return runs[0] ?? []
}

const RUN_ITEMS = 1000

async function merge<T extends { readonly key: string }>(
  budget: Budget,
  left: readonly T[],
  right: readonly T[],
): Promise<readonly T[]> {
  const merged: T[] = []
  let at = 0
  for (const item of left) {
    if (merged.length % RUN_ITEMS === 0 && budget.due()) await budget.turn()
    for (let other = right[at]; other !== undefined && other.key < item.key; other = right[at]) {
      merged.push(other)
      at += 1
    }
    merged.push(item)
  }
  for (const item of right.slice(at)) merged.push(item)
  return merged
}

/**
 * A deadline for work on one request: the error when it takes too long, or when the client
 * disconnects.
 */
export function actionDeadline(clock: Pick<Clock, 'after'>, ms: number, gone?: AbortSignal) {
  const late = () => unavailable(`The request took longer than ${ms} ms; try again`)
  return { clock, ms, late, ...(gone === undefined ? {} : { signal: gone }) }
}
