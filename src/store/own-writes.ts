/**
 * This host's own writes, remembered as the calls that made them, so that its copy of the records
 * (`replica.ts`) has them as soon as the records have: a host never answers from before its own
 * last write.
 *
 * Only calls whose effect clients can read are made again, and each is looked at afterwards: a copy
 * that lacks what a call rests on cannot have its effect, and says so.
 */
import { bug } from '../model/errors.ts'
import { isEngineError } from './engines/engine.ts'
import { type AnyNoun, NOUNS } from './nouns.ts'
import type { Store, Tx } from './store.ts'

/** Whether a copy shows what a call made. */
type Shown = (tx: Tx, ...given: readonly unknown[]) => Promise<boolean>

/** The writes that are made again in a copy, and whether it shows them then: as the nouns say. */
function copiedWrites(nouns: readonly AnyNoun[]): ReadonlyMap<string, Shown> {
  const all = nouns.flatMap(({ inCopy }) => Object.entries<Shown | null>(inCopy))
  return new Map(all.flatMap(([name, shown]) => (shown === null ? [] : [[name, shown]])))
}

/** One call that was committed. */
export interface OwnCall {
  /** The name of a noun's write. */
  readonly method: string
  readonly given: readonly unknown[]
  /** Whether a copy is whole without it. */
  readonly isFact: boolean
}

/**
 * Who writes. `client`: the copy is to show it. `agent`: it tells facts of instances that may have
 * been launched at another host a moment ago; a copy that does not know such an instance yet is
 * none the worse for not knowing that it runs.
 */
type Writer = 'client' | 'agent'

/** What hears of own writes. */
export interface OwnWrites {
  /** These calls were committed, in this order, in one transaction. */
  wrote(calls: readonly OwnCall[]): void
}

/**
 * The store, which tells of each committed transaction what it has changed, before its caller knows
 * that it was committed.
 */
export function noteWrites(
  store: Store,
  to: OwnWrites,
  writer: Writer,
  nouns: readonly AnyNoun[] = NOUNS,
): Store {
  const isFact = writer === 'agent'
  const copied = copiedWrites(nouns)
  const noted =
    (run: Store['change']): Store['change'] =>
    async (work) => {
      // With the result, because the run that counts need not be the last one
      // (`records/commit.ts`).
      const { result, calls } = await run(async (tx) => {
        const made: OwnCall[] = []
        const note = (method: string, given: readonly unknown[]) =>
          made.push({ method, given, isFact })
        return { result: await work(noting(tx, copied, note)), calls: made }
      })
      if (calls.length > 0) to.wrote(calls)
      return result
    }
  return { ...store, change: noted(store.change), claim: noted(store.claim) }
}

function noting(
  tx: Tx,
  copied: ReadonlyMap<string, Shown>,
  note: (method: string, given: readonly unknown[]) => void,
): Tx {
  return new Proxy(tx, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function' || typeof name !== 'string' || !copied.has(name))
        return method
      return async (...given: readonly unknown[]) => {
        const outcome: unknown = await Reflect.apply(method, target, given)
        if (outcome === undefined || outcome === 'done') note(name, given)
        return outcome
      }
    },
  })
}

/**
 * Makes the calls again in a copy; false when it does not show all of them afterwards. Calls that
 * it has already do no harm.
 */
async function repeat(
  tx: Tx,
  copied: ReadonlyMap<string, Shown>,
  calls: readonly OwnCall[],
): Promise<boolean> {
  let isWhole = true
  for (const { method, given, isFact } of calls) {
    const write: unknown = Reflect.get(tx, method)
    const shown = copied.get(method)
    if (typeof write !== 'function' || shown === undefined)
      throw bug('a write that no noun has is to be made again', { method })
    try {
      await Reflect.apply(write, tx, given)
    } catch (error) {
      if (!isEngineError(error, 'duplicate', 'referenced', 'misuse')) throw error
    }
    if (!isFact && !(await shown(tx, ...given))) isWhole = false
  }
  return isWhole
}

/**
 * Own writes on their way into a copy, each with its place in the order in which they were
 * committed.
 */
export interface Backlog {
  add(calls: readonly OwnCall[]): void
  /**
   * The place of the next one. Taken before the records are read, it tells which writes these have
   * for certain: all before it.
   */
  end(): number
  /** Whether the copy lacks some that can be put there. */
  isDue(): boolean
  /**
   * Puts the due ones into the copy. Call what it gives when the transaction is committed, and
   * begin no other one before.
   */
  put(tx: Tx): Promise<() => void>
  /**
   * The same for a copy that was just made again of records that have all writes before the place.
   */
  putAfter(tx: Tx, place: number): Promise<() => void>
  /** Whether the copy shows all writes but the due ones. */
  isShown(): boolean
}

/**
 * Nothing has been written. More than `limit` calls are not remembered: only a new copy shows them
 * then.
 */
export function createBacklog(limit: number, nouns: readonly AnyNoun[] = NOUNS): Backlog {
  const copied = copiedWrites(nouns)
  let calls: OwnCall[] = []
  /** The place of the first of `calls`; those before are in the copy, or forgotten. */
  let first = 0
  /** The place of the first one that the copy was not given. */
  let next = 0
  /** What is before this place was forgotten, whatever became of it. */
  let forgotten = 0
  let isShown = true
  const end = () => first + calls.length

  async function repeatFrom(tx: Tx, from: number) {
    const until = end()
    const isWhole = await repeat(tx, copied, calls.slice(from - first))
    return { isWhole, until }
  }
  return {
    add(more) {
      calls.push(...more)
      if (calls.length <= limit) return
      first = end()
      next = first
      forgotten = first
      calls = []
      isShown = false
    },
    end,
    isDue: () => next < end(),
    async put(tx) {
      const { isWhole, until } = await repeatFrom(tx, next)
      return () => {
        next = Math.max(next, until)
        if (!isWhole) isShown = false
      }
    },
    async putAfter(tx, place) {
      const { isWhole, until } = await repeatFrom(tx, Math.max(place, first))
      return () => {
        next = Math.max(next, until)
        isShown = isWhole && place >= forgotten
        const done = Math.max(0, place - first)
        calls = calls.slice(done)
        first += done
      }
    },
    isShown: () => isShown,
  }
}
