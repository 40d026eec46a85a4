/**
 * The records for many askers at once: reads take turns among their owners before they reach the
 * engine.
 *
 * An engine answers in the order in which it is asked. Without this, eight long lists of one client
 * stand between the engine and the next client's one row, and between it and this host's own
 * passes, which ask the engine directly. Only reads wait here: a write may have to be repeated for
 * seconds, and must not keep others from being answered by the replica meanwhile.
 */
import { createLimit } from '../lib/queue.ts'
import type { InformedStore } from './replica-reads.ts'

/** Reads of all owners at the engine at once; one owner has at most half of these places. */
const PLACES = 4
const PLACES_OF_ONE = PLACES / 2

/**
 * Gives each owner (an access key, a queue of commands) its view of `store`. What waits for its
 * turn waits until the caller's deadline.
 */
export function shareReads(store: InformedStore): (owner: string) => InformedStore {
  const limit = createLimit({ places: PLACES, ofOne: PLACES_OF_ONE })
  return (owner) => ({
    ...store,
    read: (work, options) =>
      // A read that the replica may not answer takes no place: it may wait for the records for
      // seconds, and others are answered by the replica.
      options?.mayBeOld === false
        ? store.read(work, options)
        : limit.run({ owner }, () => store.read(work, options)),
  })
}
