/**
 * Shares the engine among many readers: reads take turns among their owners before they reach it.
 *
 * An engine answers in the order of requests. Without this, eight long lists of one client would
 * delay the next client's single row, and this host's passes, which ask the engine directly. Only
 * reads wait here. A write may be repeated for seconds, and must not keep reads from being answered
 * by the replica meanwhile.
 */
import { createLimit } from '../lib/queue.ts'
import type { InformedStore } from './replica-reads.ts'

/** Concurrent reads of all owners. One owner has at most half of these places. */
const PLACES = 4
const PLACES_OF_ONE = PLACES / 2

/**
 * Gives each owner (an access key, a queue of commands) its view of `store`. A read waits for its
 * turn until the caller's deadline.
 */
export function shareReads(store: InformedStore): (owner: string) => InformedStore {
  const limit = createLimit({ places: PLACES, ofOne: PLACES_OF_ONE })
  return (owner) => ({
    ...store,
    read: (work, options) =>
      // A read that the replica must not answer takes no place. It may wait for the records for
      // seconds, while the replica answers others.
      options?.mayBeOld === false
        ? store.read(work, options)
        : store.read(work, { ...options, turn: (signal) => limit.take({ owner }, signal) }),
  })
}
