/**
 * Answers reads from the database, or from this host's replica while the database is unreachable.
 *
 * A replica may be old, so it never refuses: what it lacks may exist, and a client gives up after
 * NotFound. After a refusal by the replica, the read is repeated with the database only, and is
 * `unavailable` if that does not answer. Every SDK retries that.
 */
import { AtollError } from '../model/errors.ts'
import type { InformedStore } from '../store/replica-reads.ts'
import type { Store } from '../store/store.ts'
import type { Action, Call, RequestRecords } from './action.ts'

/** What was found in the records. */
interface Answer<T> {
  readonly output: T
  /**
   * The time (ISO 8601) of the oldest copy that was used. Null when the records themselves were.
   */
  readonly asOf: string | null
}

/** The result of an action. */
export type ActionAnswer = Answer<object>

/**
 * Runs a read. Rejects like the read, or with `unavailable` instead of a refusal from old records.
 * Without `mayBeOld`, only the records themselves answer.
 */
export async function withReplicaFallback<T>(
  store: InformedStore,
  run: (records: RequestRecords) => Promise<T>,
  mayBeOld = true,
): Promise<Answer<T>> {
  const request: { asOf: string | null; hasChanged: boolean } = { asOf: null, hasChanged: false }
  const noted =
    (change: Store['change']): Store['change'] =>
    (work) => {
      request.hasChanged = true
      return change(work)
    }
  const changes = { change: noted(store.change), claim: noted(store.claim) }
  const fromRecords = async (): Promise<Answer<T>> => {
    const output = await run({
      ...changes,
      read: async (work) => (await store.read((tx) => work(tx), { mayBeOld: false })).value,
    })
    return { output, asOf: null }
  }
  if (!mayBeOld) return await fromRecords()
  try {
    const output = await run({
      ...changes,
      async read(work) {
        const { value } = await store.read((tx, asOf) => {
          if (asOf !== null && (request.asOf === null || asOf < request.asOf)) request.asOf = asOf
          return work(tx)
        })
        return value
      },
    })
    return { output, asOf: request.asOf }
  } catch (error) {
    const isOurs = error instanceof AtollError && error.kind !== 'bug'
    if (!isOurs || request.asOf === null || request.hasChanged) throw error
  }
  return await fromRecords()
}

/** Runs an action with `withReplicaFallback`. */
export function answerWithFallback(
  action: Action,
  call: Omit<Call, 'records'>,
): Promise<ActionAnswer> {
  const run = (records: RequestRecords) => action.run({ ...call, records })
  return withReplicaFallback(call.parts.store, run, action.needsRecords !== true)
}
