/**
 * Answers by the records as they are, or by this host's copy of them while they are away.
 *
 * A copy may be old. Nobody is refused by it: what it lacks (an instance that was just launched at
 * another host) may be there, and a client that hears NotFound gives up. So what a copy refuses is
 * asked once more of the records, and is `unavailable` when these do not come; every SDK tries that
 * again.
 */
import { AtollError } from '../model/errors.ts'
import type { InformedStore } from '../store/steady.ts'
import type { Action, Call } from './action.ts'

/** What was found by records. */
interface Answer<T> {
  readonly output: T
  /** Of what time (ISO 8601) the copy was that it rests on; null when it rests on the records. */
  readonly asOf: string | null
}

/** What an action answers. */
export type ActionAnswer = Answer<object>

/**
 * Does something by the records. Rejects as it does, or with `unavailable` instead of a refusal by
 * old records.
 */
export async function withReplicaFallback<T>(
  store: InformedStore,
  run: (store: InformedStore) => Promise<T>,
): Promise<Answer<T>> {
  const records = store.forRequest()
  try {
    const output = await run(records)
    return { output, asOf: records.staleSince() }
  } catch (error) {
    const isOurs = error instanceof AtollError && error.kind !== 'bug'
    if (!isOurs || records.staleSince() === null || records.hasWritten()) throw error
    return { output: await run(records.insisting()), asOf: null }
  }
}

/** Runs an action `withReplicaFallback`. */
export function answerWithFallback(action: Action, call: Call): Promise<ActionAnswer> {
  return withReplicaFallback(call.parts.store, (store) =>
    action.run({ ...call, parts: { ...call.parts, store } }),
  )
}
