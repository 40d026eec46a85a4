/**
 * Answers reads from the database, or from this host's replica while the database is unreachable.
 *
 * A replica may be old, so it never refuses: what it lacks may exist, and a client that hears
 * NotFound gives up. A refusal by the replica is tried once more with the database only, and is
 * `unavailable` if that does not answer; every SDK retries that.
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
